"""On which problems a function's loss is wrong, and what gives the right one on all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...backends import Evaluation, Problem
from ..localization import LossRepairs
from ..referee import Comparison

MOST_TRIED = 3  # problems


class WrongLoss(NamedTuple):
    """A loss that is wrong.

    Attributes:
        problem: on which.
        at: the number of the problem among those that were asked.
        right: the right one.
        allowed: how far two right ones may differ.
    """

    problem: Problem
    at: int
    right: float
    allowed: float


def wrong_losses(comparisons: Sequence[Comparison], name: str) -> list[WrongLoss]:
    """The first problems on which the loss is wrong.

    Args:
        comparisons: of the function with others.
        name: of the function.
    """
    found = []
    for number, comparison in enumerate(comparisons):
        blocks = [block for block in comparison.blocks if block.name == "loss" and block.is_wrong(name)]
        right = next((answer for backend, answer in comparison.answers.items() if backend != name), None)
        if blocks and isinstance(right, Evaluation):
            found.append(WrongLoss(comparison.problem, number, float(right.loss), blocks[0].allowed))
    return found[:MOST_TRIED]


def common_repairs(found: Iterable[LossRepairs]) -> LossRepairs:
    """What gives the right loss everywhere; nothing is asked any more as soon as there is nothing."""
    common: LossRepairs | None = None
    for here in found:
        common = here if common is None else common & here
        if not common:
            break
    return common or LossRepairs()
