"""What a search for wrong expressions finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ...backends.tracing.places import Place
from ...backends.tracing.replay import Rows
from .derivatives import Candidate, Derivative
from .last_factors import OtherUnits
from .written_program import Written, WrittenProgram


@dataclass(frozen=True, eq=False)
class Finding:
    """An expression of the way back that should have another value.

    Attributes:
        written: the expression.
        expected: what it should be.
        given: (runs, …), what each is where everything that was found before it, in the run, is put right.
        repairs: the names of the returned arrays that get right, or nearer to it, by this one.
        tolerance: by which part of the largest number two values may differ that are the same.
        is_entered_rightly: whether what goes into it is right where it is wrong first.
        knows_steps: whether it is sure which step of the loss each run belongs to.
    """

    written: Written
    expected: Candidate
    given: np.ndarray
    repairs: tuple[str, ...]
    tolerance: float
    is_entered_rightly: bool
    knows_steps: bool

    @property
    def differs(self) -> tuple[bool, ...]:
        """Whether it is wrong, by the run."""
        return tuple(
            not is_near(one, other, self.tolerance) for one, other in zip(self.given, self.expected.values, strict=True)
        )


class Stopped(NamedTuple):
    """A returned array to which an expression adds a part for every step but some.

    Attributes:
        name: of the array.
        written: the expression.
        expected: its parts; `left_out` says which are missing.
    """

    name: str
    written: Written
    expected: Candidate


class Search(NamedTuple):
    """What was found.

    Attributes:
        findings: in the order in which they were found; with all of them put right, the arrays that are not in `left`
            are right.
        left: the names of the returned arrays that are wrong then, but those in `stopped`.
        derivatives: of the loss, by which it was told.
        rows: of all entries, with everything put right; one leading axis of length 1.
        program: that was searched: without what is done in the end.
        stopped: the arrays to which nothing is added for some steps.
        afterwards: the expressions by which all gradients are changed in the end, the last one first.
        behind_missing: what is wrong only in the runs behind those that are left out, and put right in the rows.
        carried_to_missing: the returned arrays that are carried up to missing first steps only.
        units: a factor that the loss has in the end, and the gradients have not.
        mean: where the loss gets the factor that the gradients get in the end; the derivatives are those before it.
    """

    findings: tuple[Finding, ...]
    left: tuple[str, ...]
    derivatives: tuple[Derivative, ...]
    rows: Rows
    program: WrittenProgram
    stopped: tuple[Stopped, ...] = ()
    afterwards: tuple[Place, ...] = ()
    behind_missing: tuple[Finding, ...] = ()
    carried_to_missing: tuple[str, ...] = ()
    units: OtherUnits | None = None
    mean: Place | None = None

    def returned_by(self, program: WrittenProgram) -> dict[str, np.ndarray]:
        """What a program returns with all values put there: that was searched, or the whole of it."""
        values = {
            number: value[None]
            for one in (*self.findings, *self.behind_missing)
            for number, value in zip(one.written.numbers, one.expected.values, strict=True)
        }
        return {name: array[0] for name, array in program.with_results(values, 1).items()}


def is_near(one: np.ndarray, other: np.ndarray, tolerance: float) -> bool:
    """Whether two arrays are the same, up to what is far below a mistake and far above rounding."""
    largest = max(np.abs(other).max(initial=0.0), np.abs(one).max(initial=0.0))
    return bool(np.isfinite(largest) and (np.abs(one - other) <= tolerance * largest).all())
