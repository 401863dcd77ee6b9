"""HDF5 files read from what is in them alone: no link leads out of a file, and sizes are known before memory is taken.

A dataset may stand in other files (external links, external storage, virtual datasets) and unpack to more than its
shape says (a chunk's filter runs until its input ends): such files are refused. Of the filters, gzip and its byte
shuffle are known. Source: "HDF5 File Format Specification", and h5py's documentation.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidProblemError, first_line, printable
from ..npz_files import MAX_BYTES
from .hdf5_process import Hdf5Content
from .limits import Budget

GZIP, SHUFFLE, CHECKSUM = 1, 2, 3  # the numbers of HDF5's own filters
EXPECTED = "expected a file that holds its weights itself"
TEXTS = ("model_config", "keras_version", "name")
MAX_TEXT = 2**25  # of an attribute: the configuration of a large model has some hundred thousand characters


def read_entries(path: Path) -> Hdf5Content:
    """Reads all arrays of numbers of an HDF5 file, and its texts, in this process; for others see `read_hdf5`.

    Args:
        path: the file.

    Returns:
        What it holds.

    Raises:
        InvalidProblemError: it is damaged or too large, looks into other files, or has filters that are not known.
    """
    import h5py

    held, budget = Hdf5Content(), Budget(path)
    try:
        with h5py.File(path, "r") as file:
            datasets = {}
            for name, entry in _entries(path, file, budget):
                if not isinstance(entry, h5py.Dataset):
                    held.groups.append(name)
                elif entry.dtype.kind in "fiu":
                    _require_honest(f"{path}: {printable(name)}", name, entry, budget)
                    datasets[name] = entry
                held.texts.update({(name, key): text for key, text in _texts(entry, budget)})
            held.arrays.update({name: np.asarray(dataset[()]) for name, dataset in datasets.items()})
    except InvalidProblemError:
        raise
    except Exception as error:  # whatever HDF5 makes of damaged bytes
        raise InvalidProblemError(f"{path}: damaged, or not an HDF5 file: {first_line(error)}") from error
    return held


def _entries(path: Path, file: Any, budget: Budget) -> Iterator[tuple[str, Any]]:
    """All groups and datasets that are linked from the root directly; each group once, also if links make a circle."""
    import h5py

    groups = [("", file, 0)]
    seen = set()
    while groups:
        name, group, depth = groups.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:
            continue
        seen.add(address)
        yield name, group
        inner = []
        for key in group:
            budget.take_entry(depth)
            full_name = f"{name}/{key}" if name else key
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise InvalidProblemError(f"{path}: {printable(full_name)} is a link to another place, {EXPECTED}")
            entry = group[key]
            if isinstance(entry, h5py.Group):
                inner.append((full_name, entry, depth + 1))
            elif isinstance(entry, h5py.Dataset):
                yield full_name, entry
        groups += reversed(inner)


def _require_honest(where: str, name: str, dataset: Any, budget: Budget) -> None:
    """Checks that a dataset's numbers are in the file, and how many they are, before one is read."""
    if dataset.is_virtual or dataset.external:
        raise InvalidProblemError(f"{where} stands in other files, {EXPECTED}")
    if dataset.shape is None:
        raise InvalidProblemError(f"{where} is empty, without a shape")
    budget.take_array(name, dataset.shape, dataset.dtype.itemsize)
    if dataset.chunks is None:
        is_whole = dataset.id.get_storage_size() >= dataset.nbytes
    else:
        sizes = zip(dataset.shape, dataset.chunks, strict=True)
        is_whole = dataset.id.get_num_chunks() >= math.prod(-(-size // chunk) for size, chunk in sizes)
        _require_honest_chunks(where, dataset, budget)
    if not is_whole:
        raise InvalidProblemError(f"{where}: damaged: some of its numbers were never written")


def _require_honest_chunks(where: str, dataset: Any, budget: Budget) -> None:
    """Checks that chunks are not larger than the limit, and that none unpacks to more than it should."""
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(k)[0] for k in range(plist.get_nfilters())]
    size = math.prod(dataset.chunks) * dataset.dtype.itemsize
    if size > MAX_BYTES:
        raise InvalidProblemError(f"{where} has chunks of {size / 2**30:.3g} GiB, which is over the limit")
    if not set(filters) <= {GZIP, SHUFFLE, CHECKSUM}:
        raise InvalidProblemError(f"{where} is packed by a filter that is not known, expected gzip")
    if GZIP not in filters:
        return
    checksum = 4 if CHECKSUM in filters[filters.index(GZIP) :] else 0  # behind what is packed

    def check(chunk: Any) -> None:
        budget.take_entry()
        if chunk.filter_mask:
            return  # it is not packed
        packed = dataset.id.read_direct_chunk(chunk.chunk_offset)[1]
        unpacked = zlib.decompressobj().decompress(packed[: len(packed) - checksum], size + 5)
        if len(unpacked) > size + 4:
            raise InvalidProblemError(f"{where}: damaged: a chunk unpacks to more than its shape needs")

    dataset.id.chunk_iter(check)


def _texts(entry: Any, budget: Budget) -> Iterator[tuple[str, str]]:
    """The attributes in `TEXTS` that are a single text."""
    import h5py

    for key in TEXTS:
        if key not in entry.attrs:
            continue
        attribute = entry.attrs.get_id(key)
        is_text = h5py.check_string_dtype(attribute.dtype) is not None
        if is_text and attribute.shape == () and attribute.dtype.itemsize <= MAX_TEXT:
            text = entry.attrs[key]
            text = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
            budget.take_array(key, (len(text),), 4)  # of which many attributes may share one
            yield key, text
