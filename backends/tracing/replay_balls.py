"""A recording enclosed rigorously: its numbers as balls, which contain what exact arithmetic gives.

A program's numbers are taken for exactly what they are, and a cast to another dtype changes nothing. Every decision of
the program has to hold for all numbers of the balls: where one does not, the recording is not that of exact arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from flint import arb, arb_mat

from ..models.traced import Decision, Traced
from .decisions import margins
from .replay import Replay

MOST_MATRICES = 64  # that are kept
_AROUND_HALF = arb(0.5, 0.5)  # contains every number from 0 to 1


class UndecidedError(ArithmeticError):
    """Balls are too wide to tell which branch a program takes; smaller ones may tell."""


class OtherBranchError(ArithmeticError):
    """In exact arithmetic the program takes another branch than it took."""


def _of_one(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    ufunc = np.frompyfunc(function, 1, 1)
    return lambda array: np.asarray(ufunc(array), dtype=object)


def _of_two(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    ufunc = np.frompyfunc(function, 2, 1)
    return lambda one, other: np.asarray(ufunc(one, other), dtype=object)


def _ball(number: float) -> Any:
    return arb(number)


def _power(a: Any, b: Any) -> Any:
    if b.is_integer():
        return a ** int(b.unique_fmpz())
    return arb(0) if a.is_zero() and b > 0 else a**b


def _slope_of_power(a: Any, b: Any) -> Any:
    return arb(0) if b.is_zero() else b * _power(a, b - 1)


def _slope_of_exponent(a: Any, y: Any) -> Any:
    return arb(0) if a.is_zero() else y * a.log()


def _share_of_larger(a: Any, b: Any) -> Any:
    if a > b:
        return arb(1)
    if a < b:
        return arb(0)
    return _AROUND_HALF


def _sign(a: Any) -> Any:
    return arb(1) if a > 0 else arb(-1) if a < 0 else arb(0, 1)


def _logaddexp(a: Any, b: Any) -> Any:
    if a.is_finite() and b.is_finite():
        larger, smaller = (a, b) if a.mid() > b.mid() else (b, a)
        return larger + (1 + (smaller - larger).exp()).log()
    return b if b.is_finite() else a


class Balls:
    """Balls of the precision that is set in flint's context, and their functions."""

    leading: tuple[int, ...] = ()

    def __init__(self) -> None:
        self._matrices: dict[Any, tuple[Any, Any]] = {}  # by the place in memory, an array, which stays, and its matrix

    leaf = staticmethod(_of_one(lambda number: arb(float(number))))
    constants = leaf

    def row(self, size: int, dtype: np.dtype) -> Any:
        row = np.empty(size, dtype=object)
        row[...] = arb(0)
        return row

    negative = staticmethod(_of_one(lambda x: -x))
    absolute = staticmethod(_of_one(abs))
    sign = staticmethod(_of_one(_sign))
    square = staticmethod(_of_one(lambda x: x * x))
    reciprocal = staticmethod(_of_one(lambda x: 1 / x))
    sqrt = staticmethod(_of_one(lambda x: x.sqrt()))
    cbrt = staticmethod(_of_one(lambda x: x.root(3) if x > 0 else -((-x).root(3))))
    exp = staticmethod(_of_one(lambda x: arb(0) if x == arb("-inf") else x.exp()))
    exp2 = staticmethod(_of_one(lambda x: arb(2) ** x))
    expm1 = staticmethod(_of_one(lambda x: x.expm1()))
    log = staticmethod(_of_one(lambda x: x.log()))
    log2 = staticmethod(_of_one(lambda x: x.log() / arb(2).log()))
    log10 = staticmethod(_of_one(lambda x: x.log() / arb(10).log()))
    log1p = staticmethod(_of_one(lambda x: x.log1p()))
    sin = staticmethod(_of_one(lambda x: x.sin()))
    cos = staticmethod(_of_one(lambda x: x.cos()))
    tan = staticmethod(_of_one(lambda x: x.tan()))
    arcsin = staticmethod(_of_one(lambda x: x.asin()))
    arccos = staticmethod(_of_one(lambda x: x.acos()))
    arctan = staticmethod(_of_one(lambda x: x.atan()))
    sinh = staticmethod(_of_one(lambda x: x.sinh()))
    cosh = staticmethod(_of_one(lambda x: x.cosh()))
    tanh = staticmethod(_of_one(lambda x: x.tanh()))
    arcsinh = staticmethod(_of_one(lambda x: x.asinh()))
    arccosh = staticmethod(_of_one(lambda x: x.acosh()))
    arctanh = staticmethod(_of_one(lambda x: x.atanh()))
    sigmoid = staticmethod(_of_one(lambda x: 1 / (1 + (-x).exp())))
    erf = staticmethod(_of_one(lambda x: x.erf()))
    add = staticmethod(_of_two(lambda a, b: a + b))
    subtract = staticmethod(_of_two(lambda a, b: a - b))
    multiply = staticmethod(_of_two(lambda a, b: a * b))
    divide = staticmethod(_of_two(lambda a, b: a / b))
    power = staticmethod(_of_two(_power))
    slope_of_power = staticmethod(_of_two(_slope_of_power))
    slope_of_exponent = staticmethod(_of_two(_slope_of_exponent))
    maximum = staticmethod(_of_two(lambda a, b: a.max(b)))
    share_of_larger = staticmethod(_of_two(_share_of_larger))
    logaddexp = staticmethod(_of_two(_logaddexp))
    arctan2 = staticmethod(_of_two(lambda a, b: arb.atan2(a, b)))
    hypot = staticmethod(_of_two(lambda a, b: (a * a + b * b).sqrt()))

    def log_of(self, number: int) -> Any:
        return arb(number).log()

    def cast(self, x: Any, dtype: Any) -> Any:
        return x

    def sum(self, x: Any, axes: tuple[int, ...]) -> Any:
        return np.asarray(np.sum(x, axis=axes), dtype=object)

    def cumsum(self, x: Any, axis: int) -> Any:
        return np.cumsum(x, axis=axis, dtype=object)

    def matmul(self, one: Any, other: Any) -> Any:
        if one.ndim == other.ndim == 2:
            return _array(self._matrix(one) * self._matrix(other))
        return _stacked(lambda a, b: _array(_matrix(a) * _matrix(b)), one, other)

    def _matrix(self, array: Any) -> Any:
        """The matrix of an array, which is made once of one that is taken again and again, such as a weight."""
        key = array.__array_interface__["data"][0], array.strides, array.shape
        if key not in self._matrices:
            if len(self._matrices) >= MOST_MATRICES:
                self._matrices.clear()
            self._matrices[key] = array, _matrix(array)
        return self._matrices[key][1]

    def inverse(self, a: Any) -> Any:
        return _stacked(lambda one: _array(_matrix(one).inv()), a)

    def logdet(self, a: Any) -> Any:
        return _stacked(lambda one: np.array(abs(_matrix(one).det()).log(), dtype=object), a)

    def cholesky(self, a: Any) -> Any:
        return _stacked(_cholesky, a)


def _matrix(array: Any) -> Any:
    rows, columns = array.shape
    return arb_mat(rows, columns, array.ravel().tolist())


def _array(matrix: Any) -> Any:
    array = np.empty(matrix.nrows() * matrix.ncols(), dtype=object)
    array[:] = matrix.entries()
    return array.reshape(matrix.nrows(), matrix.ncols())


def _stacked(function: Callable[..., Any], *stacks: Any) -> Any:
    """A function of matrices, of stacks of them."""
    leading = np.broadcast_shapes(*(stack.shape[:-2] for stack in stacks))
    wide = [np.broadcast_to(stack, (*leading, *stack.shape[-2:])) for stack in stacks]
    if not leading:
        return function(*wide)
    results = [function(*(stack[index] for stack in wide)) for index in np.ndindex(*leading)]
    return np.stack(results).reshape(*leading, *results[0].shape)


def _cholesky(a: Any) -> Any:
    n = len(a)
    L = np.empty_like(a)
    L[...] = arb(0)
    for i in range(n):
        for j in range(i + 1):
            rest = a[i, j] - sum((L[i, k] * L[j, k] for k in range(j)), arb(0))
            L[i, j] = rest.sqrt() if i == j else rest / L[j, j]
    return L


def enclosed(model: Traced, rows: Any) -> Replay:
    """Carries out a recording in balls, and makes sure of its decisions.

    Args:
        model: what is carried out.
        rows: by the dtype, the values of the arguments' entries.

    Returns:
        The replay, whose rows hold balls.

    Raises:
        UndecidedError: a decision cannot be told at this precision.
        OtherBranchError: a decision is another one in exact arithmetic.
    """
    replay = Replay(model, Balls())
    replay.forward(rows)
    for decision in model.decisions:
        _make_sure(decision, [replay.take(operand) for operand in decision.operands])
    return replay


def _make_sure(decision: Decision, balls: list[Any]) -> None:
    """Checks one decision, with what is certain of its balls."""
    known, place = margins(decision, balls), decision.place or "outside of the author's own code"
    if known is None:
        name = getattr(decision.function, "__name__", decision.function)
        raise OtherBranchError(f"{place}: a decision by {name} cannot be enclosed")
    signs = [_certain_sign(ball) for ball in np.ravel(known.values)]
    of_arguments = [sign for sign, matters in zip(signs, np.ravel(known.matters), strict=True) if matters]
    if decision.is_fragile and 0 in of_arguments:
        raise OtherBranchError(f"{place}: this lies exactly between two branches")
    if None in signs:
        raise UndecidedError(f"{place}: which branch the program takes cannot be told")
    if not known.agree(np.array(signs, dtype=int).reshape(np.shape(known.values))):
        raise OtherBranchError(f"{place}: in exact arithmetic the program takes another branch here")


def _certain_sign(ball: Any) -> int | None:
    if ball > 0:
        return 1
    if ball < 0:
        return -1
    return 0 if ball.is_zero() else None
