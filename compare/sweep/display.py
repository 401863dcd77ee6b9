"""What a person sees of a sweep: the table, what went wrong, the conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..output import MAX_REPORTS, STYLES, plain_table, say, share_text
from ..workers import WHOLE
from .results import VERDICTS, Sweep


def show_sweep(sweep: Sweep, on: Console) -> None:
    """The table, notes, the reports of the first few problems that went wrong, and the conclusion."""
    on.print(_outcome_table(sweep))
    on.print()
    on.print(_regime_table(sweep))
    on.print()
    on.print(
        "limit used: of what rounding explains, by the block that came closest to it.", style="dim", highlight=False
    )
    for note in sweep.notes:
        say(on, f"note: {note}", style="dim")
    for outcome in sweep.wrong[:MAX_REPORTS]:
        regime = f", {outcome.regime}" if outcome.regime else ""
        gain = "" if outcome.gain is None else f", gain {outcome.gain:.3g}"
        say(on, f"\nproblem {outcome.number}: {outcome.model}{gain}{regime}", style="bold")
        say(on, outcome.report)
        say(on, f"It is {sweep.line_of(outcome)}.")
    unreported = sweep.wrong[MAX_REPORTS:]
    if unreported:
        say(on, f"\n… and {len(unreported)} more: {', '.join(str(outcome.number) for outcome in unreported)}.")
    say(on, f"\n{sweep_conclusion(sweep)}", style="bold")


def _outcome_table(sweep: Sweep) -> Table:
    """One line for each family and dtype."""
    table, shown = plain_table(), _shown_verdicts(sweep)
    for heading in ("family", "dtype"):
        table.add_column(heading, no_wrap=True)
    for heading in ("problems", *shown, "limit used"):
        table.add_column(heading, no_wrap=True, justify="right")
    for row in sweep.rows():
        counts = _counts_text(row, shown)
        table.add_row(row["family"], row["dtype"], str(row["problems"]), *counts, share_text(row["limit_used"]))
    return table


def _regime_table(sweep: Sweep) -> Table:
    """One line for each regime."""
    table, shown = plain_table(), _shown_verdicts(sweep)
    table.add_column("numbers", no_wrap=True)
    for heading in ("problems", *shown):
        table.add_column(heading, no_wrap=True, justify="right")
    for row in sweep.regimes():
        table.add_row(row["regime"], str(row["problems"]), *_counts_text(row, shown))
    return table


def _shown_verdicts(sweep: Sweep) -> list[str]:
    return [verdict for verdict in VERDICTS if verdict in STYLES or sweep.counts[verdict]]


def _counts_text(row: Mapping[str, Any], shown: Sequence[str]) -> list[Text]:
    return [Text(str(row[verdict]), style=STYLES.get(verdict, "") if row[verdict] else "") for verdict in shown]


def sweep_conclusion(sweep: Sweep) -> str:
    """`200 random problems from seed 0: 190 agree, 10 undecidable, no disagree (12.3 problems/s)`."""
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sweep.counts.items() if count)
    verdicts += "" if sweep.counts["disagree"] else ", no disagree"
    speed = sweep.problems_per_second
    end = "all from the log" if speed is None else f"{speed:.1f} problems/s"
    part = f", shard {sweep.shard}" if sweep.shard != WHOLE else ""
    return f"{len(sweep.outcomes)} random problems from seed {sweep.seed}{part}: {verdicts} ({end})"
