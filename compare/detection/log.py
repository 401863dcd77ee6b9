"""The log of a detection run: what came of its cases, line by line, in which one that was stopped goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ...backends import RequestError
from ..jobs import ASKED, JournalLine, asked_number, read_journal
from .chosen_cases import Case, ChosenCases, label_of
from .own_results import OwnResult
from .results import CorrectResult, MistakeResult

SUBJECT = "a detection run"
DETECTION_SCHEMA = 1

Result = MistakeResult | CorrectResult | OwnResult
KINDS: Mapping[str, type] = {"mistake": MistakeResult, "right": CorrectResult, "own": OwnResult}


@dataclass(frozen=True)
class LoggedResult:
    """What came of a case: a line of the log.

    Attributes:
        number: of the case.
        case: what it is, in words.
        kind: of `KINDS`.
        result: what the checks say.
    """

    number: int
    case: str
    kind: str
    result: Result

    def as_json(self) -> dict[str, Any]:
        """The line."""
        return asdict(self)


class DetectionLog(NamedTuple):
    """What the log of a detection run says.

    Attributes:
        results: by number.
        whole_bytes: the length of the file's whole lines.
    """

    results: dict[int, LoggedResult]
    whole_bytes: int


def header_of(chosen: ChosenCases, checks: Sequence[str], shard: str) -> dict[str, Any]:
    """The settings of a run, as its log begins."""
    cases = {**asdict(chosen), "programs": list(chosen.programs)}
    return {"schema": DETECTION_SCHEMA, "checks": list(checks), "cases": cases, "shard": shard}


def logged(number: int, case: Case, result: Result) -> LoggedResult:
    """What came of a case, to be written."""
    kind = next(name for name, kind in KINDS.items() if isinstance(result, kind))
    return LoggedResult(number, label_of(case), kind, result)


def read_detection_log(path: Path, header: Mapping[str, Any], cases: Sequence[Case] | None = None) -> DetectionLog:
    """Reads a log; writes nothing.

    Args:
        path: the file, which need not exist.
        header: the settings of the run that is to be continued.
        cases: of the run, with which the log is to agree.

    Returns:
        What it says.

    Raises:
        RequestError: the file is no log of a detection run, or of one with other settings or other cases, or has a line
            with something else than a result.
    """
    journal = read_journal(path, header, subject=SUBJECT)
    asked = asked_number(journal, path, SUBJECT)
    results: dict[int, LoggedResult] = {}
    for line in journal.lines:
        result = result_from(line)
        if results.setdefault(result.number, result) != result:
            raise line.error(f"case {result.number} has another result in an earlier line")
        if cases is not None and (
            result.number >= len(cases) or label_of(cases[result.number]) != result.case or asked != len(cases)
        ):
            raise RequestError(f"{path}: was written by a version of gradparity with other cases: begin a new log")
    return DetectionLog(results, journal.whole_bytes)


def result_from(line: JournalLine) -> LoggedResult:
    """The result in a line of a log.

    Raises:
        RequestError: it is something else.
    """
    values = line.values if isinstance(line.values, dict) else {}
    kind = values.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise line.error(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
    outer = line._replace(values={**values, "result": None}).record(_Line)
    if outer.number < 0:
        raise line.error(f"number is {outer.number}, expected at least 0")
    result: Result = line._replace(values=values.get("result")).record(KINDS[kind])
    return LoggedResult(outer.number, outer.case, outer.kind, result)


@dataclass(frozen=True)
class _Line:
    number: int
    case: str
    kind: str
    result: None = None


def first_line(header: Mapping[str, Any], count: int, environment: Mapping[str, Any]) -> dict[str, Any]:
    """With what a log begins."""
    return {**header, ASKED: count, "environment": environment}
