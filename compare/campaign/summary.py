"""The summary of a campaign: one row for each system and dtype over its seeds, as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..answers import Trajectory
from ..referee import WORST_FIRST, BlockResult, Comparison, Verdict
from .cases import CaseResult, case_label

WEAKEST_FIRST = ("", "alone", "within 1 %", "rounding", "bitwise", "certified")
FEWEST_SAMPLES = 10  # of which an accuracy says something


@dataclass(frozen=True)
class SummaryRow:
    """The results of one system in one dtype.

    Attributes:
        system: its name.
        data: the data set that it was given, or empty.
        dtype: of the problems.
        verdict: the worst of them.
        strength: the weakest of them, see `Comparison.strength`.
        ulp: each backend's largest true error if all of its cases have a certificate, and else its largest distance
            from the median answer, in units in the last place of the block; None where it gave no fit answer.
        closest: the block that came closest to its limit, or went furthest beyond it.
    """

    system: str
    data: str
    dtype: str
    verdict: Verdict
    strength: str
    ulp: dict[str, float | None]
    closest: BlockResult | None

    @property
    def label(self) -> str:
        """`elman-softmax`, or `elman-softmax on digits`."""
        return case_label(self.system, self.data)


def summarize(results: Iterable[CaseResult]) -> list[SummaryRow]:
    """The rows, in the order of the cases."""
    groups: dict[tuple[str, str, str], list[CaseResult]] = {}
    for result in results:
        case = result.case
        groups.setdefault((case.system, case.data, case.problem.dtype.name), []).append(result)
    return [_row(*key, group) for key, group in groups.items()]


def _row(system: str, data: str, dtype: str, group: Sequence[CaseResult]) -> SummaryRow:
    comparisons = [result.comparison for result in group]
    verdict = min((each.verdict for each in comparisons), key=WORST_FIRST.index)
    strengths = ("",) if verdict != "agree" else tuple(each.strength for each in comparisons)
    names = dict.fromkeys(name for each in comparisons for name in each.answers)
    certified = all(each.bits is not None for each in comparisons)
    distances: dict[str, float | None] = {}
    for name in names:
        found = [each.error_ulp(name) if certified else each.distance_ulp(name) for each in comparisons]
        distances[name] = max((distance for distance in found if distance is not None), default=None)
    blocks = [block for each in comparisons if (block := each.closest)]
    return SummaryRow(
        system=system,
        data=data,
        dtype=dtype,
        verdict=verdict,
        strength=min(strengths, key=WEAKEST_FIRST.index),
        ulp=distances,
        closest=max(blocks, key=lambda block: block.ratio, default=None),
    )


def learned(results: Iterable[CaseResult]) -> list[str]:
    """What came of learning, a line for each system over its seeds and dtypes."""
    groups: dict[str, list[Comparison]] = {}
    for result in results:
        if result.comparison.training and result.comparison.answers:
            groups.setdefault(result.case.label, []).append(result.comparison)
    return [f"{label} learned: {_outcome(group)}." for label, group in groups.items()]


def _outcome(group: Sequence[Comparison]) -> str:
    ways = [(name, way) for each in group for name, way in each.answers.items() if isinstance(way, Trajectory)]
    steps = max(len(way.losses) for _, way in ways)
    first, last = (sum(float(way.losses[end]) for _, way in ways) / len(ways) for end in (0, -1))
    said = f"in {steps} steps the loss fell from {first:.3g} to {last:.3g}"
    worst: dict[str, float] = {}
    for name, way in ways:
        if way.accuracy is not None:
            worst[name] = min(worst.get(name, 1.0), way.accuracy)
    if worst and group[0].problem.batch_size >= FEWEST_SAMPLES:
        said += "; training accuracy "
        if len(set(worst.values())) == 1:
            said += f"{100 * min(worst.values()):.1f} % by {', '.join(worst)}"
        else:
            said += ", ".join(f"{name} {100 * part:.1f} %" for name, part in worst.items())
    return said
