"""Checks of single values: each message names the value, and what was expected."""

from __future__ import annotations

import json
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

import numpy as np

from .errors import InvalidProblemError, first_line, printable, unknown_name

DTYPES = ("float64", "float32")


def require_dtype(dtype: object) -> np.dtype:
    """The NumPy dtype of a problem.

    Args:
        dtype: what NumPy takes for a dtype.

    Returns:
        float64 or float32, in this machine's byte order.

    Raises:
        InvalidProblemError: it is another dtype.
        UnknownNameError: it is no dtype.
    """
    try:
        numpy_dtype = np.dtype(dtype)  # type: ignore[call-overload]
    except TypeError:
        raise unknown_name("dtype", dtype, DTYPES) from None
    if numpy_dtype.name not in DTYPES:
        raise InvalidProblemError(f"dtype is {numpy_dtype}, expected float64 or float32")
    return np.dtype(numpy_dtype.name)  # in this machine's byte order


def require_number(name: str, value: object) -> float:
    """The value as a float.

    Args:
        name: how the message calls the value.
        value: any object.

    Returns:
        The float.

    Raises:
        InvalidProblemError: it is no finite number.
    """
    if isinstance(value, Real) and np.isfinite(float(value)):
        return float(value)
    raise InvalidProblemError(f"{name} = {value!r}, expected a finite number")


def require_integer(name: str, value: object, *, at_least: int) -> int:
    """The value as an int.

    Args:
        name: how the message calls the value.
        value: any object; NumPy's integers will do.
        at_least: the smallest value that is allowed.

    Returns:
        The int.

    Raises:
        InvalidProblemError: it is no integer, or too small.
    """
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= at_least:
        return int(value)
    raise InvalidProblemError(f"{name} = {value!r}, expected an integer of at least {at_least}")


def require_flag(name: str, value: object) -> bool:
    """The value, if it is True or False.

    Args:
        name: how the message calls the value.
        value: any object.

    Returns:
        The value.

    Raises:
        InvalidProblemError: it is something else.
    """
    if isinstance(value, bool):
        return value
    raise InvalidProblemError(f"{name} = {value!r}, expected True or False")


def require_choice(name: str, value: object, known: Iterable[str]) -> None:
    """Checks that a value is one of the known names.

    Args:
        name: how the message calls the value.
        value: any object.
        known: the names.

    Raises:
        UnknownNameError: it is not; the message has the nearest name.
    """
    if value not in (known := tuple(known)):
        raise unknown_name(name, value, known)


def require_one_dtype(what: str, arrays: Iterable[np.ndarray]) -> None:
    """Checks that all arrays are float64, or all float32.

    Args:
        what: how the message calls the arrays.
        arrays: the arrays.

    Raises:
        InvalidProblemError: they have several dtypes, or another one.
    """
    dtypes = sorted({array.dtype.name for array in arrays})
    if len(dtypes) != 1 or dtypes[0] not in DTYPES:
        raise InvalidProblemError(f"{what} are {' and '.join(dtypes)}, expected one dtype, float32 or float64")


def as_array(name: str, value: object) -> np.ndarray[Any, Any]:
    """A copy of the value as an array of numbers.

    Args:
        name: how the message calls the value.
        value: what NumPy takes for an array.

    Returns:
        An array, contiguous and in this machine's byte order.

    Raises:
        InvalidProblemError: it is no array, or not one of numbers.
    """
    try:
        array = np.array(value, order="C")
    except Exception as error:  # such as of a value that JAX or PyTorch traces
        raise InvalidProblemError(f"{name} is no array: {first_line(error)}") from None
    if array.dtype.kind not in "fiub":
        raise InvalidProblemError(f"{name} is {array.dtype}, expected an array of numbers")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def plain_values(text: str) -> Any:
    """What a JSON text holds.

    Args:
        text: of any origin.

    Returns:
        Its values.

    Raises:
        ValueError: it is no JSON, or has a name twice.
        RecursionError: it is nested too deeply.

    Example:
        >>> plain_values('{"cell": "lstm", "cell": "gru"}')
        Traceback (most recent call last):
        ValueError: 'cell' stands in it twice, expected every name once
    """
    return json.loads(text, object_pairs_hook=_by_name)


def _by_name(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{printable(repr(twice))} stands in it twice, expected every name once")
    return named
