"""The exact loss and gradients of a problem, each rounded once: to the nearest number of the dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...backends import Evaluation, Problem
from ..definitions import differentiate
from .enclosure import certify

MAX_BITS = 1 << 11  # a number that no such ball decides lies, for all that is known, on the border of two


def correctly_rounded(problem: Problem) -> Evaluation:
    """Encloses the exact answer ever more narrowly, until every ball rounds to one number.

    Args:
        problem: the model with its numbers.

    Returns:
        The loss and the gradients, correctly rounded. A number that no precision decides, such as a sum that is exactly
        0 in a way that balls do not see, is the nearest to the middle of its ball, and 0 if the ball holds it.

    Raises:
        MissingFrameworkError: python-flint is not installed.
        UncertifiableError: it would take too long, or the exact program takes another branch.

    Example:
        >>> from gradparity.compare import SYSTEMS
        >>> answer = correctly_rounded(SYSTEMS["logistic-regression"].problem(seed=0))
        >>> answer.gradients["W1"].dtype
        dtype('float64')
    """
    from flint import ctx

    from ..definitions.balls import Balls

    bits = certify(problem).bits
    while True:
        with ctx.workprec(bits):
            exact = differentiate(problem, Balls())
            loss, is_decided = _rounded(np.array([exact.loss], dtype=object), np.dtype("float64"))
            gradients = {}
            for name, balls in exact.gradients.items():
                gradients[name], of_one = _rounded(balls, problem.differentiable[name].dtype)
                is_decided = is_decided and of_one
        if is_decided or bits >= MAX_BITS:
            return Evaluation(float(loss[0]), gradients, None)
        bits *= 2


def _rounded(balls: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, bool]:
    """The balls' numbers in a dtype, and whether each ball has one only."""
    numbers = np.empty(balls.shape, dtype)
    is_decided = True
    for place, ball in np.ndenumerate(balls):
        numbers[place], decided = _nearest(ball, dtype)
        is_decided = is_decided and decided
    return numbers, is_decided


def _nearest(ball: Any, dtype: np.dtype) -> tuple[Any, bool]:
    with np.errstate(over="ignore"):
        low, high = (dtype.type(float(end)) for end in (ball.lower(), ball.upper()))
        middle = dtype.type(float(ball.mid()))
    if low == high:
        return low, True
    return (dtype.type(0) if ball.contains(0) else middle), False
