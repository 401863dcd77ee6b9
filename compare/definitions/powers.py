"""What the closed form of a linear network loses where powers of W underflow.

The closed form multiplies Vᵀ do by powers of Wᵀ that are formed first. Where such a power underflows, its terms are
lost, although the same product from the left would not underflow. (Where one overflows, so do the states themselves.)
"""

from __future__ import annotations

import numpy as np

from .numbers import Array


class LossesOfPowers:
    """How much may be missing from the derivative with respect to any state.

    Example:
        >>> losses = LossesOfPowers(np.array([[1e-30]], dtype="float32"), steps=3)
        >>> slopes = losses.note(np.array([[1.0], [1e29]], dtype="float32"))
        >>> bool(losses.lose(np.zeros((1, 1), dtype="float32"))[0, 0] > 1e-9)  # 1e29 times the smallest normal number
        True
    """

    def __init__(self, W: Array, steps: int) -> None:
        """Of a network.

        Args:
            W: (…, H, H), with leading axes.
            steps: T.
        """
        limits = np.finfo(W.dtype)
        weights = np.abs(np.asarray(W, dtype="float64"))
        weights = weights.max(axis=tuple(range(weights.ndim - 2)))
        self._per_term = 0.0
        power, linked = weights, weights > 0
        for _ in range(steps - 1):
            power, linked = power @ weights, (linked @ weights) > 0
            if (power[linked] < limits.tiny).any():
                self._per_term = len(weights) * steps * float(limits.tiny)
        self._largest = 0.0

    def note(self, derivative: Array) -> Array:
        """Remembers Vᵀ do, what the states receive from the losses of their steps, and hands it on."""
        self._largest = float(np.abs(np.asarray(derivative)).max(initial=0))
        return derivative

    def lose(self, derivative: Array) -> Array:
        """A derivative with respect to a state, with what may be missing added in the last of the computations."""
        if self._per_term and self._largest:
            derivative = derivative.copy()
            last = derivative[-1].view(np.ndarray)  # which rounds nothing
            last += last.dtype.type(self._per_term * self._largest)
        return derivative
