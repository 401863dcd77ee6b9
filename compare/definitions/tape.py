"""A reverse-mode tape over any kind of numbers.

Every operation records its own gradient rule, one a line; `g` is the derivative with respect to its result. Nothing of
this is shared with `gradparity.manual` or any framework.

Example:
    >>> from gradparity.compare.definitions.numbers import Floats
    >>> x = Variable(np.array([0.0, 2.0]), numbers=Floats(np.dtype("float64")))
    >>> backward(total(x * x, -1))
    >>> x.gradient
    array([0., 4.])
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from .numbers import Array, Numbers

Pullback = Callable[[Array], Array]


class Source(NamedTuple):
    """What a variable was computed from.

    Attributes:
        variable: the source.
        pullback: from the derivative with respect to the result to that with respect to the source.
        index: the part of the source that was taken; None takes the whole.
    """

    variable: Variable
    pullback: Pullback
    index: Any = None


class Variable:
    """An array of numbers on the tape.

    Attributes:
        value: the numbers.
        sources: the variables that it was computed from, each with the rule for its derivative.
        numbers: of what kind they are; a result's are those of its sources.
        gradient: after `backward`, the derivative of the result; zeros where that does not depend on it.
    """

    def __init__(self, value: Any, sources: Sequence[Source] = (), numbers: Numbers | None = None) -> None:
        self.numbers: Numbers = numbers or sources[0].variable.numbers
        self.value: Array = self.numbers.array(value)
        self.sources = sources
        self._gradient: Array | None = None
        self._owns_gradient = False  # and may write into it: else it may be another variable's too

    @property
    def gradient(self) -> Array:
        """The derivative of the result, in the shape of `value`."""
        return self.numbers.zeros_like(self.value) if self._gradient is None else self._gradient

    @property
    def T(self) -> Variable:  # noqa: N802 # as in NumPy
        """The transpose of the last two axes."""
        return Variable(self.value.swapaxes(-1, -2), [Source(self, lambda g: g.swapaxes(-1, -2))])

    def __add__(self, other: Variable | Array | int) -> Variable:
        return Variable(self.value + _value(other), [Source(one, _like(one)) for one in _variables(self, other)])

    def __sub__(self, other: Variable | Array | int) -> Variable:
        minuend = [Source(self, _like(self))]
        return Variable(
            self.value - _value(other),
            minuend + [Source(two, _like(two, lambda g: -g)) for two in _variables(other)],
        )

    def __mul__(self, other: Variable | Array | int) -> Variable:
        one, two = self.value, _value(other)
        sources = [Source(self, _like(self, lambda g: g * two))]
        sources += [Source(variable, _like(variable, lambda g: g * one)) for variable in _variables(other)]
        return Variable(one * two, sources)

    def __matmul__(self, other: Variable) -> Variable:
        one, two = self.value, other.value
        sources = [
            Source(self, lambda g: g @ two.swapaxes(-1, -2)),
            Source(other, lambda g: one.swapaxes(-1, -2) @ g),
        ]
        return Variable(one @ two, sources)

    def __getitem__(self, index: Any) -> Variable:
        return Variable(self.value[index], [Source(self, lambda g: g, index)])

    def receive(self, contribution: Array, index: Any = None) -> None:
        """Adds a part of the derivative, of the whole or of what is at an index."""
        if index is None:
            total = contribution if self._gradient is None else self._gradient + contribution
            self._gradient = self.numbers.array(total)  # a sum of arrays of shape () is no array
            self._owns_gradient = False
            return
        gradient = self.gradient if self._owns_gradient else self.gradient.copy()
        gradient[index] = gradient[index] + contribution[()]  # of an array of shape () its one number
        self._gradient, self._owns_gradient = gradient, True

    def forget(self) -> None:
        """Lets go of the derivative, which nobody asks for any more."""
        self._gradient = None


def tanh(a: Variable) -> Variable:
    """The hyperbolic tangent y, with y′ = 1 − y² = (1 + y)(1 − y)."""
    y = a.numbers.tanh(a.value)
    if a.numbers.fused:
        return Variable(y, [Source(a, lambda g: (g + g * y) * (1 - y))])
    return Variable(y, [Source(a, lambda g: g * (1 - y * y))])


def sigmoid(a: Variable) -> Variable:
    """The logistic function: y = σ(a), y′ = y (1 − y)."""
    y = a.numbers.sigmoid(a.value)
    if a.numbers.fused:
        return Variable(y, [Source(a, lambda g: g * (1 - y) * y)])
    return Variable(y, [Source(a, lambda g: g * (y * (1 - y)))])


def relu(a: Variable) -> Variable:
    """max(a, 0), with the derivative 0 at exactly 0."""
    y, slope = a.numbers.relu(a.value)
    return Variable(y, [Source(a, lambda g: g * slope)])


def exp(a: Variable) -> Variable:
    """The exponential: y = eᵃ, y′ = y."""
    y = a.numbers.exp(a.value)
    return Variable(y, [Source(a, lambda g: g * y)])


def log(a: Variable) -> Variable:
    """The logarithm: y = log a, y′ = 1 / a."""
    return Variable(a.numbers.log(a.value), [Source(a, lambda g: g / a.value)])


def softplus(a: Variable) -> Variable:
    """y = log(1 + eᵃ), y′ = σ(a)."""
    return Variable(a.numbers.softplus(a.value), [Source(a, lambda g: g * a.numbers.sigmoid(a.value))])


def logistic_loss(o: Variable, y: Array) -> Variable:
    """log(1 + eᵒ) − y o, with the derivative σ(o) − y."""
    value = o.numbers.logistic_loss(o.value, y)
    return Variable(value, [Source(o, lambda g: g * (o.numbers.sigmoid(o.value) - y))])


def total(a: Variable, *axes: int) -> Variable:
    """The sum over axes, which count from the last, −1."""
    shape = a.value.shape

    def pullback(g: Array) -> Array:
        return np.broadcast_to(np.expand_dims(g, axes), shape).copy()

    return Variable(a.value.sum(axis=axes), [Source(a, pullback)])


def reshaped(a: Variable, *shape: int) -> Variable:
    """The same numbers in another shape, after the leading axes."""
    return Variable(a.value.reshape(*a.numbers.leading, *shape), [Source(a, lambda g: g.reshape(a.value.shape))])


def concatenated(parts: Sequence[Variable], axis: int = -1) -> Variable:
    """Side by side along the last axis, or below each other along the last but one, −2."""
    sources: list[Source] = []
    start = 0
    for part in parts:
        columns = slice(start, start + part.value.shape[axis])
        index = (..., columns) if axis == -1 else (..., columns, slice(None))
        sources.append(Source(part, itemgetter(index)))
        start = columns.stop
    return Variable(np.concatenate([part.value for part in parts], axis=axis), sources)


def where(condition: np.ndarray, yes: Variable, no: Variable | None = None) -> Variable:
    """`yes` where the condition holds, and elsewhere `no`, or 0."""
    zero = yes.numbers.constants(0)
    sources = [Source(yes, lambda g: np.where(condition, g, zero))]
    if no is not None:
        sources.append(Source(no, lambda g: np.where(condition, zero, g)))
    return Variable(np.where(condition, yes.value, zero if no is None else no.value), sources)


def stopped(a: Variable) -> Variable:
    """The same value, through which no derivative goes back."""
    return Variable(a.value, numbers=a.numbers)


def passing(a: Variable, pullback: Pullback) -> Variable:
    """The same value, on whose way back a rule of its own is applied."""
    return Variable(a.value, [Source(a, pullback)])


def backward(
    result: Variable,
    progress: Callable[[float], None] = lambda part: None,
    kept: Collection[Variable] | None = None,
) -> None:
    """Sets the gradient of every variable that the result was computed from.

    Args:
        result: a single number, in each of the leading axes' computations.
        progress: is called with the share of the variables that are done.
        kept: the variables whose gradients will be asked for, besides those that were not computed from any; None
            means all. The others are forgotten as soon as they are passed on, and the tape with them.
    """
    result.receive(result.numbers.constants(np.ones(result.value.shape)))
    keep = None if kept is None else {id(variable) for variable in kept}
    order = _in_order(result)
    done, size = 0, len(order)
    while order:
        progress(done / size)
        done += 1
        variable = order.pop()
        if variable._gradient is None:
            continue
        for source, pullback, index in variable.sources:
            source.receive(pullback(variable._gradient), index)
        if keep is not None and variable.sources:
            variable.sources = ()
            if id(variable) not in keep:
                variable.forget()


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
            waiting.extend((source.variable, False) for source in variable.sources)
    return order


def _value(operand: Variable | Array | int) -> Any:
    return operand.value if isinstance(operand, Variable) else operand


def _variables(*operands: Variable | Array | int) -> list[Variable]:
    return [operand for operand in operands if isinstance(operand, Variable)]


def _like(source: Variable, pullback: Pullback = lambda g: g) -> Pullback:
    """A rule that sums its derivative over the axes along which the source was broadcast."""
    shape = source.value.shape

    def summed(g: Array) -> Array:
        g = source.numbers.array(pullback(g))
        g = g.sum(axis=tuple(range(g.ndim - len(shape)))) if g.ndim > len(shape) else g
        axes = tuple(axis for axis, size in enumerate(shape) if size == 1 and np.shape(g)[axis] != 1)
        return source.numbers.array(g).sum(axis=axes, keepdims=True) if axes else g

    return summed
