"""Rules that a way back may have at an operation in the place of the right one: what people get wrong at it.

Each rule reads the numbers that it needs where it is used, so that it can be used at other numbers of the same program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ...backends.tracing.places import Place
from ...backends.tracing.primitives import PRIMITIVES
from ...backends.tracing.replay import Floats
from .expressions import Expression
from .forward_pass import Edge, ForwardPass, Rule, summed
from .source_text import expression, operand, variable

ACTIVATIONS = ("tanh", "sigmoid", "exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "erf", "arctan")
Slope = Callable[[np.ndarray, np.ndarray], np.ndarray]  # from the argument and the result


class Kind(NamedTuple):
    """Something that may be wrong at all runs of an expression.

    Attributes:
        expression: where.
        which: of the operand whose rule is another one; None of all operands.
        rule: that one.
        says: what is wrong, in words.
        place: the expression that is named.
        cost: how far-fetched it is.
        is_cut: whether nothing comes back at all.
    """

    expression: Expression
    which: int | None
    rule: Rule
    says: str
    place: Place
    cost: float
    is_cut: bool = False


def _logistic(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


SLOPES: dict[str, dict[str, Slope]] = {
    "tanh": {
        "`1 - y` stands for tanh′, y being the result": lambda x, y: 1 - y,
        "`1 + y**2` stands for tanh′, y being the result": lambda x, y: 1 + y * y,
        "`y**2` stands for tanh′, y being the result": lambda x, y: y * y,
        "`y * (1 - y)` stands for tanh′, y being the result": lambda x, y: y * (1 - y),
        "`1 - x**2` stands for tanh′, x being the argument": lambda x, y: 1 - x * x,
        "σ′ stands for tanh′": lambda x, y: _logistic(x) * (1 - _logistic(x)),
    },
    "sigmoid": {
        "`1 - y` stands for σ′, y being the result": lambda x, y: 1 - y,
        "`1 - y**2` stands for σ′, y being the result": lambda x, y: 1 - y * y,
        "`y * (1 + y)` stands for σ′, y being the result": lambda x, y: y * (1 + y),
        "`x * (1 - x)` stands for σ′, x being the argument": lambda x, y: x * (1 - x),
        "tanh′ stands for σ′": lambda x, y: 1 - np.tanh(x) ** 2,
    },
}


def scaled(factor: float) -> Rule:
    """The right rule, times a factor."""
    return lambda at, edge, g: factor * at.part(edge, g)


def passed_on(at: ForwardPass, edge: Edge, g: np.ndarray) -> np.ndarray:
    """What comes is handed on as it is."""
    return summed(g, at.operation(edge[0]).operands[edge[1]].shape)


def _twice(at: ForwardPass, edge: Edge, g: np.ndarray) -> np.ndarray:
    return at.part(edge, at.part(edge, g))


def _at_result(at: ForwardPass, edge: Edge, g: np.ndarray) -> np.ndarray:
    y = at.result(edge[0])
    return at.part(edge, g, y=PRIMITIVES[at.operation(edge[0]).primitive].compute(Floats(), y), x=[y])


def _by_slope(slope: Slope) -> Rule:
    def rule(at: ForwardPass, edge: Edge, g: np.ndarray) -> np.ndarray:
        return g * slope(at.operands(edge[0])[0], at.result(edge[0]))

    return rule


def _without_exponent(at: ForwardPass, edge: Edge, g: np.ndarray) -> np.ndarray:
    return at.part(edge, g) / at.operands(edge[0])[1]


def _transposed_factor(at: ForwardPass, edge: Edge, g: np.ndarray) -> np.ndarray:
    x = at.operands(edge[0])
    x[1 - edge[1]] = x[1 - edge[1]].swapaxes(-1, -2)
    return at.part(edge, g, x=x)


def _transposed(at: ForwardPass, edge: Edge, g: np.ndarray) -> np.ndarray:
    return at.part(edge, g).swapaxes(-1, -2)


def _as_mean(at: ForwardPass, edge: Edge, g: np.ndarray) -> np.ndarray:
    part = at.part(edge, g)
    return part / (part.size / max(g.size, 1))


def named(at: ForwardPass, place: Place) -> Place:
    """The place by which an expression is named: what a helper function returns is named by its call."""
    caller = variable(place)[1]
    return place if caller in at.callers else caller


def with_line(at: ForwardPass, place: Place) -> str:
    """An expression and its line."""
    return f"{expression(named(at, place))}, line {named(at, place).line}"


def kinds(at: ForwardPass) -> Iterator[Kind]:
    """All that may be wrong in one rule.

    Args:
        at: the forward pass.
    """
    in_units: set[object] = set()
    for unit in units(at):
        in_units.update(unit.inner)
        yield from _of_unit(at, unit)
    for one in at.expressions:
        indices = reached_operands(at, one)
        if one.place in in_units:
            continue
        for index in indices:
            yield from _of_operand(at, one, index, several=len(indices) > 1)


def reached_operands(at: ForwardPass, one: Expression) -> list[int]:
    """The operands of an expression that anything comes back to, in some of its runs: a first state has none."""
    operands = range(len(at.operation(one.numbers[0]).operands))
    return [index for index in operands if any((number, index) in at.reach for number in one.numbers)]


def _of_operand(at: ForwardPass, one: Expression, index: int, *, several: bool) -> Iterator[Kind]:
    shown = with_line(at, one.place)
    to = operand(one.place, index) if several else ""
    if several and not to:
        to = f"the {'first' if index == 0 else 'second'} operand"
    to_it = f"to {to} " if to else ""
    back = f"{to_it}through {shown}"

    def kind(says: str, rule: Rule, cost: float, *, is_cut: bool = False) -> Kind:
        return Kind(one, index, rule, says, named(at, one.place), cost, is_cut)

    yield kind(f"nothing comes back {back}", scaled(0), 1.0, is_cut=True)
    yield kind(f"what comes back {back}, has the wrong sign", scaled(-1), 1.1)
    yield kind(f"what comes back {back}, counts twice", scaled(2), 1.2)
    yield kind(f"what comes back {back}, is halved", scaled(0.5), 1.2)
    first = at.operation(one.numbers[0])
    other = operand(one.place, 1 - index) if len(first.operands) == 2 else ""
    match one.primitive:
        case "multiply":
            yield kind(f"the factor {other or 'beside it'} is forgotten on the way back {back}", passed_on, 0.9)
        case "divide" if index == 0:
            by = f" by {other}" if other else ""
            words = f"the division{by} is forgotten on the way back {back}"
            yield kind(f"the mean {shown}, is taken for a sum" if "mean" in shown else words, passed_on, 0.9)
        case "sum":
            yield kind(f"the sum {shown}, is taken for a mean", _as_mean, 1.0)
        case "power" if index == 0:
            yield kind(f"the exponent is forgotten as a factor on the way back {back}", _without_exponent, 1.0)
            yield kind(f"the derivative of {shown}, is forgotten", passed_on, 1.0)
        case "square" | "reciprocal":
            yield kind(f"the derivative of {shown}, is forgotten", passed_on, 1.0)
        case "maximum" | "absolute":
            yield kind(f"the slope of {shown}, is forgotten", passed_on, 0.9)
        case "matmul":
            if _is_square(first.operands[1 - index].shape):
                yield kind(
                    f"on the way back {back}, {other or 'the other factor'} is transposed", _transposed_factor, 1.0
                )
            if _is_square(first.operands[index].shape):
                yield kind(f"what comes back {back}, is transposed", _transposed, 1.1)
        case name if name in ACTIVATIONS:
            slope = "σ′" if name == "sigmoid" else f"{name}′"
            yield kind(f"{slope} is forgotten at {shown}", passed_on, 0.8)
            yield kind(f"{slope} is taken at the activated value, at {shown}", _at_result, 0.8)
            yield kind(f"{slope} is applied twice at {shown}", _twice, 1.0)
            yield kind(f"the value stands for {slope}, at {shown}", _by_slope(lambda x, y: y), 1.0)
            for words, other_slope in SLOPES.get(name, {}).items():
                yield kind(f"{words}, at {shown}", _by_slope(other_slope), 1.1)


def _is_square(shape: tuple[int, ...]) -> bool:
    return len(shape) > 1 and shape[-1] == shape[-2] > 1


class Unit(NamedTuple):
    """A sigmoid that is written out.

    Attributes:
        expression: its last operation.
        inner: the places of its other operations.
        argument: of each run, where the argument is an operand.
    """

    expression: Expression
    inner: frozenset[object]
    argument: dict[int, Edge]


def _of_unit(at: ForwardPass, unit: Unit) -> Iterator[Kind]:
    one = unit.expression
    shown = with_line(at, one.place)
    place = named(at, one.place)

    def kind(says: str, slope: Slope, cost: float) -> Kind:
        def rule(at: ForwardPass, edge: Edge, g: np.ndarray) -> np.ndarray:
            number, index = unit.argument[edge[0]]
            y = at.result(edge[0])
            x = at.operands(number)[index].reshape(y.shape)
            right = y * (1 - y)
            return at.part(edge, g * np.divide(slope(x, y), right, out=np.ones_like(y), where=right != 0))

        return Kind(one, None, rule, says, place, cost)

    yield kind(f"σ′ is forgotten at {shown}", lambda x, y: np.ones_like(y), 0.8)
    yield kind(f"σ′ is taken at the activated value, at {shown}", lambda x, y: _logistic(y) * (1 - _logistic(y)), 0.8)
    yield kind(f"σ′ is applied twice at {shown}", lambda x, y: (y * (1 - y)) ** 2, 1.0)
    yield kind(f"the value stands for σ′, at {shown}", lambda x, y: y, 1.0)
    for words, slope in SLOPES["sigmoid"].items():
        yield kind(f"{words}, at {shown}", slope, 1.1)
    yield Kind(one, None, scaled(0), f"nothing comes back through {shown}", place, 1.0, is_cut=True)
    yield Kind(one, None, scaled(-1), f"what comes back through {shown}, has the wrong sign", place, 1.1)
    yield Kind(one, None, scaled(2), f"what comes back through {shown}, counts twice", place, 1.2)


def units(at: ForwardPass) -> Iterator[Unit]:
    """The sigmoids that are written out, such as `1 / (1 + np.exp(-a))`: told by their values.

    Args:
        at: the forward pass.
    """
    for one in at.expressions:
        if one.primitive not in ("divide", "reciprocal", "power"):
            continue
        found = {number: _argument(at, number) for number in one.numbers}
        arguments = {number: where[0] for number, where in found.items() if where}
        if len(arguments) == len(found):
            inner = frozenset(place for where in found.values() if where for place in where[1])
            yield Unit(one, inner, arguments)


def _argument(at: ForwardPass, number: int) -> tuple[Edge, set[object]] | None:
    """The operand whose sigmoid a result is, and the places on the way to it."""
    y = at.result(number)
    if not ((y > 0) & (y < 1)).all() or not ((y > 0.01) & (y < 0.99)).any():  # what is saturated fits by accident
        return None
    places: set[object] = {at.operation(number).place}
    inner = number
    for _ in range(6):
        reached = [index for index in range(len(at.operation(inner).operands)) if (inner, index) in at.reach]
        if len(reached) != 1 or not PRIMITIVES[at.operation(inner).primitive].entrywise:
            return None
        x = at.operands(inner)[reached[0]]
        with np.errstate(all="ignore"):
            if (
                x.size == y.size
                and inner != number
                and np.allclose(_logistic(x.reshape(y.shape)), y, rtol=1e-6, atol=1e-12)
            ):
                return (inner, reached[0]), places
        taken = at.operation(inner).operands[reached[0]]
        makers = np.unique(at.makers[taken.dtype][taken.origin])
        if len(makers) != 1 or makers[0] < 0:
            return None
        inner = int(makers[0])
        places.add(at.operation(inner).place)
    return None
