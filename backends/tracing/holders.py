"""What holds values without being a dict or an array: lists of floats, objects with attributes, caches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from types import FunctionType
from typing import Any

import numpy as np

from ..errors import is_authors
from .array import RecordedArray, is_recorded
from .array_methods import as_float


def floats_in(rows: Any) -> np.ndarray:
    """The numbers of a list of floats, or of lists of such of equal length; an empty array of any other list.

    Example:
        >>> floats_in([[1.0, 2.0], [3.0, 4.0]]).shape, floats_in([1.0, 2]).size
        ((2, 2), 0)
    """
    none = np.zeros(0)
    if not isinstance(rows, list) or not rows:
        return none
    if all(isinstance(one, float) for one in rows):
        return np.array(rows)
    if all(isinstance(one, list) for one in rows):
        parts = [floats_in(one) for one in rows]
        if all(part.size and part.shape == parts[0].shape for part in parts):
            return np.stack(parts)
    return none


def lists_in(rows: Any) -> Iterator[list[Any]]:
    """The lists in a list of lists, at any depth."""
    for one in rows:
        if isinstance(one, list):
            yield one
            yield from lists_in(one)


def fill(rows: list[Any], numbers: Any) -> None:
    """Writes numbers into a list, or into the lists in it, as numbers of the kind that is there.

    Args:
        rows: a list of floats, or of lists of such.
        numbers: a plain or a recorded array of its shape.

    Example:
        >>> rows = [[1.0, 2.0], [3.0, 4.0]]
        >>> fill(rows, np.zeros((2, 2)))
        >>> rows
        [[0.0, 0.0], [0.0, 0.0]]
    """
    for index in range(len(rows)):
        one = numbers[index]
        if one.ndim:
            fill(rows[index], one)
        elif isinstance(one, RecordedArray):
            rows[index] = one if isinstance(rows[index], np.floating) else as_float(one)
        else:
            rows[index] = type(rows[index])(one)


def cached(function: Any) -> Callable[..., Any]:
    """A function with a cache (`functools.lru_cache`), with a new cache, in which no recorded numbers are kept.

    Args:
        function: with a cache, which is not looked into: it may hold results of other numbers.

    Returns:
        A function that does the same.

    Example:
        >>> squares = lru_cache(lambda n: n * n)
        >>> squares(3), cached(squares)(3), squares.cache_info().currsize
        (9, 9, 1)
    """
    plain = function.__wrapped__
    keeping = lru_cache(**function.cache_parameters())(plain)

    @wraps(plain)
    def call(*arguments: Any, **options: Any) -> Any:
        if is_recorded([*arguments, *options.values()]):
            return plain(*arguments, **options)
        return keeping(*arguments, **options)

    for name in ("cache_info", "cache_clear", "cache_parameters"):
        setattr(call, name, getattr(keeping, name))
    return call


def is_used_up(value: Any) -> bool:
    """Whether a value can be gone through once only, such as a generator.

    Example:
        >>> is_used_up(zip([1])), is_used_up([1])
        (True, False)
    """
    return isinstance(value, Iterator) and type(value).__module__ in ("builtins", "itertools")


def is_authors_class(kind: type) -> bool:
    """Whether a class is neither Python's nor an installed library's.

    Example:
        >>> is_authors_class(dict), is_authors_class(np.ndarray)
        (False, False)
    """
    module = sys.modules.get(kind.__module__)
    return kind.__module__ == "__main__" or is_authors(getattr(module, "__file__", None) or "<")


def is_authors_function(function: FunctionType) -> bool:
    """Whether a function is neither Python's nor an installed library's; of one without a file its module says it.

    Example:
        >>> made = {}
        >>> exec("def loss(w): return w @ w", made)
        >>> is_authors_function(made["loss"]), is_authors_function(np.zeros_like.__wrapped__)
        (True, False)
    """
    file = function.__code__.co_filename
    if not file.startswith("<") or file.startswith("<frozen"):
        return is_authors(file)
    names = function.__globals__
    module = sys.modules.get(names.get("__name__", ""))
    return is_authors(names.get("__file__") or getattr(module, "__file__", None) or "")


def slots_of(value: Any) -> list[str]:
    """The names of an object's slots, as attributes are asked for."""
    names = []
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            is_private = name.startswith("__") and not name.endswith("__")
            names.append(f"_{kind.__name__.lstrip('_')}{name}" if is_private else name)
    return [name for name in names if name not in ("__dict__", "__weakref__")]


def attributes_of(value: Any) -> dict[str, Any]:
    """An object's own attributes, those in slots included."""
    attributes = dict(getattr(value, "__dict__", {}))
    for name in slots_of(value):
        if hasattr(value, name):
            attributes.setdefault(name, getattr(value, name))
    return attributes
