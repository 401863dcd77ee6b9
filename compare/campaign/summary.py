"""The summary of a campaign, as plain values: a row for each system and dtype, and everything else that is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..answers import Trajectory
from ..referee import WORST_FIRST, BlockResult, Comparison, Verdict, not_given_lines
from .cases import Case, CaseResult, LeftOut, case_label

WEAKEST_FIRST = ("", "alone", "within 1 %", "rounding", "bitwise", "certified")
FEWEST_SAMPLES = 10  # of which an accuracy says something
ALONE = "Only one backend answered: the form of its answers was checked, but nothing could agree with them."
LIMIT_LEGEND = "limit: what rounding explains, measured for each block."
MEDIAN_LEGEND = (
    "ulp: the largest distance from the median answer, in units in the last place of a block's largest entry. "
    f"{LIMIT_LEGEND}"
)
CERTIFIED_LEGEND = (
    "ulp: where it is certified, the largest true error, in units in the last place of a block's largest entry. "
    f"{LIMIT_LEGEND}"
)


@dataclass(frozen=True)
class SummaryRow:
    """The results of one system in one dtype.

    Attributes:
        system: its name.
        data: the data set's name, or empty.
        dtype: of the problems.
        verdict: the worst of them.
        strength: the weakest of them, see `Comparison.strength`.
        without_reference: whether in any of them only backends of the user's own were compared.
        ulp: each backend's largest true error if all of its cases have a certificate, and else its largest distance
            from the median answer, in units in the last place of the block; None where it gave no fit answer.
        closest: the block that came closest to its limit, or went furthest beyond it.
        verdicts: the worst on each backend that answered, whatever the others did.
    """

    system: str
    data: str
    dtype: str
    verdict: Verdict
    strength: str
    without_reference: bool
    ulp: dict[str, float | None]
    closest: BlockResult | None
    verdicts: dict[str, Verdict]

    @property
    def label(self) -> str:
        """`elman-softmax`, or `elman-softmax on digits`."""
        return case_label(self.system, self.data)


@dataclass(frozen=True)
class LearningRow:
    """What came of learning one system, over its seeds and dtypes.

    Attributes:
        label: `elman-sgd`, or `lstm on digits`.
        steps: the most that any backend took.
        first_loss: before the first step, as the mean over the backends.
        last_loss: of the last step, as the mean over the backends.
        accuracy: each backend's lowest training accuracy, from 0 to 1; empty where there are too few samples.
    """

    label: str
    steps: int
    first_loss: float
    last_loss: float
    accuracy: dict[str, float]


@dataclass(frozen=True, eq=False)
class CampaignReport:
    """A campaign and its summary: all that is shown of it.

    Attributes:
        results: in the order of the cases.
        backends: the names of those that were asked.
        seconds: how long it took.
        notes: on what was left out.
        saved: the case files, by the problems' fingerprints.
    """

    results: Sequence[CaseResult]
    backends: Sequence[str]
    seconds: float
    notes: Sequence[str] = ()
    saved: Mapping[str, Path] = field(default_factory=dict)

    def rows(self) -> list[SummaryRow]:
        """One row for each system and dtype, in the order of the cases."""
        return summarize(self.results)

    def learning_rows(self) -> list[LearningRow]:
        """One row for each system that was learned."""
        return summarize_learning(self.results)

    @property
    def wrong(self) -> list[CaseResult]:
        """The results that are no agreement."""
        return [result for result in self.results if result.comparison.verdict != "agree"]

    @property
    def verdict_counts(self) -> dict[Verdict, int]:
        """How many problems have each verdict, the worst first; a verdict that none has is not there."""
        verdicts = [result.comparison.verdict for result in self.results]
        return {verdict: verdicts.count(verdict) for verdict in WORST_FIRST if verdict in verdicts}

    @property
    def block_count(self) -> int:
        """How many blocks were judged."""
        return sum(len(result.comparison.blocks) for result in self.results)

    @property
    def seeds(self) -> list[int]:
        """The seeds of the problems, without those of case files."""
        return sorted({result.case.seed for result in self.results if result.case.seed is not None})

    @property
    def has_certificate(self) -> bool:
        """Whether any problem has a certificate."""
        return any(result.comparison.bits is not None for result in self.results)

    @property
    def legend(self) -> str:
        """What the numbers of the table are; empty where nothing was compared."""
        if self.has_certificate:
            return CERTIFIED_LEGEND
        return MEDIAN_LEGEND if len(self.backends) > 1 else ""

    @property
    def conclusion(self) -> str:
        """How many problems and blocks were compared, with which verdicts, on one line."""
        count, seeds = len(self.results), self.seeds
        problems = f"{count} problem{'s' if count > 1 else ''}"
        from_seeds = f" from seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}" if seeds else ""
        if len(self.alone) == count:
            return f"{problems}{from_seeds}: nothing was compared ({self.seconds:.1f} s)"
        counts = self.verdict_counts
        verdicts = ", ".join(
            f"{counts[verdict]} {verdict}" for verdict in ("agree", "disagree", "undecidable") if verdict in counts
        )
        return f"{problems}{from_seeds}, {self.block_count} blocks: {verdicts} ({self.seconds:.1f} s)"

    @property
    def reservations(self) -> list[str]:
        """What the agreements do not show, each once."""
        return list(dict.fromkeys(r.comparison.reservation for r in self.results if r.comparison.reservation))

    @property
    def alone(self) -> list[CaseResult]:
        """The results in which only one backend answered, so that nothing was compared."""
        return [result for result in self.results if result.comparison.strength == "alone"]


def campaign_notes(outcomes: Iterable[CaseResult | LeftOut]) -> list[str]:
    """What was not certified, what was left out, who gave no gradients and who was skipped; each once.

    A backend that gave forward values only is named, since it agrees in these alone; and so is what else a backend did
    not give.
    """
    outcomes = list(outcomes)
    results = [outcome for outcome in outcomes if isinstance(outcome, CaseResult)]
    notes = [
        f"{result.case.label}: {result.comparison.uncertified}" for result in results if result.comparison.uncertified
    ]
    left_out = [outcome for outcome in outcomes if isinstance(outcome, LeftOut)]
    cases = [result.case for result in results]
    notes += [f"{_which(outcome.case, cases)} was left out: {outcome.reason}" for outcome in left_out]
    incomplete: dict[str, list[str]] = {}
    for result in results:
        for name, line in not_given_lines(result.comparison).items():
            if name in result.comparison.forward_only:
                notes.append(line)
            else:
                incomplete.setdefault(line, []).append(result.case.label)
    notes += [f"{', '.join(dict.fromkeys(labels))}: {line}" for line, labels in incomplete.items()]
    notes += [f"{name}: {reason}" for result in results for name, reason in result.comparison.skipped.items()]
    return list(dict.fromkeys(notes))


def _which(left_out: Case, compared: Sequence[Case]) -> str:
    """What of a system was left out: all of it, a dtype, or one seed, if others of its cases were compared."""
    others = [case for case in compared if case.label == left_out.label]
    if not others:
        return left_out.label
    dtype = left_out.problem.dtype.name
    same_dtype = any(case.problem.dtype == left_out.problem.dtype for case in others)
    one_seed = f" from seed {left_out.seed}" if same_dtype and left_out.seed is not None else ""
    return f"{left_out.label} in {dtype}{one_seed}"


def summarize(results: Iterable[CaseResult]) -> list[SummaryRow]:
    """The rows, in the order of the cases."""
    groups: dict[tuple[str, str, str], list[CaseResult]] = {}
    for result in results:
        case = result.case
        groups.setdefault((case.system, case.data, case.problem.dtype.name), []).append(result)
    return [_row(*key, group) for key, group in groups.items()]


def _row(system: str, data: str, dtype: str, group: Sequence[CaseResult]) -> SummaryRow:
    comparisons = [result.comparison for result in group]
    verdict = min((comparison.verdict for comparison in comparisons), key=WORST_FIRST.index)
    strengths = ("",) if verdict != "agree" else tuple(comparison.strength for comparison in comparisons)
    names = dict.fromkeys(name for comparison in comparisons for name in comparison.answers)
    certified = all(comparison.bits is not None for comparison in comparisons)
    largest: dict[str, float | None] = {}
    for name in names:
        distances = [
            comparison.error_ulp(name) if certified else comparison.distance_ulp(name) for comparison in comparisons
        ]
        largest[name] = max((distance for distance in distances if distance is not None), default=None)
    blocks = [block for comparison in comparisons if (block := comparison.closest)]
    return SummaryRow(
        system=system,
        data=data,
        dtype=dtype,
        verdict=verdict,
        strength=min(strengths, key=WEAKEST_FIRST.index),
        without_reference=any(comparison.without_reference for comparison in comparisons),
        ulp=largest,
        closest=max(blocks, key=lambda block: block.ratio, default=None),
        verdicts=_verdicts(comparisons),
    )


def _verdicts(comparisons: Sequence[Comparison]) -> dict[str, Verdict]:
    """The worst verdict on each backend that answered, or whose answer was refused."""
    verdicts: dict[str, Verdict] = {}
    for comparison in comparisons:
        for name in dict.fromkeys([*comparison.answers, *(failure.backend for failure in comparison.failures)]):
            both = (verdicts.get(name, "agree"), comparison.verdict_on(name))
            verdicts[name] = min(both, key=WORST_FIRST.index)
    return verdicts


def learning_line(row: LearningRow) -> str:
    """How a system learned, in a sentence."""
    line = f"{row.label} learned: in {row.steps} steps the loss fell from {row.first_loss:.3g} to {row.last_loss:.3g}"
    if not row.accuracy:
        return f"{line}."
    if len(set(row.accuracy.values())) == 1:
        shown = f"{100 * min(row.accuracy.values()):.1f} % by {', '.join(row.accuracy)}"
    else:
        shown = ", ".join(f"{name} {100 * share:.1f} %" for name, share in row.accuracy.items())
    return f"{line}; training accuracy {shown}."


def summarize_learning(results: Iterable[CaseResult]) -> list[LearningRow]:
    """One row for each system that was learned, in the order of the cases."""
    groups: dict[str, list[Comparison]] = {}
    for result in results:
        if result.comparison.training and result.comparison.answers:
            groups.setdefault(result.case.label, []).append(result.comparison)
    return [_learning_row(label, comparisons) for label, comparisons in groups.items()]


def _learning_row(label: str, comparisons: Sequence[Comparison]) -> LearningRow:
    trajectories = [
        (name, answer)
        for comparison in comparisons
        for name, answer in comparison.answers.items()
        if isinstance(answer, Trajectory)
    ]
    first_loss, last_loss = (
        sum(float(trajectory.losses[end]) for _, trajectory in trajectories) / len(trajectories) for end in (0, -1)
    )
    lowest: dict[str, float] = {}
    if comparisons[0].problem.batch_size >= FEWEST_SAMPLES:
        for name, trajectory in trajectories:
            if trajectory.accuracy is not None:
                lowest[name] = min(lowest.get(name, 1.0), trajectory.accuracy)
    steps = max(len(trajectory.losses) for _, trajectory in trajectories)
    return LearningRow(label, steps, first_loss, last_loss, lowest)
