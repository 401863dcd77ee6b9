"""What a file may take: known before memory is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ..errors import InvalidProblemError, printable
from ..npz_files import MAX_BYTES

MAX_ENTRIES = 100_000  # groups, arrays or nodes of a file
MAX_DEPTH = 64  # of what lies in each other


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        InvalidProblemError: there is no such file, it is larger than the limit, or it cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise InvalidProblemError(
                f"{path}: {size / 2**30:.3g} GiB, expected at most {MAX_BYTES / 2**30:.3g} GiB: keep the layer alone"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise InvalidProblemError(f"{path}: no such file") from None
    except OSError as error:
        raise InvalidProblemError(f"{path}: cannot be read: {error.strerror or error}") from error


class Budget:
    """How many bytes, and how many entries, may still be taken from a file."""

    def __init__(self, path: Path) -> None:
        self.path, self.bytes, self.entries = path, MAX_BYTES, MAX_ENTRIES

    def take_array(self, name: str, shape: Sequence[int], itemsize: int) -> None:
        """Counts an array, before it is made.

        Raises:
            InvalidProblemError: all arrays together would be larger than the limit, or a size is negative.
        """
        if any(size < 0 for size in shape):
            raise InvalidProblemError(f"{self.path}: damaged: {printable(name)} has shape {tuple(shape)}")
        self.bytes -= math.prod(shape) * itemsize
        if self.bytes < 0:
            raise InvalidProblemError(
                f"{self.path}: its arrays are larger than {MAX_BYTES / 2**30:.3g} GiB together, which is the limit"
            )

    def take_entry(self, depth: int = 0) -> None:
        """Counts an entry that lies so deep in others.

        Raises:
            InvalidProblemError: there are too many, or it lies too deep.
        """
        self.entries -= 1
        if self.entries < 0 or depth > MAX_DEPTH:
            kind = f"{MAX_DEPTH} levels" if depth > MAX_DEPTH else f"{MAX_ENTRIES} entries"
            raise InvalidProblemError(f"{self.path}: more than {kind}, which is the limit")
