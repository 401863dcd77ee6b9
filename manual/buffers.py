"""Memory for the arrays of a computation, which the next one of the same shapes can use again."""

from __future__ import annotations

import numpy as np


class Buffers:
    """Arrays by name. What one computation left in them is overwritten by the next that is given the same buffers.

    An array has one name and one meaning. So a computation takes its scratch arrays from here too, each under a name
    of its own: a loop over short steps has no time to ask the system for memory.

    Example:
        >>> import numpy as np
        >>> from gradparity.manual import Buffers
        >>> buffers = Buffers()
        >>> h = buffers.empty("h", (2, 3), like=np.zeros(1, "float32"))
        >>> h.shape, h.dtype.name
        ((2, 3), 'float32')
        >>> buffers.empty("h", (2, 3), like=h) is h
        True
        >>> buffers.part("layer1").empty("h", (2, 3), like=h) is h
        False
    """

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}
        self._parts: dict[str, Buffers] = {}

    def empty(self, name: str, shape: tuple[int, ...], like: np.ndarray) -> np.ndarray:
        """An array with any contents: the one of this name that is there, or a new one if that does not fit.

        Args:
            name: of the array within these buffers.
            shape: of the array.
            like: an array of the dtype and the type (a subclass of `numpy.ndarray`) that is wanted.

        Returns:
            The array. Until one of another shape, dtype or type is asked for, the same name gives the same array.
        """
        kept = self._arrays.get(name)
        if kept is None or kept.shape != shape or kept.dtype != like.dtype or type(kept) is not type(like):
            kept = self._arrays[name] = np.empty_like(like, shape=shape)
        return kept

    def part(self, name: str) -> Buffers:
        """Buffers for a part of the computation, such as a layer of a stack.

        Args:
            name: of the part.

        Returns:
            The same buffers for the same name. Their names are apart from those of these buffers.
        """
        return self._parts.setdefault(name, Buffers())
