"""A campaign on the console: the table, the notes, the reports of what went wrong, and the conclusion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..diagnosis import describe_diagnosis
from ..output import MAX_REPORTS, PIPE_WIDTH, STYLES, plain_table, say, share_text
from ..referee import Comparison, explain
from .summary import ALONE, CampaignReport, SummaryRow, learning_line


def show_campaign(report: CampaignReport, on: Console) -> None:
    """The table, notes, the reports of the first few cases that are no agreement, and the conclusion."""
    rows = report.rows()
    table = _campaign_table(rows, report.backends, narrow=False)
    if on.is_terminal and Console(width=PIPE_WIDTH).measure(table).maximum > on.width:
        table = _campaign_table(rows, report.backends, narrow=True)
    on.print(table)
    on.print()
    if report.legend:
        on.print(report.legend, style="dim", highlight=False)
    for row in report.learning_rows():
        on.print(learning_line(row), markup=False, highlight=False)
    for note in report.notes:
        say(on, f"note: {note}", style="dim")
    wrong = report.wrong
    for result in wrong[:MAX_REPORTS]:
        seed = "" if result.case.seed is None else f", seed {result.case.seed}"
        say(on, f"\n{result.case.label}, {result.case.problem.dtype}{seed}", style="bold")
        say(on, explain(result.comparison, report.saved.get(result.case.problem.fingerprint)))
        for name, diagnosis in (result.comparison.diagnoses or {}).items():
            say(on, f"{name}: {describe_diagnosis(diagnosis)}")
    if len(wrong) > MAX_REPORTS:
        say(on, f"\n… and {len(wrong) - MAX_REPORTS} more cases that are no agreement.")
    say(on, f"\n{report.conclusion}", style="bold")
    for reservation in report.reservations:
        say(on, reservation)
    if report.alone:
        say(on, ALONE)


def _campaign_table(rows: Sequence[SummaryRow], backends: Sequence[str], *, narrow: bool) -> Table:
    """One line for each system and dtype. The narrow table leaves out the block that came closest to its limit."""
    table = plain_table(gap=1 if narrow else 2)
    table.add_column("\nsystem", no_wrap=True)
    table.add_column("\ndtype", no_wrap=True)
    for name in backends:
        table.add_column(Text(f"{name}\nulp"), justify="right", no_wrap=True)
    table.add_column("limit\nused", justify="right", no_wrap=True)
    if not narrow:
        table.add_column("closest\nblock", no_wrap=True)
    table.add_column("\nverdict", no_wrap=True)
    for row, name in zip(rows, _system_cells(rows), strict=True):
        closest = row.closest.label if row.closest else "–"
        table.add_row(
            Text(name),
            row.dtype,
            *(_ulp(row.ulp.get(name)) for name in backends),
            share_text(row.closest.ratio if row.closest else None),
            *([] if narrow else [Text(closest)]),
            verdict_text(row),
        )
    return table


def _system_cells(rows: Sequence[SummaryRow]) -> Iterator[str]:
    """The first column: a system's name in its first row, and its data set in the second if there is one."""
    for _, group in groupby(rows, key=lambda row: row.label):
        system_rows = list(group)
        data = f"  on {system_rows[0].data}" if system_rows[0].data else ""
        if len(system_rows) == 1:
            yield f"{system_rows[0].system}\n{data}".rstrip()
        else:
            yield from (system_rows[0].system, data, *("" for _ in system_rows[2:]))


def _ulp(distance: float | None) -> str:
    if distance is None:
        return "–"
    return f"{distance:.1f}" if distance < 1000 else f"{distance:.1e}"


def verdict_text(judged: SummaryRow | Comparison) -> Text:
    """The verdict in its color, how it was shown, and whether nobody but the user's own backends were compared."""
    among = " with each other" if judged.verdict == "agree" and judged.without_reference else ""
    strength = f" ({judged.strength})" if judged.strength else ""
    return Text(f"{judged.verdict}{among}{strength}", style=STYLES[judged.verdict])
