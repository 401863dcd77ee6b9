"""A reverse-mode tape over balls: interval arithmetic at any precision, by Arb (python-flint).

A ball is a midpoint with a radius, and contains the exact value of what was computed (F. Johansson, Arb: efficient
arbitrary-precision midpoint-radius interval arithmetic, 2017). Arrays of balls are NumPy arrays of objects. Every
operation records its own gradient rule, one a line; `g` is the derivative with respect to its result. Nothing of this
is shared with `gradparity.manual` or any framework.

Example:
    >>> x = Variable(balls([0.0, 2.0]))
    >>> backward(total(x * x))
    >>> [float(ball) for ball in x.gradient]
    [0.0, 4.0]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
from flint import arb

Balls = np.ndarray  # of arb
Pullback = Callable[[Balls], Balls]

_HALF_AROUND_HALF = arb(0.5, 0.5)  # contains every number from 0 to 1


class Variable:
    """An array of balls on the tape.

    Attributes:
        value: the balls.
        sources: the variables that it was computed from, each with the rule for its derivative.
        gradient: after `backward`, the balls of the derivative of the result; zeros where that does not depend on it.
    """

    def __init__(self, value: Any, sources: Sequence[tuple[Variable, Pullback]] = ()) -> None:
        self.value: Balls = np.asarray(value, dtype=object)
        self.sources = sources
        self._gradient: Balls | None = None

    @property
    def gradient(self) -> Balls:
        """The balls of the derivative of the result, in the shape of `value`."""
        return balls(np.zeros(self.value.shape)) if self._gradient is None else self._gradient

    @property
    def T(self) -> Variable:  # noqa: N802 # as in NumPy
        """The transpose."""
        return Variable(self.value.T, [(self, lambda g: g.T)])

    def __add__(self, other: Variable | Balls | int) -> Variable:
        one, two = self, _variable(other)
        return Variable(one.value + two.value, [(one, _like(one)), (two, _like(two))])

    def __sub__(self, other: Variable | Balls | int) -> Variable:
        one, two = self, _variable(other)
        to_two = _like(two)
        return Variable(one.value - two.value, [(one, _like(one)), (two, lambda g: -to_two(g))])

    def __mul__(self, other: Variable | Balls | int) -> Variable:
        one, two = self, _variable(other)
        to_one, to_two = _like(one), _like(two)
        sources = [(one, lambda g: to_one(g * two.value)), (two, lambda g: to_two(g * one.value))]
        return Variable(one.value * two.value, sources)

    def __matmul__(self, other: Variable) -> Variable:
        one, two = self, other
        sources = [(one, lambda g: g @ two.value.T), (two, lambda g: one.value.T @ g)]
        return Variable(one.value @ two.value, sources)

    def __getitem__(self, index: Any) -> Variable:
        def pullback(g: Balls) -> Balls:
            whole = balls(np.zeros(self.value.shape))
            whole[index] = g[()]  # of an array of shape () its one ball
            return whole

        return Variable(self.value[index], [(self, pullback)])


def balls(numbers: Any) -> Balls:
    """Numbers as balls of radius zero: floating-point numbers are taken for exactly what they are."""
    array = np.asarray(numbers)
    return np.array([arb(number) for number in array.ravel().tolist()], dtype=object).reshape(array.shape)


def tanh(a: Variable) -> Variable:
    """The hyperbolic tangent y, with y′ = 1 − y²."""
    y = _entrywise(lambda x: x.tanh())(a.value)
    return Variable(y, [(a, lambda g: g * (1 - y * y))])


def sigmoid(a: Variable) -> Variable:
    """The logistic function: y = σ(a), y′ = y (1 − y)."""
    y = _entrywise(lambda x: 1 / (1 + (-x).exp()))(a.value)
    return Variable(y, [(a, lambda g: g * y * (1 - y))])


def relu(a: Variable) -> Variable:
    """max(a, 0), with the derivative 0 at exactly 0, and any between 0 and 1 where the sign is not known."""
    y = _entrywise(lambda x: x.nonnegative_part())(a.value)
    slope = _entrywise(lambda x: arb(1) if x > 0 else arb(0) if x <= 0 else _HALF_AROUND_HALF)(a.value)
    return Variable(y, [(a, lambda g: g * slope)])


def exp(a: Variable) -> Variable:
    """The exponential: y = eᵃ, y′ = y."""
    y = _entrywise(lambda x: x.exp())(a.value)
    return Variable(y, [(a, lambda g: g * y)])


def log(a: Variable) -> Variable:
    """The logarithm: y = log a, y′ = 1 / a."""
    return Variable(_entrywise(lambda x: x.log())(a.value), [(a, lambda g: g / a.value)])


def total(a: Variable, axis: int | None = None) -> Variable:
    """The sum over one axis, or over all."""
    shape = a.value.shape
    value = a.value.sum(axis=axis)

    def pullback(g: Balls) -> Balls:
        return np.broadcast_to(g if axis is None else np.expand_dims(g, axis), shape).copy()

    return Variable(value, [(a, pullback)])


def concatenated(parts: Sequence[Variable]) -> Variable:
    """Side by side, along the last axis."""
    sources: list[tuple[Variable, Pullback]] = []
    start = 0
    for part in parts:
        columns = slice(start, start + part.value.shape[-1])
        sources.append((part, itemgetter((..., columns))))
        start = columns.stop
    return Variable(np.concatenate([part.value for part in parts], axis=-1), sources)


def where(condition: np.ndarray, yes: Variable, no: Variable) -> Variable:
    """`yes` where the condition holds, and `no` elsewhere."""
    zero = balls(0)
    sources = [(yes, lambda g: np.where(condition, g, zero)), (no, lambda g: np.where(condition, zero, g))]
    return Variable(np.where(condition, yes.value, no.value), sources)


def stopped(a: Variable) -> Variable:
    """The same value, through which no derivative goes back."""
    return Variable(a.value)


def backward(result: Variable, progress: Callable[[float], None] = lambda part: None) -> None:
    """Sets the gradient of every variable that the result, a single number, was computed from.

    Args:
        result: the number.
        progress: is called with the share of the variables that are done.
    """
    result._gradient = balls(np.ones(result.value.shape))
    order = _in_order(result)
    for done, variable in enumerate(reversed(order)):
        progress(done / len(order))
        if variable._gradient is None:
            continue
        for source, pullback in variable.sources:
            contribution = pullback(variable._gradient)
            earlier = source._gradient
            total_so_far = contribution if earlier is None else earlier + contribution
            source._gradient = np.asarray(total_so_far, dtype=object)  # a sum of arrays of shape () is no array


def _in_order(result: Variable) -> list[Variable]:
    """Every variable after all that it was computed from; without recursion, which long sequences would exceed."""
    order: list[Variable] = []
    seen: set[int] = set()
    waiting: list[tuple[Variable, bool]] = [(result, False)]
    while waiting:
        variable, sources_done = waiting.pop()
        if sources_done:
            order.append(variable)
        elif id(variable) not in seen:
            seen.add(id(variable))
            waiting.append((variable, True))
            waiting.extend((source, False) for source, _ in variable.sources)
    return order


def _variable(value: Variable | Balls | int) -> Variable:
    return value if isinstance(value, Variable) else Variable(value)


def _like(source: Variable) -> Pullback:
    """Sums a derivative over the axes along which a source was broadcast."""
    shape = source.value.shape

    def pullback(g: Balls) -> Balls:
        g = np.asarray(g, dtype=object)
        g = g.sum(axis=tuple(range(g.ndim - len(shape)))) if g.ndim > len(shape) else g
        axes = tuple(axis for axis, size in enumerate(shape) if size == 1 and np.shape(g)[axis] != 1)
        return np.asarray(g, dtype=object).sum(axis=axes, keepdims=True) if axes else g

    return pullback


def _entrywise(function: Callable[[Any], Any]) -> Callable[[Balls], Balls]:
    ufunc = np.frompyfunc(function, 1, 1)
    return lambda array: np.asarray(ufunc(array), dtype=object)
