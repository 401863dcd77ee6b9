"""Case files: named arrays and a JSON header in one .npz, without pickle; and the fingerprint of what is in them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..checks import plain_values
from ..errors import InvalidProblemError
from ..npz_files import read_npz

FORMAT = "gradparity-case"
VERSION = 1


def fingerprint(description: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over a description and every array's name, dtype, shape and bytes, in hexadecimal.

    Args:
        description: of the model, as plain values.
        arrays: all arrays by name; their order counts.

    Returns:
        64 digits, which are the same on machines of either byte order.
    """
    digest = hashlib.sha256(json.dumps(description, sort_keys=True).encode())
    for name, array in arrays.items():
        little_endian = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        digest.update(f"{name} {little_endian.dtype.str} {array.shape}\n".encode())
        digest.update(little_endian.tobytes())
    return digest.hexdigest()


def packed(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The content of a case file.

    Args:
        header: plain values.
        arrays: all arrays by name.

    Returns:
        Its bytes.
    """
    text = json.dumps({"format": FORMAT, "version": VERSION, **header})
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, header=np.array(text), **arrays)
    return content.getvalue()


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Reads a case file.

    Args:
        path: the file.

    Returns:
        The header and the arrays by name.

    Raises:
        InvalidProblemError: the file is missing, damaged, needs pickle, is too large, or is no case file.
    """
    try:
        with open(path, "rb") as file:
            return unpacked(file, str(path))
    except FileNotFoundError:
        raise InvalidProblemError(f"{path}: no such file") from None
    except OSError as error:
        raise InvalidProblemError(f"{path}: cannot be read: {error.strerror or error}") from error


def unpacked(file: BinaryIO, path: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The header and the arrays of a case.

    Args:
        file: its content.
        path: how messages call it.

    Returns:
        The header and the arrays by name.

    Raises:
        InvalidProblemError: it is damaged, needs pickle, is too large, or is no case.
    """
    arrays = read_npz(path, file)
    try:
        header = plain_values(str(arrays.pop("header")))
        if (header["format"], header["version"]) != (FORMAT, VERSION):
            raise ValueError
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidProblemError(f"{path}: not a gradparity case of version {VERSION}") from error
    return header, arrays
