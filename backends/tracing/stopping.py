"""Where a gradient is meant to stop."""

from __future__ import annotations

from typing import TypeVar

Array = TypeVar("Array")


def stopped(array: Array) -> Array:
    """The same numbers, through which no derivative flows: in a program that says what the right gradient is.

    Truncated backpropagation through time returns a gradient that is not the slope of its loss. A definition with
    `stopped` around the states that it does not go back through has that gradient.

    Args:
        array: any.

    Returns:
        The array as it is; while it is recorded, one with the same numbers.

    Example:
        >>> import numpy as np
        >>> from gradparity.backends import stopped
        >>> from gradparity.compare import check_gradients
        >>> def loss(w, x):
        ...     h = w * x[0]
        ...     return (w * stopped(h) * x[1]).sum()  # one step back, and no further
        >>> def truncated(w, x):
        ...     return {"w": w * x[0] * x[1]}
        >>> check_gradients(truncated, np.ones(2), np.full((2, 2), 3.0), of=loss).verdict
        'agree'
    """
    stop = getattr(array, "__stopped__", None)
    return array if stop is None else stop()
