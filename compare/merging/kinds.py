"""The kinds of logs, and what a line of each is about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ...backends import RequestError
from ..bench import run as bench
from ..bench.results import Measurement
from ..detection import log as detection
from ..detection.own_results import OwnResult
from ..jobs import Journal, JournalLine, asked_number
from ..sweep import SweepOutcome
from ..sweep import log as sweep

Key = int | str


class Entry(NamedTuple):
    """A line of a log.

    Attributes:
        key: what it is about: a number, or the label of a workload.
        result: all that it says.
        outcome: that of it which does not depend on time or rounding.
    """

    key: Key
    result: Any
    outcome: Any


@dataclass(frozen=True)
class LogKind:
    """A kind of log.

    Attributes:
        subject: of which it is the log, such as `a sweep`.
        one: what a line is about, such as `problem`.
        settings: the names of what all logs of a run have in common.
        read: reads a line.
        asked: of all that the logs say was asked for, the keys in their order; None if they do not say it.
        check: raises a RequestError if the log of a path, with these settings and entries, is of another version.
        same_machine: the names of what the environments have in common.
    """

    subject: str
    one: str
    settings: tuple[str, ...]
    read: Callable[[JournalLine], Entry]
    asked: Callable[[Path, Journal], Collection[Key]]
    check: Callable[[Path, Mapping[str, Any], Sequence[Entry]], None] = lambda path, settings, entries: None
    same_machine: tuple[str, ...] = ()


def _sweep_entry(line: JournalLine) -> Entry:
    outcome = sweep.outcome_in(line)
    return Entry(outcome.number, asdict(outcome), replace(outcome, share=None, report=""))


def _detection_entry(line: JournalLine) -> Entry:
    result = detection.result_from(line)
    untimed = replace(result.result, seconds=0.0) if isinstance(result.result, OwnResult) else result.result
    return Entry(result.number, result.as_json(), replace(result, result=untimed))


def _bench_entry(line: JournalLine) -> Entry:
    measurement: Measurement = bench.measurement_in(line)
    verdicts = [(timing.backend, timing.verdict, timing.reason) for timing in measurement.timings]
    return Entry(measurement.workload.label, measurement.as_json(), verdicts)


def _numbers_asked(subject: str) -> Callable[[Path, Journal], Collection[Key]]:
    return lambda path, journal: range(asked_number(journal, path, subject))


def _require_same_problems(path: Path, settings: Mapping[str, Any], entries: Sequence[Entry]) -> None:
    outcomes: list[SweepOutcome] = [entry.outcome for entry in entries[:1]]
    sweep.require_same_problems(path, settings, outcomes)


KINDS = (
    LogKind(
        sweep.SUBJECT,
        "problem",
        ("schema", "seed", "numbers", "backends"),
        _sweep_entry,
        _numbers_asked(sweep.SUBJECT),
        _require_same_problems,
    ),
    LogKind(
        detection.SUBJECT,
        "case",
        ("schema", "checks", "cases"),
        _detection_entry,
        _numbers_asked(detection.SUBJECT),
    ),
    LogKind(
        bench.SUBJECT,
        "workload",
        ("schema", "backends", "threads", "rounds", "device"),
        _bench_entry,
        lambda path, journal: bench.asked_in(journal, path),
        same_machine=bench.SAME_MACHINE,
    ),
)


def kind_of(path: Path, header: object) -> LogKind:
    """The kind of log that begins with this.

    Raises:
        RequestError: it is of no kind.
    """
    if isinstance(header, dict):
        for kind in KINDS:
            if header.keys() >= set(kind.settings):
                return kind
    raise RequestError(f"{path}: is no log of a sweep, a detection run or a benchmark")
