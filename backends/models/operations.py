"""The operations that a recorded program consists of: how many operands each takes, and the shape of its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Shape = tuple[int, ...]

OF_ONE = (
    *("negative", "absolute", "square", "reciprocal", "sqrt", "cbrt", "exp", "exp2", "expm1"),
    *("log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan"),
    *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "sigmoid", "erf"),
)
OF_TWO = ("add", "subtract", "multiply", "divide", "power", "maximum", "logaddexp", "arctan2", "hypot")
OF_ARRAYS = ("stop", "cast", "sum", "cumsum", "matmul", "inverse", "logdet", "cholesky")
OPERATIONS = (*OF_ONE, *OF_TWO, *OF_ARRAYS)
PARAMETERS = {"cast": "dtype", "sum": "axes", "cumsum": "axis"}  # the one that an operation has, if it has one


def result_shape(name: str, shapes: Sequence[Shape], parameters: Mapping[str, Any]) -> Shape:
    """The shape of what an operation gives.

    Args:
        name: of the operation.
        shapes: of its operands.
        parameters: what else it takes: axes count from the last, and are negative.

    Returns:
        The shape.

    Raises:
        ValueError: there is no such operation, or it takes no such operands or parameters.

    Example:
        >>> result_shape("matmul", [(5, 2, 3), (3, 4)], {}), result_shape("sum", [(2, 3)], {"axes": (-1,)})
        ((5, 2, 4), (2,))
    """
    if name not in OPERATIONS:
        raise ValueError(f"unknown operation {name!r}")
    expected = 2 if name in OF_TWO or name == "matmul" else 1
    if len(shapes) != expected:
        raise ValueError(f"{name} has {len(shapes)} operands, expected {expected}")
    if set(parameters) != ({PARAMETERS[name]} if name in PARAMETERS else set()):
        raise ValueError(f"{name} has parameters {sorted(parameters)}, expected {PARAMETERS.get(name, 'none')}")
    first = shapes[0]
    if name in OF_TWO:
        if len(shapes[0]) != len(shapes[1]):
            raise ValueError(f"{name} of shapes {shapes[0]} and {shapes[1]}, expected as many axes of both")
        return _broadcast(name, *shapes)
    if name == "matmul":
        return _product(*shapes)
    if name in ("inverse", "logdet", "cholesky"):
        if len(first) < 2 or first[-1] != first[-2]:
            raise ValueError(f"{name} of shape {first}, expected square matrices")
        return first[:-2] if name == "logdet" else first
    axes = parameters.get("axes", (parameters["axis"],) if "axis" in parameters else ())
    if len(set(axes)) != len(axes) or not all(-len(first) <= axis < 0 for axis in axes):
        raise ValueError(f"{name} over the axes {axes} of shape {first}")
    if name == "sum":
        return tuple(size for axis, size in enumerate(first) if axis - len(first) not in axes)
    return first


def _product(one: Shape, other: Shape) -> Shape:
    if len(one) < 2 or len(other) < 2 or one[-1] != other[-2]:
        raise ValueError(f"matmul of shapes {one} and {other}")
    return (*_broadcast("matmul", one[:-2], other[:-2]), one[-2], other[-1])


def _broadcast(name: str, *shapes: Shape) -> Shape:
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"{name} of shapes {' and '.join(map(str, shapes))}") from None
