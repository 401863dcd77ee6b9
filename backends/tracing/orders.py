"""NumPy's functions that put numbers in order, on recorded arrays: which order that is, is a decision."""

from __future__ import annotations

from typing import Any

import numpy as np

from .array import as_recorded, decide, is_recorded, plain
from .movement import paired
from .own_values import composed
from .recorder import implements, refused


@implements(np.sort)
def sort(array: Any, axis: Any = -1, **options: Any) -> Any:
    """In ascending order."""
    source = as_recorded(array) if axis is not None else as_recorded(array).reshape(-1)
    axis = -1 if axis is None else axis
    order = plain(decide(np.argsort, source, axis=axis, kind="stable"))
    return paired(np.take_along_axis(source.numbers, order, axis), np.take_along_axis(source.origin, order, axis))


@implements(np.partition)
def partition(array: Any, kth: Any, axis: Any = -1, **options: Any) -> Any:
    """With some entries where they would stand in order; all places in NumPy's own order are decided at once."""
    source = as_recorded(array) if axis is not None else as_recorded(array).reshape(-1)
    axis = -1 if axis is None else axis
    decide(np.argsort, source, axis=axis, kind="stable")
    order = np.argpartition(source.numbers, kth, axis)
    return paired(np.take_along_axis(source.numbers, order, axis), np.take_along_axis(source.origin, order, axis))


def _in_rows(array: Any, axis: Any) -> Any:
    """In order along the first axis."""
    source = as_recorded(array) if axis is not None else as_recorded(array).reshape(-1)
    return np.moveaxis(np.sort(source, axis=axis or 0), axis or 0, 0)


def _kept(result: Any, array: Any, axis: Any, keepdims: Any) -> Any:
    """The axes of size 1 that were reduced, or not."""
    if not keepdims:
        return result
    return np.expand_dims(result, tuple(range(as_recorded(array).ndim)) if axis is None else axis)


@composed(np.median)
def median(a: Any, axis: Any = None, keepdims: Any = False) -> Any:
    """The middle one of all in order, or the mean of the two."""
    if isinstance(axis, tuple):
        raise refused("np.median over several axes cannot be followed")
    rows = _in_rows(a, axis)
    return _kept((rows[(len(rows) - 1) // 2] + rows[len(rows) // 2]) / 2, a, axis, keepdims)


@composed(np.quantile)
def quantile(a: Any, q: Any, axis: Any = None, method: Any = "linear", keepdims: Any = False) -> Any:
    """Between two neighbours in order, where a share of all lies below."""
    if isinstance(axis, tuple) or method != "linear" or is_recorded(q) or np.ndim(plain(q)):
        raise refused("np.quantile and np.percentile are followed along one axis, with one share and method 'linear'")
    rows = _in_rows(a, axis)
    below, share = divmod(float(plain(q)) * (len(rows) - 1), 1)
    low, high = rows[int(below)], rows[min(int(below) + 1, len(rows) - 1)]
    return _kept(low + (high - low) * share, a, axis, keepdims)


@composed(np.percentile)
def percentile(a: Any, q: Any, axis: Any = None, method: Any = "linear", keepdims: Any = False) -> Any:
    """`quantile`, with the share in hundredths."""
    return quantile(a, q if is_recorded(q) else np.divide(plain(q), 100), axis, method, keepdims)
