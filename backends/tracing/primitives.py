"""The operations that a recording consists of: each with how it is computed, and the rule for its derivative.

A rule takes the functions `f` of some kind of numbers, the derivative `g` with respect to the result `y`, `y` itself
and the operands, and returns the derivative with respect to one operand. The operands of an entrywise operation have as
many axes as its result, and the derivative of one that was broadcast is summed over these axes by whoever applies the
rule. Axes count from the last, so that a first axis of computations beside each other changes nothing.

Nothing of this is known to PyTorch and JAX, which differentiate the same operations by rules of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import pi, sqrt
from typing import Any

import numpy as np

Rule = Callable[..., Any]


@dataclass(frozen=True)
class Primitive:
    """An operation.

    Attributes:
        compute: from the functions, the operands and the parameters to the result.
        rules: of each operand, the rule for the derivative; None where that is 0 by definition.
        entrywise: whether each entry of the result is computed from the entries in the same place.
    """

    compute: Callable[..., Any]
    rules: tuple[Rule | None, ...]
    entrywise: bool = True


def _entrywise(name: str, *rules: Rule) -> Primitive:
    """A function of entries, which every kind of numbers knows by this name."""
    return Primitive(lambda f, *operands: getattr(f, name)(*operands), rules)


def _swapped(matrix: Any) -> Any:
    return matrix.swapaxes(-1, -2)


def _spread(g: Any, axes: tuple[int, ...], like: Any) -> Any:
    """The derivative of a sum: the same for each of its terms."""
    return np.broadcast_to(np.expand_dims(g, axes), like.shape)


def _summed_backward(f: Any, g: Any, axis: int) -> Any:
    """The derivative of a cumulative sum: that of all later ones, added up from the end."""
    index = (..., slice(None, None, -1), *[slice(None)] * (-1 - axis))
    return f.cumsum(g[index], axis)[index]


def _of_cholesky(f: Any, g: Any, L: Any) -> Any:
    """dA of L = cholesky(A), symmetric: ½ (S + Sᵀ) with S = L⁻ᵀ Φ(Lᵀ g) L⁻¹ (I. Murray, 2016).

    Φ takes the lower triangle, and half of the diagonal.
    """
    n = L.shape[-1]
    phi = f.matmul(_swapped(L), g) * f.constants(np.tril(np.ones((n, n))) - np.eye(n) / 2)
    inverse = f.inverse(L)
    S = f.matmul(f.matmul(_swapped(inverse), phi), inverse)
    return (S + _swapped(S)) * f.constants(0.5)


PRIMITIVES: dict[str, Primitive] = {
    # of one number
    "negative": _entrywise("negative", lambda f, g, y, x: -g),
    "absolute": _entrywise("absolute", lambda f, g, y, x: g * f.sign(x)),
    "square": _entrywise("square", lambda f, g, y, x: 2 * g * x),
    "reciprocal": _entrywise("reciprocal", lambda f, g, y, x: -g * y * y),
    "sqrt": _entrywise("sqrt", lambda f, g, y, x: g / (2 * y)),
    "cbrt": _entrywise("cbrt", lambda f, g, y, x: g / (3 * y * y)),
    "exp": _entrywise("exp", lambda f, g, y, x: g * y),
    "exp2": _entrywise("exp2", lambda f, g, y, x: g * y * f.log_of(2)),
    "expm1": _entrywise("expm1", lambda f, g, y, x: g * f.exp(x)),
    "log": _entrywise("log", lambda f, g, y, x: g / x),
    "log2": _entrywise("log2", lambda f, g, y, x: g / (x * f.log_of(2))),
    "log10": _entrywise("log10", lambda f, g, y, x: g / (x * f.log_of(10))),
    "log1p": _entrywise("log1p", lambda f, g, y, x: g / (1 + x)),
    "sin": _entrywise("sin", lambda f, g, y, x: g * f.cos(x)),
    "cos": _entrywise("cos", lambda f, g, y, x: -g * f.sin(x)),
    "tan": _entrywise("tan", lambda f, g, y, x: g * (1 + y * y)),
    "arcsin": _entrywise("arcsin", lambda f, g, y, x: g / f.sqrt(1 - x * x)),
    "arccos": _entrywise("arccos", lambda f, g, y, x: -g / f.sqrt(1 - x * x)),
    "arctan": _entrywise("arctan", lambda f, g, y, x: g / (1 + x * x)),
    "sinh": _entrywise("sinh", lambda f, g, y, x: g * f.cosh(x)),
    "cosh": _entrywise("cosh", lambda f, g, y, x: g * f.sinh(x)),
    "tanh": _entrywise("tanh", lambda f, g, y, x: g * (1 - y * y)),
    "arcsinh": _entrywise("arcsinh", lambda f, g, y, x: g / f.sqrt(x * x + 1)),
    "arccosh": _entrywise("arccosh", lambda f, g, y, x: g / f.sqrt(x * x - 1)),
    "arctanh": _entrywise("arctanh", lambda f, g, y, x: g / (1 - x * x)),
    "sigmoid": _entrywise("sigmoid", lambda f, g, y, x: g * y * (1 - y)),
    "erf": _entrywise("erf", lambda f, g, y, x: g * f.exp(-x * x) * f.constants(2 / sqrt(pi))),
    # of two numbers
    "add": _entrywise("add", lambda f, g, y, a, b: g, lambda f, g, y, a, b: g),
    "subtract": _entrywise("subtract", lambda f, g, y, a, b: g, lambda f, g, y, a, b: -g),
    "multiply": _entrywise("multiply", lambda f, g, y, a, b: g * b, lambda f, g, y, a, b: g * a),
    "divide": _entrywise("divide", lambda f, g, y, a, b: g / b, lambda f, g, y, a, b: -g * y / b),
    "power": _entrywise(
        "power",
        lambda f, g, y, a, b: g * f.slope_of_power(a, b),
        lambda f, g, y, a, b: g * f.slope_of_exponent(a, y),
    ),
    "maximum": _entrywise(
        "maximum",
        lambda f, g, y, a, b: g * f.share_of_larger(a, b),
        lambda f, g, y, a, b: g * (1 - f.share_of_larger(a, b)),
    ),
    "logaddexp": _entrywise(
        "logaddexp", lambda f, g, y, a, b: g * f.exp(a - y), lambda f, g, y, a, b: g * f.exp(b - y)
    ),
    "arctan2": _entrywise(
        "arctan2",
        lambda f, g, y, a, b: g * b / (a * a + b * b),
        lambda f, g, y, a, b: -g * a / (a * a + b * b),
    ),
    "hypot": _entrywise("hypot", lambda f, g, y, a, b: g * a / y, lambda f, g, y, a, b: g * b / y),
    # of arrays
    "stop": Primitive(lambda f, x: x, (None,), entrywise=False),
    "cast": Primitive(
        lambda f, x, dtype: f.cast(x, dtype), (lambda f, g, y, x, dtype: f.cast(g, x.dtype),), entrywise=False
    ),
    "sum": Primitive(
        lambda f, x, axes: f.sum(x, axes), (lambda f, g, y, x, axes: _spread(g, axes, x),), entrywise=False
    ),
    "cumsum": Primitive(
        lambda f, x, axis: f.cumsum(x, axis),
        (lambda f, g, y, x, axis: _summed_backward(f, g, axis),),
        entrywise=False,
    ),
    "matmul": Primitive(
        lambda f, a, b: f.matmul(a, b),
        (
            lambda f, g, y, a, b: f.matmul(g, _swapped(b)),
            lambda f, g, y, a, b: f.matmul(_swapped(a), g),
        ),
        entrywise=False,
    ),
    "inverse": Primitive(
        lambda f, a: f.inverse(a),
        (lambda f, g, y, a: -f.matmul(f.matmul(_swapped(y), g), _swapped(y)),),
        entrywise=False,
    ),
    "logdet": Primitive(
        lambda f, a: f.logdet(a),
        (lambda f, g, y, a: np.expand_dims(g, (-1, -2)) * _swapped(f.inverse(a)),),
        entrywise=False,
    ),
    "cholesky": Primitive(lambda f, a: f.cholesky(a), (lambda f, g, y, a: _of_cholesky(f, g, y),), entrywise=False),
}
