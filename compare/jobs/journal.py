"""A journal: a file that keeps the results of long work line by line, so that it can be stopped and continued."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ...backends import RequestError
from ...backends.file_writing import require_writable
from .records import record_from

Record = TypeVar("Record")
Read = TypeVar("Read")
ASKED = "asked"  # how much was asked for, in a header or in a line of its own


class JournalLine(NamedTuple):
    """A line of a journal.

    Attributes:
        path: of the journal.
        number: in the file; the header is line 1.
        values: what JSON gave.
    """

    path: Path
    number: int
    values: Any

    def error(self, what: object) -> RequestError:
        """The error about what is wrong with this line."""
        return RequestError(f"{self.path}: line {self.number}: {what} (the file was left as it is)")

    def record(self, kind: type[Record]) -> Record:
        """The line as a dataclass.

        Raises:
            RequestError: a field is missing, is unknown or has a value of another type.
        """
        try:
            return record_from(kind, self.values)
        except ValueError as error:
            raise self.error(error) from None

    def read(self, reader: Callable[[Any], Read], what: str) -> Read:
        """The line as something that a function reads.

        Args:
            reader: of the values; raises ValueError with a sentence, or LookupError or TypeError where it is another
                thing.
            what: it should be, such as `measurement`.

        Raises:
            RequestError: it is something else.
        """
        try:
            return reader(self.values)
        except ValueError as error:
            raise self.error(error) from None
        except (LookupError, TypeError):
            raise self.error(f"is no {what}") from None


class Journal(NamedTuple):
    """What a journal says.

    Attributes:
        settings: of its header, by the names that were asked for; empty where there is no journal yet.
        lines: after the header, without those that say what was asked for.
        whole_bytes: the length of the file's whole lines.
        header: all of it.
        asked: how much was asked for, each time that it was more than before.
        has_part: whether its last line was not written to its end.
    """

    settings: dict[str, Any]
    lines: list[JournalLine]
    whole_bytes: int
    header: dict[str, Any] = {}  # noqa: RUF012 # of a NamedTuple, and read only
    asked: tuple[Any, ...] = ()
    has_part: bool = False


def read_journal(
    path: Path,
    header: Mapping[str, Any],
    *,
    subject: str,
    earlier: Mapping[str, Collection[Any]] = {},  # read only
    defaults: Mapping[str, Any] = {},  # likewise
) -> Journal:
    """Reads a journal; writes nothing.

    Args:
        path: the file, which need not exist.
        header: the settings, which have to be those that the journal was begun with.
        subject: of which it is a journal, such as `a sweep`.
        earlier: by the header's names, values of earlier versions that are read too.
        defaults: by the header's names, what earlier versions did without saying it.

    Returns:
        What it says.

    Raises:
        RequestError: it is of another subject, has other settings, cannot be written, or has a line that is no JSON.
    """
    require_writable(path)
    if path.exists() and not path.is_file():
        raise RequestError(f"{path}: cannot be a log: it is no file that can be read again")
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from error
    whole = content[: content.rfind(b"\n") + 1]
    if not content:
        return Journal({}, [], 0)
    try:
        first, *rest = whole.split(b"\n")[:-1]
        beginning = strict_json(first)
        settings = {name: beginning[name] if name in beginning else defaults[name] for name in header}
    except (ValueError, TypeError, LookupError):
        raise not_a_journal(path, subject) from None
    lines = []
    asked = [beginning[ASKED]] if ASKED in beginning else []
    for number, text in enumerate(rest, start=2):
        try:
            line = JournalLine(path, number, strict_json(text))
        except ValueError as error:
            raise JournalLine(path, number, None).error(f"is no JSON: {error}") from None
        if isinstance(line.values, dict) and list(line.values) == [ASKED]:
            asked.append(line.values[ASKED])
        else:
            lines.append(line)
    for name, value in header.items():
        if repr(known := settings[name]) != repr(value) and known not in earlier.get(name, ()):  # 1 is not true
            raise RequestError(f"{path}: is the log of {subject} with {name} {known}, but {value} was asked for")
    return Journal(settings, lines, len(whole), beginning, tuple(asked), len(whole) < len(content))


def asked_number(journal: Journal, path: Path, subject: str) -> int:
    """How many jobs were asked for, of all that a journal says of it; 0 if it says nothing.

    Args:
        journal: what it says.
        path: of the journal.
        subject: of which it is one.

    Raises:
        RequestError: what it says is no number.
    """
    if any(not isinstance(one, int) or isinstance(one, bool) or one < 0 for one in journal.asked):
        raise not_a_journal(path, subject)
    return max(journal.asked, default=0)


def strict_json(text: str | bytes) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is no JSON, is nested too deeply, has a number that JSON has not, or one name twice.

    Example:
        >>> strict_json('{"number": 1, "number": 2}')
        Traceback (most recent call last):
        ValueError: 'number' stands in it twice
    """
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands in it twice")
    return values


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


def _encoded(line: Mapping[str, Any]) -> bytes:
    return json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"
