"""Files of weights: named arrays as safetensors or .npz. No pickle is ever loaded."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidProblemError, RequestError, first_line
from ..file_writing import write_whole
from ..frameworks import require
from ..npz_files import read_npz
from .limits import read_bytes

SUFFIXES = (".safetensors", ".npz")  # of what is written
BFLOAT16 = "BF16"  # the upper half of a float32
SAFETENSORS_DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", BFLOAT16: "<u2", "BOOL": "?"},
    **{f"{sign}{8 * size}": f"<{sign.lower()}{size}" for sign in "IU" for size in (1, 2, 4, 8)},
}


def require_suffix(path: Path) -> None:
    """Raises RequestError unless the file's name ends in .safetensors or .npz."""
    if path.suffix not in SUFFIXES:
        raise RequestError(f"{path}: expected a file called {' or '.join(SUFFIXES)}")


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Reads the arrays of a file. Those of bfloat16, which NumPy has not, become float32, which is exact.

    Args:
        path: a .safetensors or .npz file.

    Returns:
        The arrays by name.

    Raises:
        InvalidProblemError: the file is missing, damaged or too large, needs pickle, or has an unknown dtype.
        MissingFrameworkError: it is a .safetensors file, and safetensors is not installed.
        RequestError: its name ends in neither .safetensors nor .npz.
    """
    require_suffix(path)
    return read_npz_weights(path) if path.suffix == ".npz" else read_safetensors(path)


def read_npz_weights(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file; raises InvalidProblemError, as `read_weights` does."""
    return read_npz(path, io.BytesIO(read_bytes(path)))


def write_weights(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Writes arrays to a file, whole or not at all.

    Args:
        path: a .safetensors or .npz file.
        arrays: the arrays by name.

    Returns:
        The path.

    Raises:
        RequestError: as for `read_weights`, or the file cannot be written.
    """
    require_suffix(path)
    contiguous: dict[str, Any] = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    if path.suffix == ".npz":
        content = io.BytesIO()
        np.savez(content, **contiguous)
        return write_whole(path, content.getvalue())
    return write_whole(path, _safetensors().numpy.save(contiguous))


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a .safetensors file; raises InvalidProblemError, as `read_weights` does."""
    content, library = read_bytes(path), _safetensors()
    try:
        entries = library.deserialize(content)
    except library.SafetensorError as error:
        raise InvalidProblemError(f"{path}: damaged, or not a safetensors file: {first_line(error)}") from error
    arrays = {}
    for name, entry in sorted(entries, key=lambda named: in_reading_order(named[0])):  # they come in any order
        if entry["dtype"] not in SAFETENSORS_DTYPES:
            raise InvalidProblemError(
                f"{path}: {name!r} is {entry['dtype']}, expected one of {', '.join(SAFETENSORS_DTYPES)}"
            )
        array = np.frombuffer(entry["data"], SAFETENSORS_DTYPES[entry["dtype"]]).reshape(entry["shape"])
        arrays[name] = (array.astype("u4") << 16).view("f4") if entry["dtype"] == BFLOAT16 else array
    return arrays


def in_reading_order(name: str) -> list[tuple[int, str]]:
    """A key by which names are sorted as people count: `layer2` before `layer10`.

    Args:
        name: of an array.

    Returns:
        The numbers in the name, and what stands between them.

    Example:
        >>> sorted(["l10.W", "l2.W"], key=in_reading_order)
        ['l2.W', 'l10.W']
    """
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", name) if part]


def _safetensors() -> Any:
    require("safetensors", needed_by="a .safetensors file", extra="convert")
    import safetensors.numpy

    return safetensors
