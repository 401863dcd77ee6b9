"""Flax's `.msgpack`: nested dictionaries, in which an array is an extension of msgpack.

`flax.serialization` packs an array as extension 1 with (shape, name of the dtype, bytes), a number of NumPy as
extension 3 in the same way, and cuts an array of more than 2³⁰ bytes into `chunks`. Of msgpack's own types, maps,
lists, text, bytes, numbers, flags and nil are read, and nothing else. Source: `flax/serialization.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidProblemError, first_line, printable
from ..frameworks import require
from .layers_by_name import layers_by_name
from .limits import MAX_ENTRIES, Budget, read_bytes
from .weight_file import WeightFile

ARRAY, SCALAR = 1, 3
CHUNKED = "__msgpack_chunked_array__"
DTYPES = {name: np.dtype(name) for name in ("float64", "float32", "float16", "bool")}
DTYPES |= {f"{sign}int{8 * size}": np.dtype(f"{sign}int{8 * size}") for sign in ("", "u") for size in (1, 2, 4, 8)}
BFLOAT16 = "bfloat16"  # the upper half of a float32


def read_msgpack(path: Path, library: str = "") -> WeightFile:
    """Reads the arrays of a file that Flax wrote.

    Args:
        path: the file.
        library: whose names the arrays have, if their names do not tell it.

    Returns:
        Its arrays by the keys on the way to them, joined by points, and the layers among them.

    Raises:
        InvalidProblemError: the file is damaged or too large, or has an extension that Flax has not.
        MissingFrameworkError: msgpack is not installed.
    """
    require("msgpack", needed_by="a .msgpack file", extra="convert")
    import msgpack

    budget, content = Budget(path), read_bytes(path)

    def count(entries: Any) -> Any:
        for _ in range(len(entries) + 1):
            budget.take_entry()
        return entries

    def array_of(code: int, data: bytes) -> np.ndarray:
        if code not in (ARRAY, SCALAR):
            raise InvalidProblemError(f"{path}: damaged, or not written by Flax: an extension {code}")
        return _array(path, msgpack.unpackb(data, raw=False, max_array_len=64, max_map_len=0, max_ext_len=0), budget)

    limits = {"max_array_len": MAX_ENTRIES, "max_map_len": MAX_ENTRIES}
    try:
        tree = msgpack.unpackb(
            content, raw=False, strict_map_key=False, ext_hook=array_of, object_hook=count, list_hook=count, **limits
        )
    except InvalidProblemError:
        raise
    except Exception as error:  # whatever msgpack makes of damaged bytes
        raise InvalidProblemError(f"{path}: damaged, or not a .msgpack file of Flax: {first_line(error)}") from error
    if not isinstance(tree, Mapping):
        raise InvalidProblemError(f"{path}: damaged, or not a .msgpack file of Flax: no dictionary")
    arrays = dict(_arrays(path, tree, "", budget, 0))
    return WeightFile(path, "msgpack of Flax", arrays, layers_by_name(arrays, library))


def _array(path: Path, packed: Any, budget: Budget) -> np.ndarray:
    """The array of an extension: (shape, name of the dtype, bytes)."""
    shape, name, buffer = packed
    if isinstance(name, bytes):
        name = name.decode()
    if name != BFLOAT16 and name not in DTYPES:
        raise InvalidProblemError(f"{path}: an array is {printable(str(name))}, which NumPy has not")
    dtype = np.dtype("u2") if name == BFLOAT16 else DTYPES[name]
    budget.take_array("an array", shape, dtype.itemsize)
    if math.prod(shape) * dtype.itemsize != len(buffer):
        raise InvalidProblemError(f"{path}: damaged: an array has another size than its shape {tuple(shape)} needs")
    array = np.frombuffer(buffer, dtype).reshape(shape)
    return (array.astype("u4") << 16).view("f4") if name == BFLOAT16 else array


def _arrays(path: Path, tree: Any, name: str, budget: Budget, depth: int) -> Iterator[tuple[str, np.ndarray]]:
    budget.take_entry(depth)
    if isinstance(tree, np.ndarray):
        yield name, tree
    elif isinstance(tree, Mapping) and tree.get(CHUNKED):
        yield name, _of_chunks(path, name, tree)
    elif isinstance(tree, Mapping):
        for key, inner in tree.items():
            yield from _arrays(path, inner, f"{name}.{key}" if name else str(key), budget, depth + 1)


def _of_chunks(path: Path, name: str, tree: Mapping[Any, Any]) -> np.ndarray:
    try:
        shape, chunks = ([tree[part][str(k)] for k in range(len(tree[part]))] for part in ("shape", "chunks"))
        return np.concatenate(chunks).reshape(shape)
    except Exception as error:
        raise InvalidProblemError(f"{path}: damaged: {printable(name)}: {first_line(error)}") from error
