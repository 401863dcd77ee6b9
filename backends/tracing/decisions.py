"""How close a program came to another decision, and whether a decision is certain.

A decision is a comparison of numbers, or an order of them: it depends on the signs of some differences, its margins.
Where a margin is 0 up to rounding, correct programs may decide either way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..models.traced import CONSTANT, Decision

Signs = np.ndarray  # −1, 0 and 1


class Margins(NamedTuple):
    """What a decision depends on.

    Attributes:
        values: the differences, of whatever numbers.
        agree: whether signs of theirs lead to the decision that was made.
        matters: which of them depend on an argument.
    """

    values: Any
    agree: Callable[[Signs], bool]
    matters: np.ndarray


def margins(decision: Decision, operands: list[Any]) -> Margins | None:
    """The margins of a decision.

    Args:
        decision: what was decided.
        operands: the numbers of its operands: as in the run, or others, or balls.

    Returns:
        The margins; None if it is not known what the decision depends on.

    Example:
        >>> from gradparity.backends.models.traced import Operand
        >>> one, other = (Operand(np.dtype("float64"), np.array([start, start + 1]), None, 0) for start in (1, 3))
        >>> decision = Decision(np.less, (one, other), {}, np.array([True, False]))
        >>> found = margins(decision, [np.array([1.0, 2.0]), np.array([3.0, 2.0])])
        >>> found.values.tolist(), found.agree(np.array([-1, 0])), found.agree(np.array([-1, -1]))
        ([-2.0, 0.0], True, False)
    """
    result = np.asarray(decision.result)
    comparison = COMPARISONS.get(decision.function)
    if comparison is not None:
        one, other = (operand.origin != CONSTANT for operand in decision.operands)
        return Margins(operands[0] - operands[1], lambda signs: bool(np.all(comparison(signs) == result)), one | other)
    if decision.function in OF_SIGNS:
        of_sign = OF_SIGNS[decision.function]
        matters = decision.operands[0].origin != CONSTANT
        return Margins(operands[0], lambda signs: bool(np.all(of_sign(signs) == result)), matters)
    if decision.function in ORDERS:
        axis = decision.arguments.get("axis", -1 if decision.function is np.argsort else None)
        values = ORDERS[decision.function](operands[0], result, axis)
        return Margins(values, _none_negative, np.ones(np.shape(values), bool))
    if decision.function in STEPS:
        low, high = STEPS[decision.function](result)
        values = np.stack([operands[0] - low, high - operands[0]])
        return Margins(values, _none_negative, np.broadcast_to(decision.operands[0].origin != CONSTANT, values.shape))
    if decision.function in OF_ZEROS:
        return Margins(operands[0], lambda signs: True, decision.operands[0].origin != CONSTANT)
    return None


def _none_negative(signs: Signs) -> bool:
    return not (signs < 0).any()


def _others(x: Any, chosen: np.ndarray, axis: Any, sign: int) -> Any:
    """By how much the chosen entry exceeds each other one, or is exceeded."""
    if axis is None:
        x, chosen, axis = x.reshape(-1), np.reshape(chosen, ()), 0
    rows = np.moveaxis(x, axis, 0)
    chosen = np.reshape(chosen, rows.shape[1:])
    best = np.take_along_axis(rows, chosen[None], 0)
    is_other = np.arange(len(rows)).reshape(-1, *[1] * chosen.ndim) != chosen[None]
    return (sign * (np.broadcast_to(best, rows.shape) - rows))[is_other]


def _successive(x: Any, order: np.ndarray, axis: Any) -> Any:
    """By how much each entry exceeds the one before, in the order that was found."""
    if axis is None:
        x, axis = x.reshape(-1), -1
    rows = np.moveaxis(np.take_along_axis(x, order, axis), axis, 0)
    return rows[1:] - rows[:-1]


COMPARISONS: dict[Any, Callable[[Signs], Any]] = {
    np.less: lambda signs: signs < 0,
    np.less_equal: lambda signs: signs <= 0,
    np.greater: lambda signs: signs > 0,
    np.greater_equal: lambda signs: signs >= 0,
    np.equal: lambda signs: signs == 0,
    np.not_equal: lambda signs: signs != 0,
}
OF_SIGNS: dict[Any, Callable[[Signs], Any]] = {
    np.sign: lambda signs: signs,
    np.signbit: lambda signs: signs < 0,
    np.logical_not: lambda signs: signs == 0,
}
ORDERS: dict[Any, Callable[[Any, np.ndarray, Any], Any]] = {
    np.argmax: lambda x, chosen, axis: _others(x, chosen, axis, 1),
    np.argmin: lambda x, chosen, axis: _others(x, chosen, axis, -1),
    np.argsort: lambda x, order, axis: _successive(x, order, axis),
}
STEPS: dict[Any, Callable[[np.ndarray], tuple[Any, Any]]] = {  # between what an argument of this result lies
    np.floor: lambda result: (result, result + 1),
    np.ceil: lambda result: (result - 1, result),
    np.rint: lambda result: (result - 0.5, result + 0.5),
    np.trunc: lambda result: (result - (result <= 0), result + (result >= 0)),
}
OF_ZEROS = (np.nonzero, np.flatnonzero, np.count_nonzero, np.argwhere, np.any, np.all)
