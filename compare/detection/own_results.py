"""What is said of slips in programs of our own, as frozen results, and the rows of their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from ..localization import Localization
from .checks import CheckResult

Outcome = Literal["named", "among several", "elsewhere", "not named"]
OUTCOMES: tuple[Outcome, ...] = ("named", "among several", "elsewhere", "not named")
ALL = "all programs"


@dataclass(frozen=True)
class OwnResult:
    """What is said of a program of our own.

    Attributes:
        program: its name.
        kind: of the slip, such as `a factor dropped`; empty if there is none.
        line: that was edited, from 1; 0 if none was.
        was: what stood there.
        now: what stands there.
        verdict: on the gradients.
        outcome: of the search for the line. `named`: one place, on the line, and with its value put there everything
            is right; `among several`: so are several places, of which one is on the line; `elsewhere`: none of them is;
            `not named`: something is still wrong, or nothing is said.
        is_placed: whether any place is on the line.
        localization: what is said.
        contradicted: what of it is not so, computed once more.
        seconds: that the search for the line took.
    """

    program: str
    kind: str
    line: int
    was: str
    now: str
    verdict: CheckResult
    outcome: Outcome
    is_placed: bool
    localization: Localization
    contradicted: tuple[str, ...]
    seconds: float

    @property
    def label(self) -> str:
        """Such as "rows, line 30: a square dropped: `h[t + 1] ** 2` became `h[t + 1]`"."""
        if not self.kind:
            return f"{self.program}, without a slip"
        was, now = (" ".join(text.split()) for text in (self.was, self.now))
        return f"{self.program}, line {self.line}: {self.kind}: `{was}` became `{now}`"

    @property
    def is_seen(self) -> bool:
        """Whether the slip is called wrong."""
        return self.verdict.verdict == "wrong"

    @property
    def is_fault(self) -> bool:
        """Whether gradparity is mistaken: it misses a slip, or fails, or says what is not so."""
        return bool(self.contradicted) or self.verdict.verdict != ("wrong" if self.kind else "right")


def own_rows(results: Sequence[OwnResult]) -> list[dict[str, Any]]:
    """One row for each program, and one for all of them.

    Args:
        results: of programs with slips and without.

    Returns:
        By the column, counts; and the seconds, None if there was no search.
    """
    programs = dict.fromkeys(one.program for one in results)
    rows = [_row(name, [one for one in results if one.program == name]) for name in programs]
    return [*rows, _row(ALL, results)] if rows else []


def _row(program: str, results: Sequence[OwnResult]) -> dict[str, Any]:
    slips = [one for one in results if one.kind]
    seconds = [one.seconds for one in slips if one.is_seen]
    return {
        "program": program,
        "slips": len(slips),
        "seen": sum(one.is_seen for one in slips),
        **{outcome: sum(one.outcome == outcome for one in slips) for outcome in OUTCOMES},
        "placed": sum(one.is_placed for one in slips),
        "false": sum(bool(one.contradicted) for one in results),
        "median s": median(seconds) if seconds else None,
        "most s": max(seconds, default=None),
    }
