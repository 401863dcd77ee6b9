"""The files that functions come from, as they are now: a log of their times is of these and of no others."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

DIGITS = 12


def digests_of(targets: Iterable[str]) -> dict[str, str]:
    """The beginnings of the SHA-256 of the files that are named; not of what these import.

    Args:
        targets: `FILE.py:FUNCTION`, `FILE.npz`, or `MODULE:FUNCTION` of a module that is loaded.

    Returns:
        For each file or module, as it is named, 12 digits.

    Example:
        >>> list(digests_of(["gradparity.compare.function_bench.sources:digests_of"]))
        ['gradparity.compare.function_bench.sources']
    """
    found = {}
    for target in targets:
        source = target if target.endswith(".npz") else target.rpartition(":")[0]
        path = source if source.endswith((".py", ".npz")) else getattr(sys.modules.get(source), "__file__", None)
        if path is not None:  # a module of the interpreter itself has no file
            found[source] = hashlib.sha256(Path(path).read_bytes()).hexdigest()[:DIGITS]
    return found
