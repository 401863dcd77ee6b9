"""What a person sees of gradient flows: the chart, a table, and which backends do not agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle

from rich.console import Console
from rich.text import Text

from ...backends import MissingFrameworkError
from ..campaign.display import verdict_text
from ..output import MAX_REPORTS, plain_table, say
from ..referee import explain
from .charts import LETTERS, terminal_chart
from .measurement import GradientFlow


def show_flows(flows: Sequence[GradientFlow], notes: Iterable[str], on: Console) -> None:
    """The chart, a table with the character and verdict of each flow, and the reports of those that do not agree."""
    try:
        on.print(Text(terminal_chart(flows, on.width)), soft_wrap=True)
    except MissingFrameworkError as error:
        say(on, f"note: {error}", style="dim")
    on.print()
    table = plain_table()
    table.add_column("", no_wrap=True, min_width=1)
    table.add_column("system × scale of W", no_wrap=True)
    for heading in ("t = 0", "t = T", "per step"):
        table.add_column(heading, no_wrap=True, justify="right")
    table.add_column("gradient", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for flow, letter in zip(flows, cycle(LETTERS), strict=False):
        norms = (f"{flow.norms[end]:.1e}" for end in (0, -1))
        verdict = verdict_text(flow.comparison)
        table.add_row(letter, Text(flow.label), *norms, f"{flow.factor:.3f}", flow.character, verdict)
    on.print(table)
    for note in notes:
        say(on, f"note: {note}", style="dim")
    disagreeing = [flow for flow in flows if flow.comparison.verdict != "agree"]
    for flow in disagreeing[:MAX_REPORTS]:
        say(on, f"\n{flow.label}", style="bold")
        say(on, explain(flow.comparison))
