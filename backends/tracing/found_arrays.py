"""The arrays and lists of floats that a function can reach, and what stands for each in a run."""

from __future__ import annotations

from builtins import list as List  # noqa: N812 # a method has the name
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..models.traced import ENTRY_DTYPES
from .array import RecordedArray
from .holders import fill
from .memory import Memory, base_of
from .recording import Recording
from .snapshots import Snapshots
from .unrecordable import Unrecordable, is_unrecordable

PATH = str  # how a value is reached, such as `params['W']`


class FoundArrays:
    """The arrays that were found so far.

    Attributes:
        arrays: by how each is reached first, the floating-point arrays, and lists of floats as arrays: as they were
            when they were found, if the run is recorded, and else as they are.
        origins: by the same paths, the numbers of their entries; empty in a run that is not recorded.
        module: the name of the module whose names are being looked through.
    """

    def __init__(self, snapshots: Snapshots, recording: Recording | None, values: Mapping[PATH, np.ndarray]) -> None:
        """Begins with none.

        Args:
            snapshots: to which what may be written to is added.
            recording: to which the entries belong; None exchanges nothing.
            values: by the path, the numbers that an array gets, where nothing is recorded.
        """
        self.arrays: dict[PATH, np.ndarray] = {}
        self.origins: dict[PATH, np.ndarray] = {}
        self.module = ""
        self._snapshots, self._recording, self._values = snapshots, recording, values
        self._memory = None if recording is None else Memory(recording)
        self._saved: dict[int, np.ndarray] = {}  # by their identity, arrays whose numbers are in a snapshot

    def array(self, array: np.ndarray, path: PATH) -> Any:
        """What stands for an array of numbers.

        Args:
            array: of any kind, but of objects.
            path: how it is reached.

        Returns:
            In a recorded run a recorded array, or something that refuses to be used; else the array.
        """
        path = self._free(path)
        is_differentiable = not is_unrecordable(array) and array.dtype.newbyteorder("=") in ENTRY_DTYPES
        if self._memory is None:
            self._keep(array, path)
            if is_differentiable:
                self.arrays[path] = array
                return _written(array, self._values[path]) if path in self._values else array
            return array
        if is_unrecordable(array):
            return Unrecordable(array, path)
        if is_differentiable:
            made = self._memory.recorded(array)
            self.arrays[path], self.origins[path] = made.numbers.copy(), made.origin.copy()
            return made
        if array.dtype.kind in "iub":
            return self._memory.plain(array)
        self._keep(array, path)
        return array

    def number(self, value: Any, path: PATH) -> Any:
        """What stands for a number of Python's or NumPy's that is differentiated by."""
        holder = [value]
        self.list(holder, np.array([value]), path)
        path = next(reversed(self.arrays))
        for found in (self.arrays, self.origins):
            if path in found:
                found[path] = found[path].reshape(())
        return holder[0]

    def list(self, rows: List[Any], numbers: np.ndarray, path: PATH) -> None:
        """Records the numbers of a list of floats, or of lists of such, one by one; or writes others into it.

        Args:
            rows: the list.
            numbers: what is in it.
            path: how it is reached.
        """
        path = self._free(path)
        self.arrays[path] = numbers
        if self._recording is not None:
            self.origins[path] = self._recording.argument(numbers)
            fill(rows, RecordedArray(numbers, self.origins[path]))
        elif path in self._values:
            fill(rows, self._values[path].reshape(numbers.shape))

    def _keep(self, array: np.ndarray, path: PATH) -> None:
        """What may be written to, once for all views of the same memory."""
        base = base_of(array)
        for one in (base, array):
            if id(one) not in self._saved:
                self._saved[id(one)] = one
                self._snapshots.of_flags(one)
                if one is base or (one.flags.writeable and not base.flags.writeable):
                    self._snapshots.of_array(one, path)
        if isinstance(array, np.ma.MaskedArray) and array.mask is not np.ma.nomask:
            self._keep(np.asarray(array.mask), path)

    def _free(self, path: PATH) -> PATH:
        """The path, after the module's name if an argument or another module has an array of the same."""
        if path not in self.arrays:
            return path
        longer = f"{self.module}.{path}" if self.module else path
        while longer in self.arrays:
            longer += "_"
        return longer


def _written(array: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The array with other numbers; a new one if its memory is nobody's to write to."""
    try:
        array.flags.writeable = True
    except ValueError:
        return values.astype(array.dtype)
    array[...] = values
    return array
