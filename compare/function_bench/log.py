"""What is kept of a benchmark of functions: its log, line by line, and the document that `--against` reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ...backends import RequestError
from ..bench.results import timings_from
from ..jobs import read_journal, record_from
from ..jobs.journal import strict_json
from .results import SCHEMA, FunctionBench, FunctionMeasurement, FunctionTiming
from .separate_candidate import Case

SUBJECT = "a benchmark of functions"
SOURCES = "sources"


class FunctionLog(NamedTuple):
    """What the log of a benchmark of functions says.

    Attributes:
        measurements: by their arguments.
        whole_bytes: the length of the file's whole lines.
    """

    measurements: dict[Case, FunctionMeasurement]
    whole_bytes: int


def read_function_log(path: Path, header: Mapping[str, Any]) -> FunctionLog:
    """Reads a log; writes nothing.

    Args:
        path: the file, which need not exist.
        header: the settings of the benchmark that is to be continued, with the digests of its files as `sources`.

    Returns:
        What it says.

    Raises:
        RequestError: the file is no log of a benchmark of functions, or of one with other settings, or one of the
            functions' files has changed since, or a line is no measurement.
    """
    settings = {name: value for name, value in header.items() if name != SOURCES}
    journal = read_journal(path, settings, subject=SUBJECT)
    earlier = journal.header.get(SOURCES, header[SOURCES])
    changed = [name for name, digest in header[SOURCES].items() if not _says(earlier, name, digest)]
    if changed:
        raise RequestError(f"{path}: {changed[0]} has changed since its times were written: begin a new log")
    measurements: dict[Case, FunctionMeasurement] = {}
    for line in journal.lines:
        measurement = line.read(measurement_from, "measurement")
        measurements[measurement.case] = measurement
    return FunctionLog(measurements, journal.whole_bytes)


def _says(sources: object, name: str, digest: str) -> bool:
    return isinstance(sources, Mapping) and sources.get(name) == digest


def read_function_bench(path: Path) -> FunctionBench:
    """The benchmark in a file that `gradparity bench TARGETS --json` wrote; without its growths.

    Raises:
        RequestError: the file cannot be read, or is something else.
    """
    try:
        document = strict_json(path.read_text())
        if document["schema"] != SCHEMA:
            raise ValueError
        measurements = [measurement_from(line) for line in document["results"]]
        return FunctionBench(measurements, (), dict(document["environment"]), False, 0.0)
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError):
        raise RequestError(
            f"{path}: is no benchmark of functions, expected a file that `gradparity bench TARGETS --json` wrote"
        ) from None


@dataclass(frozen=True)
class _Beside:
    """What stands beside the times of a measurement."""

    sizes: Mapping[str, int]
    dtype: str | None
    verified: str
    is_certified: bool
    notes: tuple[str, ...]


def measurement_from(line: Mapping[str, Any]) -> FunctionMeasurement:
    """The measurement that `FunctionMeasurement.as_json` wrote.

    Args:
        line: of a log, or a result of a document.

    Returns:
        The measurement.

    Raises:
        ValueError: a field has a value of another type, or one that no measurement has.
        LookupError: a field is missing.
        TypeError: it is something else.
    """
    beside = record_from(_Beside, {name: value for name, value in line.items() if name != "timings"}, "measurement")
    rows = [{"backend": row["function"], **row} for row in line["timings"]]
    timings = timings_from(FunctionTiming, rows)
    for number, timing in enumerate(timings):
        if len(timing.cores) != len(timing.seconds):
            raise ValueError(f"timings[{number}] has {len(timing.seconds)} rounds, but {len(timing.cores)} of cores")
    case = Case(tuple(beside.sizes.items()), beside.dtype or "")
    return FunctionMeasurement(case, beside.verified, beside.is_certified, timings, beside.notes)
