"""What a person sees of a campaign: progress, the table, the reports of what went wrong, the conclusion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..diagnosis import named
from ..output import MAX_REPORTS, PIPE_WIDTH, STYLES, plain_table, say
from ..referee import BlockResult, Comparison, explain
from .cases import CaseResult
from .summary import SummaryRow, learned, summarize

LEGEND = (
    "ulp: the largest distance from the median answer, in units in the last place of a block's largest entry. "
    "limit: what rounding explains, measured for each block."
)

CERTIFIED_LEGEND = (
    "ulp: where it is certified, the largest true error, in units in the last place of a block's largest entry. "
    "limit: what rounding explains, measured for each block."
)


@dataclass(frozen=True, eq=False)
class CampaignReport:
    """Everything that is shown of a campaign.

    Attributes:
        results: in the order of the cases.
        backends: the names of those that were asked.
        notes: on what was left out.
        seconds: how long it took.
        saved: the case files, by the problems' fingerprints.
    """

    results: Sequence[CaseResult]
    backends: Sequence[str]
    notes: Sequence[str]
    seconds: float
    saved: Mapping[str, Path] = field(default_factory=dict)

    @property
    def wrong(self) -> list[CaseResult]:
        """The results that are no agreement."""
        return [result for result in self.results if result.comparison.verdict != "agree"]


def show(report: CampaignReport, on: Console) -> None:
    """The table, notes, the reports of the first few cases that are no agreement, and the conclusion."""
    rows = summarize(report.results)
    table = _campaign_table(rows, report.backends, narrow=False)
    if on.is_terminal and Console(width=PIPE_WIDTH).measure(table).maximum > on.width:
        table = _campaign_table(rows, report.backends, narrow=True)
    on.print(table)
    on.print()
    if any(result.comparison.bits is not None for result in report.results):
        on.print(CERTIFIED_LEGEND, style="dim", highlight=False)
    elif len(report.backends) > 1:
        on.print(LEGEND, style="dim", highlight=False)
    for line in learned(report.results):
        on.print(line, markup=False, highlight=False)
    for note in dict.fromkeys([*report.notes, *_skipped(report.results)]):
        say(on, f"note: {note}", style="dim")
    for result in report.wrong[:MAX_REPORTS]:
        seed = "" if result.case.seed is None else f", seed {result.case.seed}"
        say(on, f"\n{result.case.label}, {result.case.problem.dtype}{seed}", style="bold")
        say(on, explain(result.comparison, report.saved.get(result.case.problem.fingerprint)))
        for name, diagnosis in (result.comparison.diagnoses or {}).items():
            if diagnosis:
                say(on, f"{name}: {named(diagnosis)}")
    if len(report.wrong) > MAX_REPORTS:
        say(on, f"\n… and {len(report.wrong) - MAX_REPORTS} more cases that are no agreement.")
    say(on, f"\n{_conclusion(report)}", style="bold")
    if any(result.comparison.strength == "alone" for result in report.results):
        say(on, "Only one backend answered: the form of its answers was checked, but nothing could agree with them.")


def _campaign_table(rows: Sequence[SummaryRow], backends: Sequence[str], *, narrow: bool) -> Table:
    """One line for each system and dtype. The narrow one leaves out the block that came closest to its limit."""
    table = plain_table(gap=1 if narrow else 2)
    table.add_column("\nsystem", no_wrap=True)
    table.add_column("\ndtype", no_wrap=True)
    for name in backends:
        table.add_column(Text(f"{name}\nulp"), justify="right", no_wrap=True)
    table.add_column("limit\nused", justify="right", no_wrap=True)
    if not narrow:
        table.add_column("closest\nblock", no_wrap=True)
    table.add_column("\nverdict", no_wrap=True)
    for row, name in zip(rows, _names(rows), strict=True):
        closest = row.closest.label if row.closest else "–"
        table.add_row(
            Text(name),
            row.dtype,
            *(_ulp(row.ulp.get(name)) for name in backends),
            _share(row.closest),
            *([] if narrow else [Text(closest)]),
            verdict_text(row),
        )
    return table


def _names(rows: Sequence[SummaryRow]) -> Iterator[str]:
    """What stands in each row for its system: its name in the first row, and its data in the second if there is one."""
    for _, group in groupby(rows, key=lambda row: row.label):
        of_system = list(group)
        data = f"  on {of_system[0].data}" if of_system[0].data else ""
        if len(of_system) == 1:
            yield f"{of_system[0].system}\n{data}".rstrip()
        else:
            yield from (of_system[0].system, data, *("" for _ in of_system[2:]))


def _conclusion(report: CampaignReport) -> str:
    found = [result.comparison.verdict for result in report.results]
    verdicts = ", ".join(f"{found.count(verdict)} {verdict}" for verdict in STYLES if verdict in found)
    seeds = sorted({result.case.seed for result in report.results if result.case.seed is not None})
    from_seeds = f" from seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}" if seeds else ""
    blocks = sum(len(result.comparison.blocks) for result in report.results)
    problems = f"{len(found)} problem{'s' if len(found) > 1 else ''}"
    if all(result.comparison.strength == "alone" for result in report.results):
        return f"{problems}{from_seeds}: nothing was compared ({report.seconds:.1f} s)"
    return f"{problems}{from_seeds}, {blocks} blocks: {verdicts} ({report.seconds:.1f} s)"


def _skipped(results: Iterable[CaseResult]) -> list[str]:
    return [f"{name}: {reason}" for result in results for name, reason in result.comparison.skipped.items()]


def _ulp(distance: float | None) -> str:
    if distance is None:
        return "–"
    return f"{distance:.1f}" if distance < 1000 else f"{distance:.1e}"


def verdict_text(judged: SummaryRow | Comparison) -> Text:
    strength = f" ({judged.strength})" if judged.strength else ""
    return Text(f"{judged.verdict}{strength}", style=STYLES[judged.verdict])


def _share(block: BlockResult | None) -> str:
    if block is None:
        return "–"
    return f"{100 * block.ratio:.0f} %" if block.ratio < 10 else f"{block.ratio:.0e}×"
