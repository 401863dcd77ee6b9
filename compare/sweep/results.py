"""The results of a sweep: one outcome a problem, and the rows that every rendering is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import inf
from typing import Any

from ...backends.checks import DTYPES
from ..systems.random_models import FAMILY_NAMES
from ..workers import WHOLE, Shard

VERDICTS = ("agree", "undecidable", "disagree", "failed", "unsupported")
WRONG_VERDICTS = ("disagree", "failed")
SHARES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of a limit: the ends of the ranges that are counted


@dataclass(frozen=True)
class SweepOutcome:
    """What came of one problem: a line of the log.

    Attributes:
        number: of the problem in the sweep.
        family: of its model.
        model: the problem's summary.
        dtype: of the problem.
        gain: by which W was multiplied; None where there is no W.
        regime: of the problem's numbers; empty if they are in none.
        fingerprint: the first 12 digits of the problem's.
        verdict: the comparison's; or `failed` if there was none, or `unsupported` if no two backends can compute it.
        strength: of an agreement.
        share: the largest share of its limit that a decided block used; 1 is the limit.
        report: what went wrong.
    """

    number: int
    family: str
    model: str
    dtype: str
    gain: float | None
    regime: str
    fingerprint: str
    verdict: str
    strength: str = ""
    share: float | None = None
    report: str = ""


@dataclass(frozen=True)
class Sweep:
    """A sweep, as far as it went.

    Attributes:
        outcomes: by number.
        seed: of the sweep.
        numbers: how many successive problems share a model.
        earlier: how many outcomes were in the log already.
        seconds: how long the others took.
        notes: on backends that are not installed.
        shard: the part of the models that it is.
        backends: that were compared.
        environment: in which it was done; of a log that was continued, in which that was begun.
    """

    outcomes: Sequence[SweepOutcome]
    seed: int
    numbers: int
    earlier: int
    seconds: float
    notes: Sequence[str]
    shard: Shard = WHOLE
    backends: Sequence[str] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wrong(self) -> list[SweepOutcome]:
        """The false positives and the failures: with right backends there are none."""
        return [outcome for outcome in self.outcomes if outcome.verdict in WRONG_VERDICTS]

    @property
    def counts(self) -> dict[str, int]:
        """How many problems have each verdict, by `VERDICTS`."""
        return _counts(self.outcomes)

    @property
    def undecidable(self) -> list[SweepOutcome]:
        """The problems on which rounding grows too much to tell."""
        return [outcome for outcome in self.outcomes if outcome.verdict == "undecidable"]

    @property
    def problems_per_second(self) -> float | None:
        """The speed of this run; None if all outcomes were in the log."""
        fresh = len(self.outcomes) - self.earlier
        return fresh / self.seconds if fresh else None

    def rows(self) -> list[dict[str, Any]]:
        """One row for each family and dtype: `problems`, the count of each verdict, and the largest `limit_used`."""
        rows = []
        for family, dtype in product(FAMILY_NAMES, DTYPES):
            group = [outcome for outcome in self.outcomes if (outcome.family, outcome.dtype) == (family, dtype)]
            limit_used = max((outcome.share for outcome in group if outcome.share is not None), default=None)
            rows.append(
                {"family": family, "dtype": dtype, "problems": len(group), **_counts(group), "limit_used": limit_used}
            )
        return rows

    def regimes(self) -> list[dict[str, Any]]:
        """One row for each regime that was drawn: `regime`, `problems`, and the count of each verdict."""
        names = dict.fromkeys(outcome.regime for outcome in self.outcomes)
        groups = {name: [outcome for outcome in self.outcomes if outcome.regime == name] for name in sorted(names)}
        return [
            {"regime": name or "ordinary", "problems": len(group), **_counts(group)} for name, group in groups.items()
        ]

    def limits_used(self) -> list[dict[str, Any]]:
        """How much of what rounding explains the problems used: a row for each range of shares, with `problems`.

        `above` and `up_to` are its ends. Counted are the problems in which a block was decided, by the block that came
        closest to its limit.
        """
        shares = [outcome.share for outcome in self.outcomes if outcome.share is not None]
        ends = [*zip((-inf, *SHARES), SHARES, strict=False), (SHARES[-1], inf)]
        return [
            {"above": low, "up_to": high, "problems": sum(low < share <= high for share in shares)}
            for low, high in ends
        ]

    def line_of(self, outcome: SweepOutcome) -> str:
        """The Python expression that makes the problem of an outcome again."""
        arguments = f"{outcome.number}, seed={self.seed}, numbers={self.numbers}"
        return f"gradparity.compare.sweep.draw_problem({arguments}).problem"


def _counts(outcomes: Sequence[SweepOutcome]) -> dict[str, int]:
    counted = Counter(outcome.verdict for outcome in outcomes)
    return {verdict: counted[verdict] for verdict in VERDICTS}
