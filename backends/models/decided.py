"""NumPy's functions by which a recorded program decides, as far as they are understood, and what they give."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

Shape = tuple[int, ...]

COMPARISONS = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
OF_SIGNS = ("sign", "signbit", "logical_not")
STEPS = ("floor", "ceil", "rint", "trunc")
CHOICES = ("argmax", "argmin")
OF_ZEROS = ("nonzero", "flatnonzero", "count_nonzero", "argwhere", "any", "all")
UNDERSTOOD = (*COMPARISONS, *OF_SIGNS, *STEPS, *CHOICES, "argsort", *OF_ZEROS)
_OF_NUMBERS = ("sign", *STEPS)
_OF_PLACES = (*CHOICES, "argsort", "nonzero", "flatnonzero", "count_nonzero", "argwhere")


def result_dtype(name: str) -> np.dtype:
    """Of what a decision's result is: numbers, places or truth values.

    Example:
        >>> [str(result_dtype(name)) for name in ("floor", "argmax", "less")]
        ['float64', 'int64', 'bool']
    """
    return np.dtype("float64" if name in _OF_NUMBERS else "int64" if name in _OF_PLACES else "bool")


def check_result(name: str, shapes: Sequence[Shape], axis: int | None, result: np.ndarray) -> None:
    """Makes sure that a result can be one of a function: whoever asks how close a decision was relies on it.

    Args:
        name: of the function, in `UNDERSTOOD`.
        shapes: of its operands.
        axis: along which it was asked; None means in all entries, in a row.
        result: what came out.

    Raises:
        ValueError: it cannot.

    Example:
        >>> check_result("argmax", [(2, 3)], 1, np.array([0, 2]))
        >>> check_result("argmax", [(2, 3)], 1, np.array([0, 3]))
        Traceback (most recent call last):
        ValueError: argmax gives [0, 3] of 3 entries
    """
    expected = 2 if name in COMPARISONS else 1
    if len(shapes) != expected:
        raise ValueError(f"{name} has {len(shapes)} operands, expected {expected}")
    if axis is not None and (name not in (*CHOICES, *OF_ZEROS, "argsort") or not _is_axis(axis, shapes[0])):
        raise ValueError(f"{name} over the axis {axis} of shape {shapes[0]}")
    if name in OF_ZEROS:
        return
    shape = _result_shape(name, shapes, axis)
    if name in CHOICES and result.size == prod(shape):  # axes of size 1 may have been kept
        shape = result.shape
    if result.shape != shape:
        raise ValueError(f"{name} gives shape {result.shape}, expected {shape}")
    if name in CHOICES:
        size = prod(shapes[0]) if axis is None else shapes[0][axis]
        if not np.all((result >= 0) & (result < size)):
            raise ValueError(f"{name} gives {result.reshape(-1)[:8].tolist()} of {size} entries")
    if name == "argsort" and not _is_order(result, -1 if axis is None else axis):
        raise ValueError(f"{name} gives {result.reshape(-1)[:8].tolist()}, expected every place once")


def _result_shape(name: str, shapes: Sequence[Shape], axis: int | None) -> Shape:
    first = shapes[0]
    if name in COMPARISONS:
        try:
            return np.broadcast_shapes(*shapes)
        except ValueError:
            raise ValueError(f"{name} of shapes {first} and {shapes[1]}") from None
    if name in CHOICES:
        return () if axis is None else tuple(size for number, size in enumerate(first) if number != axis % len(first))
    return (prod(first),) if name == "argsort" and axis is None else first


def _is_axis(axis: int, shape: Shape) -> bool:
    return -len(shape) <= axis < len(shape)


def _is_order(order: np.ndarray, axis: int) -> bool:
    rows = np.moveaxis(order, axis, -1)
    return bool(np.all(np.sort(rows, axis=-1) == np.arange(rows.shape[-1])))
