"""Logs of one run are read, held against each other, and put together."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ...backends import RequestError
from ..jobs import ASKED, Journal, JournalLine, read_journal
from ..jobs.journal import strict_json
from ..workers import WHOLE, parse_shard, require_same_versions
from .kinds import Entry, Key, LogKind, kind_of

TOLD = ("python", "platform", "processor", "cores", "blas")  # of the environments, where they differ


@dataclass(frozen=True)
class LogPart:
    """One of the logs.

    Attributes:
        name: the file's.
        shard: which part of the run it says it is.
        results: how many it has.
        repeated: how many of them an earlier log has, too.
        has_part: whether its last line was not written to its end, and left out.
    """

    name: str
    shard: str
    results: int
    repeated: int
    has_part: bool


@dataclass(frozen=True)
class MergedLog:
    """What the logs say together.

    Attributes:
        subject: of which they are the logs, such as `a sweep`.
        one: what a result is about, such as `problem`.
        header: of the log that they make.
        results: by number, or by the label of a workload, in order.
        missing: what was asked for and is in none of them.
        parts: the logs.
        notes: what else is to be said.
    """

    subject: str
    one: str
    header: Mapping[str, Any]
    results: Mapping[Key, Any]
    missing: tuple[Key, ...]
    parts: tuple[LogPart, ...]
    notes: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing

    @property
    def missing_in_words(self) -> str:
        """Such as `3, 10–19`; of workloads, their labels."""
        return in_ranges(self.missing)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each log."""
        return [
            {"log": part.name, "shard": part.shard, "results": part.results, "repeated": part.repeated}
            for part in self.parts
        ]

    def as_log(self) -> bytes:
        """The log that they make, which the usual command shows and continues."""
        lines = [self.header, *self.results.values()]
        return "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines).encode()


class ReadLog(NamedTuple):
    """A log as it was read.

    Attributes:
        path: the file.
        kind: of log.
        journal: what it says.
        entries: its lines, with the place of each.
    """

    path: Path
    kind: LogKind
    journal: Journal
    entries: list[tuple[JournalLine, Entry]]

    @property
    def environment(self) -> Mapping[str, Any]:
        """In which it was written, as far as it says that."""
        found = self.journal.header.get("environment")
        return found if isinstance(found, dict) else {}


def merge_logs(paths: Sequence[Path]) -> MergedLog:
    """Reads logs of one run, such as those of its shards, and puts them together. Writes nothing.

    A result that stands in several logs counts once, if all say the same of it but for times and rounding.

    Args:
        paths: the logs of a sweep, of a detection run or of a benchmark.

    Returns:
        What they say together, and what is missing.

    Raises:
        RequestError: a file is no log or is damaged; or two are of different kinds or have different settings; or they
            were written with different versions of a package, or benchmarks on different machines; or two say different
            things of one result.
    """
    if not paths:
        raise RequestError("no log was named, expected at least one")
    first, *others = logs = [read_log(path) for path in paths]
    for log in others:
        _require_same_run(log, first)
    known: dict[Key, tuple[JournalLine, Entry]] = {}
    parts, differing = [], 0
    for log in logs:
        repeated = 0
        for line, entry in log.entries:
            earlier_line, earlier = known.setdefault(entry.key, (line, entry))
            if earlier_line is not line:
                repeated += 1
                differing += entry.result != earlier.result
                if entry.outcome != earlier.outcome:
                    place = f"line {earlier_line.number} of {earlier_line.path}"
                    raise line.error(f"{first.kind.one} {entry.key} has another outcome than in {place}")
        parts.append(LogPart(str(log.path), _shard(log), len(log.entries), repeated, log.journal.has_part))
    asked = _asked(logs, known)
    ordered = sorted(known, key=lambda key: (str(type(key)), key))
    keys = [*(key for key in asked if key in known), *(key for key in ordered if key not in asked)]
    return MergedLog(
        first.kind.subject,
        first.kind.one,
        {**_header(first, asked), "merged": [path.name for path in paths]},
        {key: known[key][1].result for key in keys},
        tuple(key for key in asked if key not in known),
        tuple(parts),
        tuple(_notes(logs, differing)),
    )


def read_log(path: Path) -> ReadLog:
    """Reads a log of any kind.

    Raises:
        RequestError: it is none, or has a line that is no result.
    """
    try:
        with path.open("rb") as file:
            header = strict_json(file.readline())
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError:
        header = None
    kind = kind_of(path, header)
    expected = {name: header[name] for name in kind.settings}
    journal = read_journal(path, expected, subject=kind.subject)
    entries = [(line, kind.read(line)) for line in journal.lines]
    kind.check(path, journal.settings, [entry for _, entry in entries])
    return ReadLog(path, kind, journal, entries)


def _require_same_run(log: ReadLog, first: ReadLog) -> None:
    if log.kind is not first.kind:
        raise RequestError(f"{log.path}: is a log of {log.kind.subject}, expected {first.kind.subject} as {first.path}")
    for name in log.kind.settings:
        value, expected = log.journal.settings[name], first.journal.settings[name]
        if repr(value) != repr(expected):  # 1 is not true
            is_of = f"is the log of {log.kind.subject} with {name} {value}"
            raise RequestError(f"{log.path}: {is_of}, expected {expected} as in {first.path}")
    require_same_versions(log.environment, first.environment, who=f"{log.path}", as_in=f"{first.path}")
    for name in log.kind.same_machine:
        if log.environment.get(name) != first.environment.get(name):
            raise RequestError(
                f"{log.path}: has times of another machine: {name} is {log.environment.get(name)}, "
                f"expected {first.environment.get(name)} as in {first.path}"
            )


def _shard(log: ReadLog) -> str:
    return str(log.journal.header.get("shard", WHOLE))


def _asked(logs: Sequence[ReadLog], known: Collection[Key]) -> Collection[Key]:
    """The keys that were asked for in any of the logs, or up to the largest that is there if none says it."""
    asked = [log.kind.asked(log.path, log.journal) for log in logs]
    if all(isinstance(keys, range) for keys in asked):
        return max(asked, key=len) or range(max((key + 1 for key in known if isinstance(key, int)), default=0))
    return dict.fromkeys(key for keys in asked for key in keys)


def _header(first: ReadLog, asked: Collection[Key]) -> dict[str, Any]:
    settings = {name: first.journal.settings[name] for name in first.kind.settings}
    return {
        **settings,
        "shard": str(WHOLE),
        ASKED: len(asked) if isinstance(asked, range) else list(asked),
        "environment": dict(first.environment),
    }


def _notes(logs: Sequence[ReadLog], differing: int) -> list[str]:
    notes = [
        f"{log.path}: a line at its end was not written whole, and is left out" for log in logs if log.journal.has_part
    ]
    if not any(log.journal.asked for log in logs):
        notes.append(f"no log says how much was asked for: {logs[0].kind.one}s are missed up to the last one only")
    if differing:
        notes.append(f"of the repeated results, {differing} differ in times or rounding: the first one counts")
    shards = [parse_shard(_shard(log)) for log in logs]
    if len(counts := {shard.count for shard in shards}) == 1 and (count := counts.pop()) > 1:
        absent = [number for number in range(1, count + 1) if number not in {shard.number for shard in shards}]
        notes += [f"no log is of shard {in_ranges(absent)} of {count}"] if absent else []
    for name in TOLD:
        values: dict[str, list[str]] = {}
        for log in logs:
            values.setdefault(str(log.environment.get(name)), []).append(log.path.name)
        if len(values) > 1:
            where = (f"{value} in {', '.join(files)}" for value, files in values.items())
            notes.append(f"{name}: {'; '.join(where)}")
    return notes


def in_ranges(keys: Sequence[Key]) -> str:
    """Keys in words; successive numbers as a range.

    Example:
        >>> in_ranges([3, 10, 11, 12, 40])
        '3, 10–12, 40'
    """
    words: list[str] = []
    start: Key | None = None
    for place, key in enumerate(keys):
        start = key if start is None else start
        is_followed = isinstance(key, int) and place + 1 < len(keys) and keys[place + 1] == key + 1
        if not is_followed:
            words.append(str(key) if start == key else f"{start}–{key}")
            start = None
    return ", ".join(words)
