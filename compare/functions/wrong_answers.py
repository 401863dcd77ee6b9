"""On which problems a function is wrong, and what gives the right loss on all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...backends import Evaluation, Problem
from ..localization import LossRepairs, RightAnswer
from ..referee import Comparison
from .recorded_function import Recorded

MOST_TRIED = 3  # problems


class WrongAnswer(NamedTuple):
    """A problem on which a function is wrong.

    Attributes:
        problem: it.
        at: its number among those that were asked.
        right: the right answer, by `dW` and so on.
    """

    problem: Problem
    at: int
    right: RightAnswer


def wrong_answers(comparisons: Sequence[Comparison], name: str) -> list[WrongAnswer]:
    """The first problems on which a function's numbers are wrong.

    Args:
        comparisons: of the function with others.
        name: of the function.
    """
    found = []
    for number, comparison in enumerate(comparisons):
        answer = next((answer for backend, answer in comparison.answers.items() if backend != name), None)
        if comparison.has_wrong_numbers(name) and isinstance(answer, Evaluation):
            allowed: dict[str, float] = {}
            for block in comparison.blocks:
                allowed[block.name] = max(block.allowed, allowed.get(block.name, 0.0))
            gradients = {f"d{key}": array for key, array in answer.gradients.items() if f"d{key}" in allowed}
            right = RightAnswer(float(answer.loss), gradients, allowed)
            found.append(WrongAnswer(comparison.problem, number, right))
    return found[:MOST_TRIED]


def is_loss_wrong(comparison: Comparison, name: str) -> bool:
    """Whether a function's loss is wrong."""
    return any(block.name == "loss" and block.is_wrong(name) for block in comparison.blocks)


def by_recorded_names(right: RightAnswer, recorded: Recorded) -> RightAnswer:
    """A network's answer by the names that its arrays have in a recording."""
    names = {f"d{one}": f"d{name}" for name, one in recorded.returned_as.items()}
    gradients = {names[name]: array for name, array in right.gradients.items() if name in names}
    allowed = {names.get(name, name): limit for name, limit in right.allowed.items() if name in (*names, "loss")}
    return RightAnswer(right.loss, gradients, allowed)


def common_repairs(found: Iterable[LossRepairs]) -> LossRepairs:
    """What gives the right loss everywhere; nothing is asked any more as soon as there is nothing."""
    common: LossRepairs | None = None
    for here in found:
        common = here if common is None else common & here
        if not common:
            break
    return common or LossRepairs()
