"""Whether numbers of float64 are numbers of float32: few are, and what was computed in float32 is."""

from __future__ import annotations

import numpy as np

FEWEST = 8  # different numbers; each is one of float32 by chance once in 2**29


def are_singles(values: np.ndarray) -> bool:
    """Whether an array consists of numbers of float32, and of so many that this is no chance.

    Example:
        >>> drawn = np.random.default_rng(0).standard_normal(20)
        >>> are_singles(drawn), are_singles(drawn.astype("float32").astype("float64"))
        (False, True)
    """
    numbers = np.unique(values[values != 0])
    return len(numbers) >= FEWEST and np.array_equal(numbers, numbers.astype("f4").astype("f8"))
