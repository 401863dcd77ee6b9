"""Functions of NumPy's that are put together of several primitives: the values that a program sees are NumPy's own.

What is recorded is the derivative of the same function; carried out again, its values differ by roundings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from .array import RecordedArray, boxed, plain, same_layout
from .movement import to_dtype
from .recorder import IMPLEMENTED, Implementation, name_of, refused


def composed(*functions: Any) -> Callable[[Implementation], Implementation]:
    """Says that a function stands for these of NumPy, with the values of theirs.

    Args:
        *functions: NumPy's, or a ufunc and the name of its method, such as `(np.add, "reduce")`.

    Returns:
        What takes the implementation, and returns it as it is.
    """

    def register(implementation: Implementation) -> Implementation:
        for function in functions:
            own = getattr(*function) if isinstance(function, tuple) else function
            IMPLEMENTED[function] = with_values_of(own, implementation)
        return implementation

    return register


def with_values_of(function: Callable[..., Any], implementation: Callable[..., Any]) -> Callable[..., Any]:
    """An implementation whose results have the values that a function has.

    Args:
        function: the function, of plain numbers.
        implementation: it takes the same arguments, recorded.

    Returns:
        The implementation with these values, in the dtype and the layout that the function gives them.
    """

    @wraps(implementation)
    def called(*arguments: Any, **options: Any) -> Any:
        values = function(*map(plain, arguments), **{name: plain(option) for name, option in options.items()})
        return _valued(implementation(*arguments, **options), values, function)

    return called


def _valued(result: Any, values: Any, function: Any) -> Any:
    """What the implementation recorded, with other values."""
    if isinstance(values, tuple):
        parts = [_valued(one, value, function) for one, value in zip(result, values, strict=True)]
        return tuple(parts) if type(values) is tuple else type(values)(*parts)
    if not isinstance(result, RecordedArray) or result.is_constant:
        return boxed(values)
    if result.shape != np.shape(values):
        raise refused(f"{name_of(function)} with a result of the shape {np.shape(values)} cannot be followed")
    result = to_dtype(result, np.asarray(values).dtype)
    if not isinstance(values, np.ndarray):
        return RecordedArray(values, result.origin[()])
    return RecordedArray(values, same_layout(values, result.origin))
