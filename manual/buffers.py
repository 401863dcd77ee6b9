"""Memory for the arrays of a computation, which the next one of the same shapes can use again."""

from __future__ import annotations

import numpy as np


class Buffers:
    """Arrays by name. What one computation left in them is overwritten by the next that is given the same buffers."""

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}
        self._parts: dict[str, Buffers] = {}

    def empty(self, name: str, shape: tuple[int, ...], like: np.ndarray) -> np.ndarray:
        """An array of this shape, with any contents, and of the dtype and kind of another one."""
        kept = self._arrays.get(name)
        if kept is None or kept.shape != shape or kept.dtype != like.dtype or type(kept) is not type(like):
            kept = self._arrays[name] = np.empty_like(like, shape=shape)
        return kept

    def part(self, name: str) -> Buffers:
        """Buffers of its own for a part of the computation, such as a layer of a stack."""
        return self._parts.setdefault(name, Buffers())
