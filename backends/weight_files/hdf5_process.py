"""HDF5 files are read in a process of their own, which has a limit of time and of memory.

HDF5 is a library in C. On damaged bytes it may loop without end, where nothing in its own process can stop it, or end
the process: then it is a damaged file, and nothing else ends. The process answers with an .npz of the arrays, and with
JSON of the rest.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidProblemError
from ..frameworks import require_installed
from ..npz_files import MAX_BYTES, read_npz

SECONDS = 60  # for some GiB, which take a few
MEMORY = 4 * MAX_BYTES  # of addresses, libraries included
ARRAYS, REST = "arrays.npz", "rest.json"


@dataclass(frozen=True)
class Hdf5Content:
    """What an HDF5 file holds.

    Attributes:
        arrays: the numbers, by path, without a slash before it.
        texts: the attributes in `hdf5.TEXTS` that are one text, by the path of their group and their own name.
        groups: the paths of all groups, the file's own root as the empty text, in the file's order.
    """

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)


def read_hdf5(path: Path, content: bytes | None = None, *, seconds: float = SECONDS) -> Hdf5Content:
    """Reads all arrays of numbers of an HDF5 file, and its texts.

    Args:
        path: the file, or how messages call it.
        content: its bytes; None reads the file.
        seconds: after which it is given up.

    Returns:
        What it holds.

    Raises:
        InvalidProblemError: it is damaged or too large, looks into other files, or has filters that are not known.
        MissingFrameworkError: h5py is not installed.
    """
    require_installed("h5py", needed_by="an HDF5 file", extra="convert")
    if content is None and not path.exists():
        raise InvalidProblemError(f"{path}: no such file")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = path.resolve()
        if content is not None:
            file = folder / "content.h5"
            file.write_bytes(content)
        _run(path, [str(file), str(path), str(folder)], seconds)
        rest = json.loads((folder / REST).read_text(encoding="utf-8"))
        if "error" in rest:
            raise InvalidProblemError(rest["error"])
        arrays = read_npz(path, io.BytesIO((folder / ARRAYS).read_bytes()), max_bytes=2 * MAX_BYTES)
    return Hdf5Content(
        arrays={name: arrays[str(k)] for k, name in enumerate(rest["names"])},
        texts={(group, key): text for group, key, text in rest["texts"]},
        groups=rest["groups"],
    )


def _run(path: Path, arguments: list[str], seconds: float) -> None:
    """Runs `main` in a process; raises InvalidProblemError unless it comes to its end in time."""
    command = [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"]
    try:
        ended = subprocess.run([*command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise InvalidProblemError(f"{path}: damaged: it was not read within {seconds:g} s") from None
    if ended.returncode:
        raise InvalidProblemError(
            f"{path}: damaged, or too large: HDF5 failed to read it (exit code {ended.returncode})"
        )


def main() -> None:
    """What the process does: reads a file, and leaves what it holds, or what is wrong with it, in a folder."""
    file, shown, folder = sys.argv[1:]
    _limit_memory()
    from .hdf5 import read_entries

    try:
        held = read_entries(Path(file))
    except InvalidProblemError as error:
        message = str(error).replace(file, shown, 1)
        Path(folder, REST).write_text(json.dumps({"error": message}), encoding="utf-8")
        return
    with Path(folder, ARRAYS).open("wb") as opened:
        numbered: dict[str, Any] = {str(k): array for k, array in enumerate(held.arrays.values())}
        np.savez(opened, **numbered)
    texts = [[group, key, text] for (group, key), text in held.texts.items()]
    rest = {"names": list(held.arrays), "texts": texts, "groups": held.groups}
    Path(folder, REST).write_text(json.dumps(rest), encoding="utf-8")


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows, where the limits of `limits` are what there is
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
