"""A journal: a file that keeps the results of long work line by line, so that it can be stopped and continued."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ...backends import RequestError
from ...backends.file_writing import require_writable, write_whole


class Journal(NamedTuple):
    """What a journal says.

    Attributes:
        settings: of its header, by the names that were asked for; empty where there is no journal yet.
        lines: after the header.
        whole_bytes: the length of the file's whole lines.
    """

    settings: dict[str, Any]
    lines: list[Any]
    whole_bytes: int


def read_journal(
    path: Path,
    header: Mapping[str, Any],
    *,
    subject: str,
    earlier: Mapping[str, Collection[Any]] = {},  # read only
) -> Journal:
    """Reads a journal; writes nothing.

    Args:
        path: the file, which need not exist.
        header: the settings, which have to be those that the journal was begun with.
        subject: of which it is a journal, such as `a sweep`.
        earlier: by the header's names, values of earlier versions that are read too.

    Returns:
        What it says.

    Raises:
        RequestError: it is of another subject, has other settings, or cannot be written.
    """
    require_writable(path)
    content = path.read_bytes() if path.exists() else b""
    whole = content[: content.rfind(b"\n") + 1]
    if not content:
        return Journal({}, [], 0)
    try:
        first, *lines = [json.loads(line) for line in whole.splitlines()]
        settings = {name: first[name] for name in header}
    except (ValueError, TypeError, LookupError):
        raise not_a_journal(path, subject) from None
    for name, value in header.items():
        if (known := settings[name]) != value and known not in earlier.get(name, ()):
            raise RequestError(f"{path}: is the log of {subject} with {name} {known}, but {value} was asked for")
    return Journal(settings, lines, len(whole))


def not_a_journal(path: Path, subject: str) -> RequestError:
    """The error about a file that is something else."""
    return RequestError(f"{path}: is no log of {subject}, and was left as it is")


@contextmanager
def open_journal(
    journal: Path | None, whole_bytes: int, header: Mapping[str, Any]
) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Opens a journal to append to it; what follows its whole lines is dropped.

    Args:
        journal: the file; None writes nowhere.
        whole_bytes: what `read_journal` returned.
        header: with what a new one begins.

    Yields:
        A function that appends a line at once.

    Raises:
        RequestError: the file cannot be written.
    """
    if journal is None:
        yield lambda line: None
        return
    try:
        file = journal.open("ab", buffering=0)
        file.truncate(whole_bytes)
    except OSError as error:
        raise RequestError(f"{journal}: cannot be written: {error.strerror}") from error

    def write(line: Mapping[str, Any]) -> None:
        left = _encoded(line)
        try:
            while left:
                left = left[file.write(left) :]
        except OSError as error:  # a full disk: the next run drops the part of a line
            raise RequestError(f"{journal}: cannot be written: {error.strerror}") from error

    with file:
        if not whole_bytes:
            write(header)
        yield write


def rewrite_journal(path: Path, header: Mapping[str, Any], lines: Iterable[Mapping[str, Any]]) -> int:
    """Replaces a journal by one with this header and these lines, whole or not at all; returns its length in bytes."""
    content = b"".join(map(_encoded, [header, *lines]))
    write_whole(path, content)
    return len(content)


def _encoded(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"
