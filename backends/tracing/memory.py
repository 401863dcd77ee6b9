"""Arrays that share memory, as recorded arrays that do."""

from __future__ import annotations

import numpy as np

from ..models.traced import ENTRY_DTYPES
from .array import PlainArray, RecordedArray
from .recording import Recording

as_strided = np.lib.stride_tricks.as_strided


class Memory:
    """Copies of the memory of a program's arrays, in which each number of an argument has its entry.

    Example:
        >>> whole = np.zeros((2, 3))
        >>> memory = Memory(Recording())
        >>> memory.recorded(whole.T).origin.tolist(), memory.recorded(whole[1, ::2]).origin.tolist()
        ([[1, 4], [2, 5], [3, 6]], [4, 6])
    """

    def __init__(self, recording: Recording) -> None:
        """Begins with nothing.

        Args:
            recording: to which the entries belong.
        """
        self._recording = recording
        self._copies: dict[tuple[int, np.dtype, int], tuple[np.ndarray, np.ndarray]] = {}
        self._alive: list[np.ndarray] = []  # so that no identity is given twice

    def recorded(self, array: np.ndarray) -> RecordedArray:
        """The same view of a copy of what a floating-point array is a view of.

        Args:
            array: of any layout and byte order.

        Returns:
            The recorded array.
        """
        numbers, (values, origin) = self._copy_of(array)
        data = _same_view(values, numbers)
        return RecordedArray(data, _same_view(origin, numbers))

    def plain(self, array: np.ndarray) -> PlainArray:
        """Likewise of integers and truth values, which have no entries."""
        numbers, (values, _) = self._copy_of(array)
        return _same_view(values, numbers).view(PlainArray)

    def _copy_of(self, array: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """The array, or one that stands for it, and a copy of the row of numbers that it is a view of."""
        row = _row_under(array)
        if row is None:
            array = np.array(array, array.dtype.newbyteorder("="), order="C", subok=False)
            row = array.reshape(-1)
        key = _address(row), row.dtype, row.size
        if key not in self._copies:
            is_recorded = row.dtype in ENTRY_DTYPES
            origin = self._recording.argument(row) if is_recorded else np.zeros(0, "int64")
            self._copies[key] = row.copy(), origin
            self._alive.append(row)
        values, origin = self._copies[key]
        offset = (_address(array) - _address(row)) // array.itemsize
        return array, (values[offset:], origin[offset:])


def base_of(array: np.ndarray) -> np.ndarray:
    """The array to which the memory of an array belongs.

    Example:
        >>> whole = np.zeros(4)
        >>> base_of(whole[1:].reshape(1, 3)) is whole
        True
    """
    base = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    return base


def _row_under(array: np.ndarray) -> np.ndarray | None:
    """All numbers in the memory that an array lies in, in a row; None if they are not of its dtype, one after another.

    The memory may belong to an array of another dtype, such as one of bytes.
    """
    base = np.asarray(base_of(array))
    if not array.size or not array.dtype.isnative or not base.flags.forc or base.dtype.hasobject:
        return None
    places = [_address(array) - _address(base), *array.strides]
    bits = (base if base.flags.c_contiguous else base.T).reshape(-1).view("uint8")
    start = places[0] % array.itemsize
    if any(place % array.itemsize for place in places[1:]):
        return None
    count = (bits.size - start) // array.itemsize
    return bits[start : start + count * array.itemsize].view(array.dtype)


def _same_view(row: np.ndarray, array: np.ndarray) -> np.ndarray:
    """A view of a row, from its first number on, with the shape and the steps of an array."""
    if not array.size:
        return np.zeros(array.shape, row.dtype)
    steps = tuple(step // array.itemsize * row.itemsize for step in array.strides)
    return as_strided(row, array.shape, steps)


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])
