"""What a function's rounding to float32 inside does to its gradients, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .located import Located, located_from
from .written_program import WrittenProgram

IN_FLOAT32 = "Precision: its arguments are in float64, and it rounds to float32 inside:"


@dataclass(frozen=True)
class Precision:
    """Where numbers of float64 are rounded to float32.

    Attributes:
        located: the expressions.
        shown: what is right without that, in a sentence; empty if it puts nothing right.
        is_all: whether all gradients are right without that.
    """

    located: tuple[Located, ...] = ()
    shown: str = ""
    is_all: bool = False


def precision_of(program: WrittenProgram) -> Precision:
    """Where a run that was carried out in float64 was rounded, and which gradients are right without that."""
    if program.rounded is None:
        return Precision()
    before = program.rounded.right_within(program.tolerance)
    repaired = [name for name in program.outputs if name in program.returned_right and name not in before]
    is_all = len(program.returned_right) == len(program.outputs)
    shown = f"In float64 {', '.join(repaired)} {'is' if len(repaired) == 1 else 'are'} right." if repaired else ""
    return Precision(program.rounded.rounded_at, shown, is_all)


def precision_from(values: Mapping[str, Any]) -> Precision:
    """A precision out of the plain values of `dataclasses.asdict`."""
    return Precision(tuple(map(located_from, values["located"])), str(values["shown"]), bool(values["is_all"]))
