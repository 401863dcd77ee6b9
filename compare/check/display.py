"""A check on the console: a line for each gradient, the report, the smallest problem that fails, the conclusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...backends.errors import printable
from ..answers.digits import digits_apart, written
from ..diagnosis import describe_diagnosis, shown_gradient
from ..output import plain_table, say
from ..referee import Comparison
from .results import Check, wrong_quantities
from .shrinking import Sizes, SmallProblems
from .wording import asked_text, conclusion, notes_text, report

QUANTITY_STYLES = {
    "right": "green",
    "wrong": "bold red",
    "undecided": "yellow",
    "refused": "bold red",
    "missing": "dim",
}
MOST_ENTRIES = 60
SIZE_IN_WORDS = {"T = 1": "one step", "one sample": "one sample", "one unit": "one hidden unit"}
LOOK_AT = {
    "T = 1": "look at what the steps have to do with each other, from step to step or in a sum or a mean over them",
    "one sample": "look at what the samples have to do with each other, such as a sum, a mean or an axis of the batch",
    "one unit": "look at what mixes the units, such as a transposed matrix or an order of rows",
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
    is_silent = check.is_explained and not check.diagnosis.suspects  # parts of it would be another explanation
    if check.small.tried and check.is_catalogued and check.is_diagnosed and not is_silent:
        heading, _, rest = describe_diagnosis(check.diagnosis).partition("\n")
        say(on, f"\n{heading}", style="bold")
        if rest:
            say(on, rest)
    say(on, f"\n{conclusion(check, rows)}", style="bold")


def sizes_text(cut: Sizes) -> str:
    """The verdict on the system with one size cut down, and what to look at."""
    words = {
        "agree": "right",
        "disagree": "wrong",
        "undecidable": "undecided",
        "failed": "it failed",
        "refused": "a part of its answer was refused",
    }
    shown = "; ".join(f"{size}: {words[verdict]}" for size, verdict in cut.verdicts.items())
    lines = [f"With one size cut down: {shown}."]
    lines += [
        f"With {SIZE_IN_WORDS[size]} it was right on all {tried} problems that were tried: {LOOK_AT[size]}."
        for size, tried in cut.hidden_by.items()
        if size in LOOK_AT
    ]
    return "\n".join(lines)


def smallest_heading(small: SmallProblems) -> str:
    """What the small problem is that is shown: it may be wrong on smaller ones, by a part of what was named."""
    shows = "on which it is still wrong" if small.wrong == 1 else "that shows all of the mistake that is named below"
    return f"The smallest problem {shows}:"


def none_of_the_small_text(small: SmallProblems) -> str:
    """That no small problem is shown, and why."""
    if small.failed == small.tried:
        return f"It failed on all of the {small.tried} small problems that were tried: {small.error}"
    if small.wrong:
        text = (
            f"It is wrong on {small.wrong} of the {small.tried} small problems that were tried, "
            "but the mistake that is named below is seen on none of them."
        )
    else:
        text = "On none of the small problems that were tried is it wrong."
    if small.refused:
        text += f" On {small.refused} of {small.tried} a part of its answer was refused."
    if small.failed:
        text += f" It failed on {small.failed} of {small.tried}: {small.error}"
    return text


def small_problem_text(comparison: Comparison, name: str) -> str:
    """A small problem with all its numbers, and what the function returned beside what is right."""
    problem = comparison.problem
    lines = [problem.summary]
    lines += [f"  {label} = {_written(array)}" for label, array in problem.arrays().items()]
    allowed: dict[str, float] = {}
    for block in comparison.blocks:
        if block.is_wrong(name):
            allowed[block.name] = min(block.allowed, allowed.get(block.name, block.allowed))
    for quantity, (returned, right) in wrong_quantities(comparison, name).items():
        lines.append(f"  {quantity}: {_pair(returned.values, right.values, allowed[quantity])}")
    return "\n".join(lines)


def indented(output: str) -> str:
    """A text with two spaces before each line, its control characters made visible; repeated lines stand once."""
    lines = []
    for line, repeated in groupby(output.rstrip("\n").split("\n")):
        times = len(list(repeated))
        lines.append(f"  {printable(line, limit=len(line))}" + (f"  ({times} times)" if times > 1 else ""))
    return "\n".join(lines)


def _written(array: np.ndarray) -> str:
    """An array on one line, if it is small enough to be looked at."""
    return f"an array of shape {array.shape}" if array.size > MOST_ENTRIES else written(array)


def _pair(returned: np.ndarray, right: np.ndarray, allowed: float) -> str:
    """What was returned and what is right, with as many digits as tell them apart; of large arrays the worst entry."""
    at = ""
    if returned.size > MOST_ENTRIES:
        index = np.unravel_index(np.argmax(np.abs(returned - right)), right.shape)
        returned, right = returned[index], right[index]
        at = f" at {[int(i) for i in index]}"
    digits = digits_apart(returned, right, allowed)
    return f"given{at} {written(returned, digits)}, right is {written(right, digits)}"


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
