"""Lists of floats, or of lists of such: arrays as some people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def floats_in(rows: Any) -> np.ndarray:
    """The numbers of a list of floats, or of lists of such of equal length; an empty array of any other list.

    Example:
        >>> floats_in([[1.0, 2.0], [3.0, 4.0]]).shape, floats_in([1.0, "a"]).shape
        ((2, 2), (0,))
    """
    none = np.zeros(0)
    if not isinstance(rows, list) or not rows:
        return none
    if all(type(one) is float for one in rows):
        return np.array(rows)
    if all(isinstance(one, list) for one in rows):
        parts = [floats_in(one) for one in rows]
        if all(part.size and part.shape == parts[0].shape for part in parts):
            return np.stack(parts)
    return none


def fill(rows: Any, numbers: Any, as_number: Callable[[Any], Any]) -> None:
    """Writes an array's numbers into a list of floats, or of lists of such.

    Args:
        rows: the list.
        numbers: an array of its shape.
        as_number: makes of an entry what is written.

    Example:
        >>> rows = [[1.0, 2.0]]
        >>> fill(rows, np.array([[3.0, 4.0]]), float)
        >>> rows
        [[3.0, 4.0]]
    """
    for index, one in enumerate(numbers):
        if one.ndim:
            fill(rows[index], one, as_number)
        else:
            rows[index] = as_number(one)
