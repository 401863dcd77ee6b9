"""NumPy's sums, means, extremes and products over axes, on recorded arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from math import prod as product_of
from typing import Any

import numpy as np

from .array import RecordedArray, as_recorded, boxed, decide, is_recorded, plain
from .entrywise import computed
from .own_values import composed
from .recorder import IMPLEMENTED, implements

DECIDED = (
    *(np.argmax, np.argmin, np.argsort, np.all, np.any, np.count_nonzero, np.nonzero, np.flatnonzero, np.argwhere),
    *(np.searchsorted, np.array_equal, np.allclose, np.isclose, np.lexsort, np.digitize, np.argpartition),
    *(np.nanargmax, np.nanargmin, np.isneginf, np.isposinf, np.array_equiv, np.isin),
)
PLAIN = (
    *(np.shape, np.ndim, np.size, np.array2string, np.array_repr, np.array_str, np.may_share_memory),
    *(np.shares_memory, np.result_type, np.can_cast, np.isrealobj, np.iscomplexobj),
)

for _function in DECIDED:
    IMPLEMENTED[_function] = lambda *arrays, _function=_function, **options: _decided(_function, arrays, options)
IMPLEMENTED[np.isscalar] = lambda element: element.is_scalar if isinstance(element, RecordedArray) else False
for _of_shapes in PLAIN:
    IMPLEMENTED[_of_shapes] = lambda *values, _of=_of_shapes, **options: _of(*map(plain, values), **options)


def _decided(function: Any, arguments: Any, options: Any) -> Any:
    """The arrays come first, all up to the last recorded one and more; what follows them is how they are asked."""
    count = max((number for number, one in enumerate(arguments, 1) if is_recorded(one)), default=0)
    while count < len(arguments) and isinstance(arguments[count], (list, np.ndarray, float)):
        count += 1
    names = list(signature(function).parameters)
    named = dict(zip(names[count:], arguments[count:], strict=False))
    named |= {name: plain(option) for name, option in options.items() if name != "out"}
    return decide(function, *arguments[:count], **named)


def negative_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes counted from the last; all of them for None."""
    if axis is None:
        return tuple(range(-ndim, 0))
    axes = axis if isinstance(axis, tuple) else (axis,)
    return tuple(sorted(np.lib.array_utils.normalize_axis_index(int(one), ndim) - ndim for one in axes))


def _kept(array: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """The axes of size 1 that were summed over, or not."""
    return np.expand_dims(array, axes) if keepdims and axes else array


@composed(np.sum, (np.add, "reduce"))
def total(
    array: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, initial: Any = 0, where: Any = True
) -> Any:
    """The sum over axes."""
    source = as_recorded(array) if dtype is None else IMPLEMENTED["astype"](as_recorded(array), dtype)
    if where is not True:
        source = np.where(where, source, 0.0)
    axes = negative_axes(axis, source.ndim)
    result = computed("sum", np.sum(source.numbers, axis=axes), source, entrywise=False, axes=axes)
    result = _kept(result, axes, bool(keepdims))
    return result if initial is np._NoValue or (not is_recorded(initial) and not initial) else result + initial


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
    return computed("cumsum", np.cumsum(source.numbers, axis), source, entrywise=False, axis=axis)


def _folded(function: Any) -> Callable[..., Any]:
    """A reduction by halves: the first half with the second, until one entry is left."""

    def implementation(
        array: Any, axis: Any = None, keepdims: Any = False, initial: Any = np._NoValue, where: Any = True
    ) -> Any:
        source = as_recorded(array)
        if where is not True:
            source = np.where(where, source, function.identity if initial is np._NoValue else initial)
        axes = negative_axes(axis, source.ndim)
        kept = [one - source.ndim for one in range(source.ndim) if one - source.ndim not in axes]
        order = tuple(one % source.ndim for one in (*axes, *kept)) if source.ndim else ()
        shape = tuple(source.shape[one] for one in kept)
        rows = np.transpose(source, order).reshape(product_of(source.shape[one] for one in axes), *shape)
        if not len(rows):
            return boxed(function.reduce(source.numbers, axis=axes, keepdims=keepdims))
        while len(rows) > 1:
            half = len(rows) // 2
            joined = function(rows[:half], rows[half : 2 * half])
            rows = np.concatenate([joined, rows[2 * half :]]) if len(rows) % 2 else joined
        result = _kept(rows[0], axes, bool(keepdims))
        return result if initial is None or initial is np._NoValue else function(result, initial)

    return implementation


maximum = composed(np.max, np.amax, (np.maximum, "reduce"))(_folded(np.maximum))
minimum = composed(np.min, np.amin, (np.minimum, "reduce"))(_folded(np.minimum))
product = composed(np.prod, (np.multiply, "reduce"))(_folded(np.multiply))
composed(np.nanmax, (np.fmax, "reduce"))(_folded(np.fmax))
composed(np.nanmin, (np.fmin, "reduce"))(_folded(np.fmin))
composed((np.logaddexp, "reduce"))(_folded(np.logaddexp))


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
    composed((_accumulated, "accumulate"))(_scanned(_accumulated))
composed(np.cumprod)(_scanned(np.multiply))


@composed(np.mean)
def mean(array: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False, *, where: Any = True) -> Any:
    """The mean over axes."""
    source = as_recorded(array)
    axes = negative_axes(axis, source.ndim)
    return total(source, axis, dtype, keepdims=keepdims, where=where) / _count(source, axes, keepdims, where)


def _count(source: RecordedArray, axes: tuple[int, ...], keepdims: Any, where: Any) -> Any:
    """Over how many entries is reduced."""
    if where is True:
        return product_of(source.shape[one] for one in axes)
    return np.sum(np.broadcast_to(plain(where), source.shape), axis=axes, keepdims=bool(keepdims))


@composed(np.nansum)
def nansum(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> Any:
    """The sum of what is a number."""
    return total(a, axis, dtype, keepdims, where=~np.isnan(plain(a)))


@composed(np.nanmean)
def nanmean(a: Any, axis: Any = None, dtype: Any = None, keepdims: Any = False) -> Any:
    """The mean of what is a number."""
    return mean(a, axis, dtype, keepdims, where=~np.isnan(plain(a)))


@composed(np.average)
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


def variance(
    array: Any,
    axis: Any = None,
    dtype: Any = None,
    ddof: Any = 0,
    keepdims: Any = False,
    *,
    where: Any = True,
    correction: Any = np._NoValue,
) -> Any:
    """The mean square of what is left without the mean."""
    source = as_recorded(array)
    rest = source - mean(source, axis, dtype, keepdims=True, where=where)
    count = _count(source, negative_axes(axis, source.ndim), keepdims, where)
    freedom = np.maximum(count - (ddof if correction is np._NoValue else correction), 0)
    return total(rest * rest, axis, keepdims=keepdims, where=where) / freedom


@wraps(variance)
def _deviation(*arguments: Any, **options: Any) -> Any:
    """The root of the variance."""
    return np.sqrt(variance(*arguments, **options))


composed(np.var)(variance)
composed(np.std)(_deviation)


@composed(np.ptp)
def extent(array: Any, axis: Any = None, keepdims: Any = False, **_: Any) -> Any:
    """The largest less the smallest."""
    return maximum(array, axis, keepdims) - minimum(array, axis, keepdims)


@implements(np.diff)
def difference(a: Any, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue) -> Any:
    """What each entry exceeds the one before by."""
    rows = np.moveaxis(as_recorded(a), axis, 0)
    ends = [
        []
        if end is np._NoValue
        else [np.broadcast_to(end, (1, *rows.shape[1:])) if not np.ndim(end) else np.moveaxis(end, axis, 0)]
        for end in (prepend, append)
    ]
    rows = np.concatenate([*ends[0], rows, *ends[1]])
    for _number in range(n):
        rows = rows[1:] - rows[:-1]
    return np.moveaxis(rows, 0, axis)


@composed(np.trapezoid)
def trapezoid(values: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral of a polygon."""
    rows = np.moveaxis(as_recorded(values), axis, -1)
    widths = dx if x is None else difference(as_recorded(x))
    return total(widths * (rows[..., 1:] + rows[..., :-1]) / 2, -1)
