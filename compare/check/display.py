"""A check on the console: a line for each gradient, the report, the smallest problem that fails, the conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...backends.errors import printable
from ..diagnosis import describe_diagnosis, shown_gradient
from ..output import plain_table, say
from .results import Check
from .smaller_wording import none_of_the_small_text, sizes_text, small_problem_text, smallest_heading
from .wording import asked_text, conclusion, notes_text, report, shows_diagnosis

QUANTITY_STYLES = {
    "right": "green",
    "wrong": "bold red",
    "undecided": "yellow",
    "refused": "bold red",
    "missing": "dim",
}


def show_check(check: Check, case: Path | None, on: Console) -> None:
    """The table, the report of the first problem that is no agreement, the smallest failure, and the conclusion."""
    rows = check.rows()
    if rows:
        on.print(_table(check, rows))
        on.print()
    say(on, asked_text(check))
    if not_right := report(check, case):
        say(on, f"\n{not_right}")
    if notes := notes_text(check):
        say(on, f"\n{notes}")
    if check.output:
        say(on, f"\nOutput of {check.name}, which is no part of this report:\n{indented(check.output)}")
    if check.sizes:
        say(on, f"\n{sizes_text(check.cut)}")
    if check.smallest:
        say(on, f"\n{smallest_heading(check.small)}", style="bold")
        say(on, small_problem_text(check.smallest, check.name))
    elif check.small.tried and check.is_catalogued:
        say(on, f"\n{none_of_the_small_text(check.small)}")
    for paragraph in check.localization.paragraphs():
        heading, _, rest = paragraph.partition("\n")
        say(on, f"\n{heading}", style="bold")
        say(on, rest)
    if shows_diagnosis(check):
        heading, _, rest = describe_diagnosis(check.diagnosis).partition("\n")
        say(on, f"\n{heading}", style="bold")
        if rest:
            say(on, rest)
    say(on, f"\n{conclusion(check, rows)}", style="bold")


def indented(output: str) -> str:
    """A text with two spaces before each line, its control characters made visible; repeated lines stand once."""
    lines = []
    for line, repeated in groupby(output.rstrip("\n").split("\n")):
        times = len(list(repeated))
        lines.append(f"  {printable(line, limit=len(line))}" + (f"  ({times} times)" if times > 1 else ""))
    return "\n".join(lines)


def _table(check: Check, rows: Sequence[Mapping[str, object]]) -> Table:
    table = plain_table()
    certified = all(comparison.bits is not None for comparison in check.comparisons)
    for heading in ("quantity", "verdict", "error (ulp)" if certified else "distance (ulp)", "worst block", "wrong in"):
        table.add_column(heading, no_wrap=True, justify="right" if "ulp" in heading else "left")
    for row in rows:
        ulp = float(str(row["ulp"])) if row["ulp"] is not None else None
        shown = "" if ulp is None else f"{ulp:.1f}" if ulp < 1000 else f"{ulp:.1e}"
        verdict = Text(str(row["verdict"]), style=QUANTITY_STYLES[str(row["verdict"])])
        table.add_row(str(row["quantity"]), verdict, shown, str(row["worst"]), str(row["wrong_in"]))
    for name in check.missing:
        table.add_row(shown_gradient(name), Text("missing", style=QUANTITY_STYLES["missing"]), "", "", "")
    return table
