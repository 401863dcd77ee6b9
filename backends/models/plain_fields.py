"""Fields of plain values that anybody may have written: each is what is expected there, or a `ValueError` says so."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from math import prod
from typing import Any

from ..errors import printable

MAX_AXES = 32
MAX_NUMBER = 2**28  # of anything that is counted
MAX_NAME = 301  # characters: as many as `printable` leaves
SHOWN = 40  # characters of what is wrong


def integer(value: Any, low: int, high: int) -> int:
    """An integer between bounds.

    Example:
        >>> integer(True, 0, 3)
        Traceback (most recent call last):
        ValueError: true, expected an integer in 0..3
    """
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{shown(value)}, expected an integer in {low}..{high}")
    return value


def name_in(value: Any) -> str:
    """A text that can be printed on one line."""
    if type(value) is not str or not value.isprintable() or not 0 < len(value) <= MAX_NAME:
        raise ValueError(f"{shown(value)}, expected a name")
    return value


def known_in(kind: str, value: Any, known: Collection[str]) -> str:
    """One of some names."""
    if type(value) is not str or value not in known:
        raise ValueError(f"unknown {kind} {shown(value)}")
    return value


def flag(value: Any) -> bool:
    """A truth value."""
    if type(value) is not bool:
        raise ValueError(f"{shown(value)}, expected true or false")
    return value


def list_in(value: Any, length: int | None = None) -> list[Any]:
    """A list, of a length if that is stated."""
    if type(value) is not list or length not in (None, len(value)):
        raise ValueError(f"{shown(value)}, expected a list{'' if length is None else f' of {length} values'}")
    return value


def shape_in(value: Any) -> tuple[int, ...]:
    """The shape of an array that is not too large.

    Example:
        >>> shape_in([2, 3])
        (2, 3)
    """
    if len(list_in(value)) > MAX_AXES:
        raise ValueError(f"a shape of {len(value)} axes, expected at most {MAX_AXES}")
    shape = tuple(integer(size, 0, MAX_NUMBER) for size in value)
    if prod(shape) > MAX_NUMBER:
        raise ValueError(f"a shape of {prod(shape)} numbers, expected at most {MAX_NUMBER}")
    return shape


def require_names(value: Any, expected: Collection[str]) -> None:
    """Checks that a dict has these names and no other."""
    if type(value) is not dict:
        raise ValueError(f"{shown(value)}, expected values by name")
    for name in expected:
        if name not in value:
            raise ValueError(f"there is no {name!r}")
    for name in value:
        if name not in expected:
            raise ValueError(f"{printable(repr(name), SHOWN)} is not one of {', '.join(expected)}")


def require_row(array: Any, name: str, dtype: Any) -> None:
    """Checks that an array has one axis, and a dtype."""
    if array.dtype != dtype or array.ndim != 1:
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, expected {dtype} in a row")


def shown(value: Any) -> str:
    """A plain value, short enough for one line.

    Example:
        >>> shown(None), shown([1, 2])
        ('null', 'a list of 2')
    """
    if isinstance(value, Mapping | list):
        return f"a {type(value).__name__} of {len(value)}"
    return printable(json.dumps(value), SHOWN)
