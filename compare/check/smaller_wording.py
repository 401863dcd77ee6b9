"""What came of smaller problems, in words."""

from __future__ import annotations

import numpy as np

from ..answers.digits import digits_apart, written
from ..referee import Comparison
from .results import wrong_quantities
from .shrinking import Sizes, SmallProblems

MOST_ENTRIES = 60
SIZE_IN_WORDS = {"T = 1": "one step", "one sample": "one sample", "one unit": "one hidden unit"}
LOOK_AT = {
    "T = 1": "look at what the steps have to do with each other, from step to step or in a sum or a mean over them",
    "one sample": "look at what the samples have to do with each other, such as a sum, a mean or an axis of the batch",
    "one unit": "look at what mixes the units, such as a transposed matrix or an order of rows",
}


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
