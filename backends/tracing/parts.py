"""NumPy's functions that call a person's function, or hand out single entries: they are carried out part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .array import as_recorded, is_recorded, plain
from .recorder import IMPLEMENTED, implements, refused


def _vectorize(pyfunc: Any, otypes: Any = None, doc: Any = None, **options: Any) -> Callable[..., Any]:
    """`np.vectorize`: the function, of each entry in turn."""
    if options:
        raise refused(f"np.vectorize with {', '.join(options)} cannot be followed")

    def vectorized(*arrays: Any) -> Any:
        sources = IMPLEMENTED[np.broadcast_arrays](*arrays)
        entries = zip(*[source.reshape(-1) for source in sources], strict=True)
        return IMPLEMENTED[np.array]([pyfunc(*numbers) for numbers in entries]).reshape(sources[0].shape)

    return vectorized


def _ndenumerate(arr: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """`np.ndenumerate`: the places and the entries."""
    return ((index, arr[index]) for index in np.ndindex(np.shape(arr)))


def _fromiter(iter: Iterable[Any], dtype: Any, count: int = -1, *, like: Any = None) -> Any:
    """`np.fromiter`: an array of what is handed out."""
    numbers = list(iter)
    return IMPLEMENTED[np.array](numbers if count < 0 else numbers[:count], dtype)


MADE_OF_PARTS: dict[Any, Callable[..., Any]] = {  # found in their places, whatever the arguments are
    np.vectorize: _vectorize,
    np.ndenumerate: _ndenumerate,
    np.fromiter: _fromiter,
}


@implements(np.apply_along_axis)
def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """A function of each row along an axis."""
    rows = np.moveaxis(as_recorded(arr), axis, -1)
    made = [func1d(rows[index], *args, **kwargs) for index in np.ndindex(rows.shape[:-1])]
    results = IMPLEMENTED[np.array](made)
    axes = results.ndim - 1  # of one result
    stacked = results.reshape(*rows.shape[:-1], *results.shape[1:])
    before = axis % (rows.ndim)
    return np.moveaxis(stacked, range(rows.ndim - 1, rows.ndim - 1 + axes), range(before, before + axes))


@implements(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """For each condition, a function of the entries where it holds; one more function is for all others."""
    source = as_recorded(x)
    conditions = [np.asarray(plain(one)) for one in condlist] if isinstance(condlist, (list, tuple)) else None
    if conditions is None or any(one.shape != source.shape for one in conditions):
        raise refused("np.piecewise is followed with a list of conditions of the array's shape")
    if len(funclist) == len(conditions) + 1:
        conditions.append(~np.any(conditions, axis=0))
    result = np.zeros_like(source)
    for condition, function in zip(conditions, funclist, strict=True):
        result[condition] = function(source[condition], *args, **kw) if callable(function) else function
    return result


@implements(np.bincount)
def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """The sum of the weights in each class."""
    if is_recorded(x):
        raise refused("np.bincount of recorded numbers cannot be followed, except as weights")
    classes = plain(x)
    total = IMPLEMENTED[np.zeros_like](as_recorded(weights), dtype="float64", shape=max(minlength, max(classes) + 1))
    IMPLEMENTED[np.add, "at"](total, classes, weights)
    return total
