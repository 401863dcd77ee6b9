"""Records: frozen dataclasses read from JSON, each value held to its field's type."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Record = TypeVar("Record")

WORDS = {int: "an integer", float: "a finite number", str: "a string", bool: "true or false", type(None): "null"}


def record_from(kind: type[Record], values: object, name: str = "") -> Record:
    """The record that JSON values describe.

    Args:
        kind: a dataclass, whose fields are plain, optional, literals, tuples (also with names), objects with values of
            one kind, or dataclasses.
        values: what JSON gave: an object with a value for every field that has no default, and no others.
        name: how messages call the values.

    Returns:
        The record.

    Raises:
        ValueError: a field is missing, is unknown or has a value of another type; the message says what was expected.

    Example:
        >>> from gradparity.compare.bench.workloads import Workload
        >>> record_from(Workload, {"cell": "rnn", "dtype": "float64", "batch_size": [2]})
        Traceback (most recent call last):
        ValueError: batch_size is [2], expected an integer
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{name or 'it'} is {_shown(values)}, expected an object")
    types_of = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    place = f"{name}." if name else ""
    if unknown := [key for key in values if key not in known]:
        raise ValueError(f"{place}{unknown[0]} is no field, expected {', '.join(known)}")
    converted = {key: _converted(types_of[key], value, f"{place}{key}") for key, value in values.items()}
    for field in known.values():
        if field.name not in values and field.default is MISSING and field.default_factory is MISSING:
            raise ValueError(f"{place}{field.name} is missing")
    return kind(**converted)


def _converted(expected: Any, value: object, name: str) -> Any:
    origin, arguments = get_origin(expected), get_args(expected)
    if origin in (Union, types.UnionType):
        matching = [kind for kind in arguments if _fits(kind, value)]
        return _converted(matching[0] if matching else arguments[0], value, name)
    if origin is tuple:
        if not isinstance(value, list):
            raise ValueError(f"{name} is {_shown(value)}, expected a list")
        return tuple(_converted(arguments[0], entry, f"{name}[{i}]") for i, entry in enumerate(value))
    if isinstance(expected, type) and issubclass(expected, tuple):  # a NamedTuple, which JSON writes as a list
        hints = get_type_hints(expected)
        if not isinstance(value, list) or len(value) != len(hints):
            raise ValueError(f"{name} is {_shown(value)}, expected a list of {len(hints)}")
        return expected(
            *(_converted(kind, one, f"{name}.{key}") for (key, kind), one in zip(hints.items(), value, strict=True))
        )
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise ValueError(f"{name} is {_shown(value)}, expected an object")
        return {key: _converted(arguments[1], one, f"{name}.{key}") for key, one in value.items()}
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{name} is {_shown(value)}, expected one of {', '.join(map(str, arguments))}")
        return value
    if isinstance(expected, type) and is_dataclass(expected):
        return record_from(expected, value, name)
    if not _fits(expected, value):
        raise ValueError(f"{name} is {_shown(value)}, expected {WORDS[expected]}")
    return float(value) if expected is float else value  # type: ignore[arg-type]


def _fits(expected: Any, value: object) -> bool:
    """Whether a plain value is of a plain type; JSON's `true` is no number, and 1e400 none that is finite."""
    if expected is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and abs(value) <= _LARGEST and not math.isnan(value)  # type: ignore[arg-type]
    if expected is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if get_origin(expected) is Literal:
        return value in get_args(expected)
    if get_origin(expected) is tuple:
        return isinstance(value, list)
    return isinstance(value, Mapping if is_dataclass(expected) else expected)


_LARGEST = float.fromhex("0x1.fffffffffffffp+1023")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
