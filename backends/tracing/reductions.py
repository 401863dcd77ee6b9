"""NumPy's sums, means, extremes and products over axes, on recorded arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import signature
from math import prod as product_of
from typing import Any

import numpy as np

from .array import RecordedArray, as_recorded, boxed, decide, plain
from .entrywise import computed
from .recorder import IMPLEMENTED, implements, refused

DECIDED = (
    *(np.argmax, np.argmin, np.argsort, np.all, np.any, np.count_nonzero, np.nonzero, np.flatnonzero, np.argwhere),
    *(np.searchsorted, np.array_equal, np.allclose, np.isclose, np.lexsort, np.digitize, np.argpartition),
)
PLAIN = (np.shape, np.ndim, np.size, np.array2string, np.array_repr, np.array_str, np.may_share_memory)

for _function in DECIDED:
    IMPLEMENTED[_function] = lambda *arrays, _function=_function, **options: _decided(_function, arrays, options)
for _of_shapes in PLAIN:
    IMPLEMENTED[_of_shapes] = lambda *values, _of=_of_shapes, **options: _of(*map(plain, values), **options)


def _decided(function: Any, arguments: Any, options: Any) -> Any:
    """The arrays come first, and what follows them is how they are asked."""
    arrays = [one for one in arguments if isinstance(one, (RecordedArray, list, np.ndarray, float))]
    names = list(signature(function).parameters)
    named = dict(zip(names[len(arrays) :], arguments[len(arrays) :], strict=False))
    named |= {name: plain(option) for name, option in options.items() if name != "out"}
    return decide(function, *arrays, **named)


def negative_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes counted from the last; all of them for None."""
    if axis is None:
        return tuple(range(-ndim, 0))
    axes = axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(np.lib.array_utils.normalize_axis_index(int(one), ndim) - ndim for one in axes))


def _kept(array: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """The axes of size 1 that were summed over, or not."""
    return np.expand_dims(array, axes) if keepdims and axes else array


@implements(np.sum, (np.add, "reduce"))
def total(
    array: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any
) -> Any:
    """The sum over axes."""
    source = as_recorded(array) if dtype is None else IMPLEMENTED["astype"](as_recorded(array), dtype)
    weights = options.pop("where", True)
    if weights is not True:
        source = IMPLEMENTED[np.where](weights, source, 0.0)
    axes = negative_axes(axis, source.ndim)
    result = computed("sum", np.sum(source.data, axis=axes), source, entrywise=False, axes=axes)
    result = _kept(result, axes, bool(keepdims))
    initial = options.pop("initial", 0)
    return result + initial if initial else result


@implements((np.add, "accumulate"))
def accumulated(array: Any, axis: int = 0, dtype: Any = None) -> Any:
    """The sums of the first one, two, three … entries along an axis."""
    return cumsum(array, axis, dtype)


@implements(np.cumsum, np.cumulative_sum)
def cumsum(array: Any, axis: Any = None, dtype: Any = None, **_: Any) -> Any:
    """The sums of the first one, two, three … entries along an axis."""
    source = as_recorded(array) if dtype is None else IMPLEMENTED["astype"](as_recorded(array), dtype)
    source = source.reshape(-1) if axis is None else source
    (axis,) = negative_axes(-1 if axis is None else axis, source.ndim)
    return computed("cumsum", np.cumsum(source.data, axis), source, entrywise=False, axis=axis)


def _folded(function: Any) -> Callable[..., Any]:
    """A reduction by halves: the first half with the second, until one entry is left."""

    def implementation(array: Any, axis: Any = None, keepdims: Any = False, **options: Any) -> Any:
        source = as_recorded(array)
        if options.get("where", True) is not True:
            raise refused(f"{function.__name__} over a part of the entries (where=) cannot be followed")
        axes = negative_axes(axis, source.ndim)
        kept = [one - source.ndim for one in range(source.ndim) if one - source.ndim not in axes]
        order = tuple(one % source.ndim for one in (*axes, *kept)) if source.ndim else ()
        shape = tuple(source.shape[one] for one in kept)
        rows = np.transpose(source, order).reshape(product_of(source.shape[one] for one in axes), *shape)
        if not len(rows):
            return boxed(function.reduce(source.data, axis=axes, keepdims=keepdims))
        while len(rows) > 1:
            half = len(rows) // 2
            joined = function(rows[:half], rows[half : 2 * half])
            rows = np.concatenate([joined, rows[2 * half :]]) if len(rows) % 2 else joined
        result = _kept(rows[0], axes, bool(keepdims))
        initial = options.get("initial", np._NoValue)
        return result if initial in (None, np._NoValue) else function(result, initial)

    return implementation


maximum = IMPLEMENTED[np.max] = IMPLEMENTED[np.maximum, "reduce"] = _folded(np.maximum)
minimum = IMPLEMENTED[np.min] = IMPLEMENTED[np.minimum, "reduce"] = _folded(np.minimum)
IMPLEMENTED[np.nanmax], IMPLEMENTED[np.nanmin] = _folded(np.fmax), _folded(np.fmin)
product = IMPLEMENTED[np.prod] = IMPLEMENTED[np.multiply, "reduce"] = _folded(np.multiply)
IMPLEMENTED[np.logaddexp, "reduce"] = _folded(np.logaddexp)


def _scanned(function: Any) -> Callable[..., Any]:
    """A function applied again and again along an axis, which keeps each result."""

    def implementation(array: Any, axis: Any = None, **_: Any) -> Any:
        source = as_recorded(array)
        source, axis = (np.ravel(source), 0) if axis is None else (source, axis)
        rows = np.moveaxis(source, axis, 0)
        results = [rows[0]] if len(rows) else []
        for row in rows[1:] if len(rows) else ():
            results.append(function(results[-1], row))
        return np.stack(results, axis=axis) if results else source.copy()

    return implementation


for _accumulated in (np.multiply, np.maximum, np.minimum, np.logaddexp):
    IMPLEMENTED[_accumulated, "accumulate"] = partial(_scanned(_accumulated), axis=0)
IMPLEMENTED[np.cumprod] = IMPLEMENTED[np.cumulative_prod] = _scanned(np.multiply)


@implements(np.mean)
def mean(
    array: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, **options: Any
) -> Any:
    """The mean over axes."""
    source = as_recorded(array)
    weights = options.pop("where", True)
    axes = negative_axes(axis, source.ndim)
    if weights is True:
        count: Any = product_of(source.shape[one] for one in axes)
    else:
        count = np.sum(np.broadcast_to(plain(weights), source.shape), axis=axes, keepdims=bool(keepdims))
    return total(source, axis, dtype, keepdims=keepdims, where=weights) / count


@implements(np.average)
def average(array: Any, axis: Any = None, weights: Any = None, returned: Any = False, *, keepdims: Any = False) -> Any:
    """The mean, with weights."""
    source = as_recorded(array)
    if weights is None:
        return mean(source, axis, keepdims=keepdims)
    weights = as_recorded(weights)
    if weights.ndim < source.ndim and axis is not None:
        weights = np.expand_dims(
            weights, tuple(one for one in negative_axes(None, source.ndim) if one != axis - source.ndim)
        )
    weights = np.broadcast_to(weights, source.shape)
    result = total(source * weights, axis, keepdims=keepdims) / total(weights, axis, keepdims=keepdims)
    return (result, total(weights, axis, keepdims=keepdims)) if returned else result


@implements(np.var)
def variance(
    array: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    **options: Any,
) -> Any:
    """The mean square of what is left without the mean."""
    source = as_recorded(array)
    ddof = options.pop("correction", ddof)
    rest = source - mean(source, axis, dtype, keepdims=True)
    count = product_of(source.shape[one] for one in negative_axes(axis, source.ndim))
    return total(rest * rest, axis, keepdims=keepdims) / max(count - ddof, 0)


@implements(np.std)
def deviation(array: Any, *arguments: Any, **options: Any) -> Any:
    """The root of the variance."""
    return np.sqrt(variance(array, *arguments, **options))


@implements(np.ptp)
def extent(array: Any, axis: Any = None, keepdims: Any = False, **_: Any) -> Any:
    """The largest less the smallest."""
    return maximum(array, axis, keepdims) - minimum(array, axis, keepdims)


@implements(np.median)
def median(array: Any, axis: Any = None, keepdims: Any = False, **_: Any) -> Any:
    """The middle one of all in order, or the mean of the two."""
    source = as_recorded(array)
    rows = np.sort(source if axis is not None else np.ravel(source), axis=-1 if axis is None else axis)
    rows = np.moveaxis(rows, -1 if axis is None else axis, 0)
    result = (rows[(len(rows) - 1) // 2] + rows[len(rows) // 2]) / 2
    return _kept(result, negative_axes(axis, source.ndim), bool(keepdims))


@implements(np.diff)
def difference(array: Any, n: int = 1, axis: int = -1, **_: Any) -> Any:
    """What each entry exceeds the one before by."""
    rows = np.moveaxis(as_recorded(array), axis, 0)
    for _number in range(n):
        rows = rows[1:] - rows[:-1]
    return np.moveaxis(rows, 0, axis)


@implements(np.trapezoid)
def trapezoid(values: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of a polygon."""
    rows = np.moveaxis(as_recorded(values), axis, -1)
    widths = dx if x is None else difference(as_recorded(x))
    return total(widths * (rows[..., 1:] + rows[..., :-1]) / 2, -1)
