"""What was found of the problems of a sweep, and what the log that keeps it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backends import RequestError
from ..jobs import not_a_journal, read_journal
from .problems import draw_problem

EARLIER_SCHEMAS = (1,)
NEW_NAMES = {"story": "report"}  # by their names in schema 1


@dataclass(frozen=True)
class Outcome:
    """What was found of one problem: a line of the log.

    Attributes:
        number, family, dtype, gain: of the problem; there is no gain where there is no W.
        model: the problem's summary.
        fingerprint: its first 12 digits.
        verdict: the comparison's; or `failed` if there was none, or `unsupported` if no two backends can compute it.
        strength: of an agreement.
        share: of its limit, that the closest of the decided blocks used.
        report: what went wrong.
    """

    number: int
    family: str
    model: str
    dtype: str
    gain: float | None
    fingerprint: str
    verdict: str
    strength: str = ""
    share: float | None = None
    report: str = ""


def read_log(path: Path, header: Mapping[str, Any]) -> tuple[dict[int, Outcome], int]:
    """The outcomes in a log by number, and how many of its bytes are whole lines; writes nothing."""
    lines, kept = read_journal(path, header, of="a sweep", earlier={"schema": EARLIER_SCHEMAS})
    try:
        outcomes = [Outcome(**{NEW_NAMES.get(name, name): value for name, value in line.items()}) for line in lines]
    except (TypeError, AttributeError):
        raise not_a_journal(path, "a sweep") from None
    for known in outcomes[:1]:
        again = draw_problem(known.number, seed=header["seed"], numbers=header["numbers"])
        if again.problem.fingerprint[:12] != known.fingerprint:
            raise RequestError(f"{path}: was written by a version of gradparity that drew other problems")
    return {outcome.number: outcome for outcome in outcomes}, kept
