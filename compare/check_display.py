"""What a person sees of a checked derivation: a line for each gradient, the story, the smallest failing problem."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .check import Check, wrong_quantities
from .explanation import explain
from .results import Comparison

STYLES = {"right": "green", "wrong": "bold red", "undecided": "yellow", "missing": "dim"}
MOST_ENTRIES = 60


def show_check(check: Check, case: Path | None, on: Console) -> None:
    """The table, the story of the first problem that is no agreement, the smallest failure, and the conclusion."""

    def say(text: str, style: str | None = None) -> None:
        on.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    if check.rows():
        on.print(_table(check))
    if check.first_wrong:
        say(f"\n{explain(check.first_wrong, case)}")
    if check.smallest:
        say("\nThe smallest problem on which it is still wrong:", style="bold")
        say(numbers(check.smallest, check.name))
    say(f"\n{conclusion(check)}", style="bold")


def conclusion(check: Check) -> str:
    """The verdict in a sentence."""
    problems = len(check.comparisons)
    asked = f"{check.system}, {problems} problem{'s' if problems > 1 else ''}"
    verb = {"agree": "is right", "disagree": "is wrong", "undecidable": "cannot be decided"}[check.verdict]
    certified = all(comparison.bits is not None for comparison in check.comparisons)
    failed = any(comparison.failures for comparison in check.comparisons)
    how = " (certified)" if certified and not failed and check.verdict != "undecidable" else ""
    missing = f"; not given, and so not checked: {', '.join(check.missing)}" if check.missing else ""
    return f"{check.name} {verb} on {asked}{how}{missing}."


def numbers(comparison: Comparison, name: str) -> str:
    """A small problem with all its numbers, and what was answered beside what is right."""
    problem = comparison.problem
    lines = [problem.summary]
    lines += [f"  {label} = {_written(array)}" for label, array in problem.arrays().items()]
    if name not in comparison.answers:
        return "\n".join(lines)
    for quantity, (given, right) in wrong_quantities(comparison, name).items():
        lines.append(f"  {quantity}: given {_written(given.values)}, right is {_written(right.values)}")
    return "\n".join(lines)


def _written(array: np.ndarray) -> str:
    """An array on one line, if it is small enough to be looked at."""
    if array.size > MOST_ENTRIES:
        return f"an array of shape {array.shape}"
    return np.array2string(array, precision=6, separator=", ", max_line_width=10_000).replace("\n", "")


def _table(check: Check) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    certified = all(comparison.bits is not None for comparison in check.comparisons)
    for heading in ("quantity", "verdict", "error (ulp)" if certified else "distance (ulp)", "worst block"):
        table.add_column(heading, no_wrap=True, justify="right" if "ulp" in heading else "left")
    for row in check.rows():
        ulp = float(str(row["ulp"]))
        shown = f"{ulp:.1f}" if ulp < 1000 else f"{ulp:.1e}"
        verdict = Text(str(row["verdict"]), style=STYLES[str(row["verdict"])])
        table.add_row(str(row["quantity"]), verdict, shown, str(row["worst"]))
    for name in check.missing:
        table.add_row("dx" if name == "inputs" else f"d{name}", Text("missing", style=STYLES["missing"]), "", "")
    return table
