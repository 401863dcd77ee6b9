"""A journal: a file that keeps the results of long work line by line, so that it can be stopped and continued."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...backends import RequestError
from ...backends.files import require_writable


def read_journal(
    path: Path,
    header: Mapping[str, Any],
    *,
    of: str,
    earlier: Mapping[str, Collection[Any]] = {},  # read only
) -> tuple[list[Any], int]:
    """The lines of a journal after its header, and how many of its bytes are whole lines; writes nothing.

    Args:
        path: the file, which need not exist.
        header: what was asked for, which has to be what the journal was begun with.
        of: what it is a journal of, such as `a sweep`.
        earlier: by the header's names, values of earlier versions that are read too.

    Raises:
        RequestError: it is of something else, or cannot be written.
    """
    require_writable(path)
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if not content:
        return [], 0
    try:
        first, *lines = [json.loads(line) for line in whole.splitlines()]
        theirs = {name: first[name] for name in header}
    except (ValueError, TypeError, LookupError):
        raise not_a_journal(path, of) from None
    for name, value in header.items():
        if theirs[name] != value and theirs[name] not in earlier.get(name, ()):
            raise RequestError(f"{path}: is the log of {of} with {name} {theirs[name]}, but {value} was asked for")
    return lines, len(whole)


def not_a_journal(path: Path, of: str) -> RequestError:
    return RequestError(f"{path}: is no log of {of}, and was left as it is")


@contextmanager
def opened(journal: Path | None, kept: int, header: Mapping[str, Any]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that appends a line to the journal, at once; what follows the bytes to be kept is dropped.

    Args:
        journal: the file; None writes nowhere.
        kept: what `read_journal` said of it.
        header: what a new one begins with.
    """
    if journal is None:
        yield lambda line: None
        return
    try:
        file = journal.open("ab")
    except OSError as error:
        raise RequestError(f"{journal}: cannot be written: {error.strerror}") from error

    def write(line: Mapping[str, Any]) -> None:
        file.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        file.flush()

    with file:
        file.truncate(kept)
        if not kept:
            write(header)
        yield write
