"""Reading .npz files that anybody may have made: without pickle, and within a limit of memory."""

from __future__ import annotations

import io
import math
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .errors import InvalidProblemError, printable

MAX_BYTES = 2**31  # of all arrays together: more than a layer of 8000 units has


def read_npz(path: str | Path, file: BinaryIO, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """The arrays of an .npz file. How large they are is known before one of them is made.

    Args:
        path: how messages call the file.
        file: its content.
        max_bytes: what all arrays may take together.

    Returns:
        The arrays by name.

    Raises:
        InvalidProblemError: the file is damaged or a single array, has a name twice or an entry that is no array,
            needs pickle, or is larger than the limit.
    """
    if file.read(6) == np.lib.format.MAGIC_PREFIX:
        raise InvalidProblemError(f"{path}: a single array, expected an .npz file of several")
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _require_within_limit(path, entries, max_bytes)
            return {_name(entry): _array(path, entry, archive.read(entry)) for entry in entries}
    except InvalidProblemError:
        raise
    except Exception as error:  # whatever zip, zlib and NumPy make of damaged bytes
        raise InvalidProblemError(f"{path}: damaged, or not an .npz file without pickle") from error


def _require_within_limit(path: str | Path, entries: list[zipfile.ZipInfo], max_bytes: int) -> None:
    names = [_name(entry) for entry in entries]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidProblemError(f"{path}: {printable(twice)} stands in it twice, expected every name once")
    size = sum(entry.file_size for entry in entries)  # which `read` does not exceed, whatever is compressed
    if size > max_bytes:
        raise InvalidProblemError(
            f"{path}: unpacks to {size / 2**30:.3g} GiB, expected at most {max_bytes / 2**30:.3g} GiB"
        )


def _name(entry: zipfile.ZipInfo) -> str:
    return entry.filename.removesuffix(".npy")


def _array(path: str | Path, entry: zipfile.ZipInfo, content: bytes) -> np.ndarray:
    name = printable(_name(entry))
    file = io.BytesIO(content)
    if not content.startswith(np.lib.format.MAGIC_PREFIX):
        raise InvalidProblemError(f"{path}: damaged: {name} is no array")
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        raise InvalidProblemError(f"{path}: {name} holds pickled objects, expected a file without pickle")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():  # before memory for the shape is taken
        raise InvalidProblemError(f"{path}: damaged: {name} has another size than its shape {shape} needs")
    return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
