"""A check on the console: a line for each gradient, the report, the smallest problem that fails, the conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..diagnosis import describe_diagnosis, shown_gradient
from ..output import plain_table, say
from ..referee import Comparison
from .results import Check, wrong_quantities
from .wording import asked_text, conclusion, report

QUANTITY_STYLES = {"right": "green", "wrong": "bold red", "undecided": "yellow", "missing": "dim"}
MOST_ENTRIES = 60


def show_check(check: Check, case: Path | None, on: Console) -> None:
    """The table, the report of the first problem that is no agreement, the smallest failure, and the conclusion."""
    rows = check.rows()
    if rows:
        on.print(_table(check, rows))
        on.print()
    say(on, asked_text(check))
    if not_right := report(check, case):
        say(on, f"\n{not_right}")
    if check.output:
        say(on, f"\nOutput of {check.name}, which is no part of this report:\n{indented(check.output)}")
    if check.sizes:
        say(on, f"\n{sizes_text(check.sizes, hints=not check.diagnosis.suspects)}")
    if check.smallest:
        say(on, "\nThe smallest problem on which it is still wrong:", style="bold")
        say(on, small_problem_text(check.smallest, check.name))
    elif check.sizes:
        say(on, "\nOn none of the small problems that were tried is it wrong.")
    if check.sizes or check.smallest:
        heading, _, rest = describe_diagnosis(check.diagnosis).partition("\n")
        say(on, f"\n{heading}", style="bold")
        if rest:
            say(on, rest)
    say(on, f"\n{conclusion(check, rows)}", style="bold")


def sizes_text(verdicts: Mapping[str, str], *, hints: bool) -> str:
    """The verdict on the system with one size cut down, and what to look at."""
    words = {"agree": "right", "disagree": "wrong", "undecidable": "undecided", "failed": "it failed"}
    shown = "; ".join(f"{size}: {words[verdict]}" for size, verdict in verdicts.items())
    lines = [f"With one size cut down: {shown}."]
    if not hints:
        return lines[0]
    if verdicts.get("T = 1") == "agree" and verdicts.get("T = 2") == "disagree":
        lines.append("It takes two steps to show: look at what goes from step to step.")
    if verdicts.get("one sample") == "agree":
        lines.append("It takes several samples to show: look at the sums over the batch, and at what they share.")
    if verdicts.get("one unit") == "agree":
        lines.append("It takes several units to show: look for a transposed matrix, or an order of units or gates.")
    return "\n".join(lines)


def small_problem_text(comparison: Comparison, name: str) -> str:
    """A small problem with all its numbers, and what the function returned beside what is right."""
    problem = comparison.problem
    lines = [problem.summary]
    lines += [f"  {label} = {_written(array)}" for label, array in problem.arrays().items()]
    if name not in comparison.answers:
        return "\n".join(lines)
    for quantity, (returned, right) in wrong_quantities(comparison, name).items():
        lines.append(f"  {quantity}: given {_written(returned.values)}, right is {_written(right.values)}")
    return "\n".join(lines)


def indented(output: str) -> str:
    """A text with two spaces before each line, its control characters made visible."""
    return "\n".join(f"  {_printable(line)}" for line in output.rstrip("\n").split("\n"))


def _printable(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in line)


def _written(array: np.ndarray) -> str:
    """An array on one line, if it is small enough to be looked at."""
    if array.size > MOST_ENTRIES:
        return f"an array of shape {array.shape}"
    return np.array2string(array, precision=6, separator=", ", max_line_width=10_000).replace("\n", "")


def _table(check: Check, rows: Sequence[Mapping[str, object]]) -> Table:
    table = plain_table()
    certified = all(comparison.bits is not None for comparison in check.comparisons)
    for heading in ("quantity", "verdict", "error (ulp)" if certified else "distance (ulp)", "worst block", "wrong in"):
        table.add_column(heading, no_wrap=True, justify="right" if "ulp" in heading else "left")
    for row in rows:
        ulp = float(str(row["ulp"]))
        shown = f"{ulp:.1f}" if ulp < 1000 else f"{ulp:.1e}"
        verdict = Text(str(row["verdict"]), style=QUANTITY_STYLES[str(row["verdict"])])
        table.add_row(str(row["quantity"]), verdict, shown, str(row["worst"]), str(row["wrong_in"]))
    for name in check.missing:
        table.add_row(shown_gradient(name), Text("missing", style=QUANTITY_STYLES["missing"]), "", "", "")
    return table
