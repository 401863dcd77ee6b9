"""Weights in half precision, which NumPy does not compute in: widened to float32, which is exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import InvalidProblemError

HALF = ("float16", "bfloat16")
Weights = list[dict[str, np.ndarray]]


def widened(name: str, weights: Sequence[Mapping[str, np.ndarray]]) -> tuple[Weights, str]:
    """The weights of a layer in float32 or float64, and the half precision in which they were.

    Args:
        name: of the layer, for the message.
        weights: of every layer and direction.

    Returns:
        The weights; and `float16` or `bfloat16`, empty if they were in neither.

    Raises:
        InvalidProblemError: some are in half precision, and others are not.

    Example:
        >>> (layer,), precision = widened("a cell", [{"W": np.ones((2, 2), "float16")}])
        >>> layer["W"].dtype.name, precision
        ('float32', 'float16')
    """
    names = sorted({array.dtype.name for layer in weights for array in layer.values()})
    if not set(names) & set(HALF):
        return [dict(layer) for layer in weights], ""
    if len(names) > 1:
        raise InvalidProblemError(f"{name} has weights of {' and '.join(names)}, expected one dtype")
    return [{weight: array.astype("float32") for weight, array in layer.items()} for layer in weights], names[0]
