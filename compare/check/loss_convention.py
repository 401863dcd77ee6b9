"""By which convention a loss is another one than the system's: a sum for a mean, other units, a penalty on weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import log, prod
from typing import NamedTuple

import numpy as np

from ...backends import Evaluation, Problem
from ..answers.digits import written_factor
from ..referee import Comparison

FEWEST = 3  # problems: a rule that holds on fewer may be a coincidence
CLEARLY = 1e3  # times what is uncertain: what is added is no rounding
UNITS = 8  # in the last place of a loss, for what is computed here
NUMBERS = {"": 1.0, "2": 2.0, "1/2": 0.5, "ln 2": log(2), "1/ln 2": 1 / log(2)}


class _Losses(NamedTuple):
    """Of one problem.

    Attributes:
        problem: it.
        given: the function's loss.
        right: the system's.
        allowed: how far two right ones may differ.
    """

    problem: Problem
    given: float
    right: float
    allowed: float


def loss_convention(comparisons: Sequence[Comparison], name: str) -> str:
    """How a function's loss follows from the system's, by one rule on all problems.

    Args:
        comparisons: of the function with the hand derivation.
        name: of the function.

    Returns:
        Such as "divided by T B"; empty if no rule gives its loss on every problem, or nothing has to.
    """
    losses = [one for comparison in comparisons if (one := _losses(comparison, name))]
    if len(losses) < min(FEWEST, len(comparisons)) or len(losses) < 2 or all(_fits(one, one.right) for one in losses):
        return ""
    factors = [("", [1.0] * len(losses)), *_named(losses), *_measured(losses)]
    for words, values in factors:
        if all(_fits(one, factor * one.right) for one, factor in zip(losses, values, strict=True)):
            return words
    for (words, values), is_of_all in product(factors, (False, True)):
        if penalty := _penalty(losses, values, is_of_all):
            return f"{words}, with {penalty}" if words else f"with {penalty}"
    return ""


def _losses(comparison: Comparison, name: str) -> _Losses | None:
    answer = comparison.answers.get(name)
    right = next((other for backend, other in comparison.answers.items() if backend != name), None)
    allowed = [block.allowed for block in comparison.blocks if block.name == "loss"]
    if not (isinstance(answer, Evaluation) and isinstance(right, Evaluation) and allowed and right.loss):
        return None
    if not np.isfinite(answer.loss):  # it overflows there
        return None
    return _Losses(comparison.problem, float(answer.loss), float(right.loss), allowed[0])


def _fits(one: _Losses, expected: float) -> bool:
    scale = max(1.0, abs(expected / one.right))
    return bool(abs(one.given - expected) <= scale * _uncertainty(one))


def _uncertainty(one: _Losses) -> float:
    """How far a loss may be from another way to compute it."""
    largest = np.array([one.given, one.right], one.problem.dtype)
    return one.allowed + UNITS * float(np.spacing(np.abs(largest).max()))


def _named(losses: Sequence[_Losses]) -> Iterator[tuple[str, list[float]]]:
    """Factors that are made of the sizes, the simple ones first."""
    of_sizes = [_sizes(one.problem) for one in losses]
    names = [name for name in of_sizes[0] if all(name in sizes for sizes in of_sizes)]
    products = [(), *((name,) for name in names), *([tuple(names)] if len(names) > 1 else [])]
    products += [tuple(names[:2])] if len(names) > 2 else []
    for number, of in product(NUMBERS, products):
        values = [NUMBERS[number] * prod(sizes[name] for name in of) for sizes in of_sizes]
        words = " ".join(filter(None, [number, *of]))
        if words:
            yield f"times {words}", values
        if of:
            inverse = [NUMBERS[number] ** 2 / value for value in values]
            yield f"{f'times {number}, ' if number else ''}divided by {' '.join(of)}", inverse


def _sizes(problem: Problem) -> dict[str, int]:
    sizes = {"T": problem.seq_len, "B": problem.batch_size}
    targets = problem.targets
    if targets is not None and targets.dtype.kind == "f":
        sizes["K"] = targets.shape[-1]
    return {name: size for name, size in sizes.items() if size}


def _measured(losses: Sequence[_Losses]) -> Iterator[tuple[str, list[float]]]:
    """The factor of the problem on which the loss is largest, if there are problems of several sizes to try it on."""
    largest = max(losses, key=lambda one: abs(one.right))
    factor = largest.given / largest.right
    if np.isfinite(factor) and len({tuple(_sizes(one.problem).values()) for one in losses}) > 1:
        yield f"times {written_factor(factor)}", [factor] * len(losses)


def _penalty(losses: Sequence[_Losses], factors: Sequence[float], is_of_all: bool) -> str:
    """What is added: one number times the squares of the parameters, or of the matrices among them."""
    added = [one.given - factor * one.right for one, factor in zip(losses, factors, strict=True)]
    squares = [
        sum(
            float((array.astype("f8") ** 2).sum())
            for array in one.problem.params.values()
            if is_of_all or array.ndim > 1
        )
        for one in losses
    ]
    if not all(squares):
        return ""
    best = max(range(len(losses)), key=lambda number: abs(added[number]) / _uncertainty(losses[number]))
    strength = added[best] / squares[best]
    if not np.isfinite(strength) or abs(added[best]) <= CLEARLY * _uncertainty(losses[best]):
        return ""
    fits = all(
        _fits(one, factor * one.right + strength * square)
        for one, factor, square in zip(losses, factors, squares, strict=True)
    )
    of = "all parameters" if is_of_all else "the weights"
    return f"{written_factor(strength)} times the squares of {of} added" if fits and strength > 0 else ""
