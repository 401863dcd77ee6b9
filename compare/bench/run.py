"""The course of a benchmark: on each workload everybody begins, is verified, and only then timed, in rounds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ...backends import Backend, MissingFrameworkError, RequestError, backend_names, default_backend_names, get_backend
from ...backends.checks import require_choice, require_integer
from ...backends.references.devices import DEVICES
from ..jobs import CaseProgress, end_process, not_a_journal, open_journal, read_journal, start_process, thread_limits
from ..output import environment
from .results import FLOOR, Measurement, Timing, measurement_from
from .verification import verify
from .worker import Begun, work
from .workloads import Workload

SCHEMA = 1
ROUNDS = 7


@dataclass(frozen=True)
class Bench:
    """Everything that is shown of a benchmark.

    Attributes:
        measurements: in the order of the workloads.
        environment: in which they were made, and how.
        notes: on backends that are not installed.
        interrupted: whether it was stopped before its end.
        seconds: how long it took.
    """

    measurements: Sequence[Measurement]
    environment: Mapping[str, Any]
    notes: Sequence[str]
    interrupted: bool
    seconds: float

    @property
    def refused(self) -> list[Timing]:
        """Those whose answers were not accepted, or who failed; who does not support a workload is none of them."""
        timings = [timing for each in self.measurements for timing in each.timings]
        return [timing for timing in timings if timing.verdict not in ("accepted", "unsupported")]

    def as_json(self) -> dict[str, Any]:
        results = [measurement.as_json() for measurement in self.measurements]
        return {"schema": SCHEMA, "environment": dict(self.environment), "results": results}


def candidates(names: Sequence[str], *, quick: bool = False) -> tuple[list[str], list[str]]:
    """Whom to time, and notes on those that are not installed.

    Args:
        names: backends; none means all that are installed.
        quick: those that take long to compile, or are only used on request, are left out.

    Raises:
        RequestError: one of the names does not exist or is broken, or nobody is there to verify another.
    """
    found, notes = [], []
    for name in names or (default_backend_names() if quick else backend_names()):
        try:
            backend: Backend = get_backend(name)
        except MissingFrameworkError as error:
            if names:
                raise
            notes.append(str(error))
        else:
            found.append(name if ":" in name else backend.name)
    if len(set(found)) < 2:
        raise RequestError(f"{', '.join(found)} alone cannot be verified: a benchmark needs a second backend")
    return list(dict.fromkeys(found)), notes


def run_bench(
    workloads: Sequence[Workload],
    backends: Sequence[str],
    *,
    threads: int = 1,
    rounds: int = ROUNDS,
    device: str = "cpu",
    log: Path | None = None,
    notes: Sequence[str] = (),
    measured: Callable[[Measurement], None] = lambda measurement: None,
    progress: CaseProgress = lambda label, done: None,
) -> Bench:
    """Verifies and times all backends on all workloads. Ctrl-C ends it early, with what was measured until then.

    Args:
        workloads: what to time.
        backends: their names, or `module:object`.
        threads: of each backend.
        rounds: in each, everybody is timed once.
        device: `cpu`, or `cuda` for those that can.
        log: a file that is written as workloads are measured, and continued if it is there.
        notes: to be shown.
        measured: is called with each measurement, when it is there.
        progress: is called with the workload, and the number of workloads that are done.

    Raises:
        RequestError: an argument is wrong, or the log is of another benchmark or none at all.
    """
    require_integer("threads", threads, at_least=1)
    require_integer("rounds", rounds, at_least=1)
    require_choice("device", device, DEVICES)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads > cores:
        raise RequestError(f"threads is {threads}, but there are {cores} cores")
    settings = {"schema": SCHEMA, "backends": list(backends), "threads": threads, "rounds": rounds, "device": device}
    known, kept = _known(log, settings)
    around = environment() | {"threads": thread_limits(threads), "bench": settings}
    if device == "cuda":
        around |= {"tf32": False}
    started = time.perf_counter()
    found: list[Measurement] = []
    interrupted = False
    with open_journal(log, kept, {**settings, "environment": around}) as write:
        try:
            for workload in workloads:
                progress(workload.label, len(found))
                measurement = known.get(workload)
                if measurement is None:
                    share = partial(_share, progress, workload.label, len(found))
                    measurement = measure(workload, backends, threads, rounds, device, share)
                    write(measurement.as_json())
                found.append(measurement)
                measured(measurement)
        except KeyboardInterrupt:
            interrupted = True
    return Bench(found, around, notes, interrupted, time.perf_counter() - started)


def measure(
    workload: Workload,
    backends: Sequence[str],
    threads: int,
    rounds: int,
    device: str,
    progress: Callable[[float], None],
) -> Measurement:
    """One workload: each backend begins alone, then all are verified, then those that are accepted are timed."""
    with ExitStack() as stack:
        workers: dict[str, tuple[BaseProcess, Connection]] = {}
        begun: dict[str, Begun] = {}
        for name in (FLOOR, *backends):
            workers[name] = start_process(work, name, workload, device, threads, threads=threads)
            stack.callback(end_process, *workers[name])
        for worker in workers.values():  # all interpreters are there, and quiet, before the first one begins
            _received(worker)
        for name, worker in workers.items():
            begun[name] = _asked(worker, True) or Begun(Timing(name, "failed", _death(worker)))
            progress(len(begun) / (len(backends) + 1) / 3)
        answers = {name: each.answer for name, each in begun.items() if each.answer}
        refused = verify(workload.problem(), answers) if answers else {}
        timings = {name: each.timing for name, each in begun.items()}
        for name, (verdict, reason) in refused.items():
            timings[name] = Timing(name, verdict, reason)
        racing = [name for name, timing in timings.items() if timing.verdict == "accepted"]
        seconds: dict[str, list[float]] = {name: [] for name in racing}
        for number in range(rounds):
            for name in racing if number % 2 == 0 else racing[::-1]:  # nobody always comes after the same one
                taken = _asked(workers[name], True)
                if taken is None:
                    timings[name] = Timing(name, "failed", _death(workers[name]))
                    racing = [each for each in racing if each != name]
                else:
                    seconds[name].append(taken)
            progress(1 / 3 + (number + 1) / rounds * 2 / 3)
        for name in racing:
            timings[name] = replace(timings[name], seconds=tuple(seconds[name]), memory=_asked(workers[name], False))
    return Measurement(workload, tuple(timings.values()))


def _share(progress: CaseProgress, label: str, done: int, part: float) -> None:
    progress(label, done + part)


def _asked(worker: tuple[BaseProcess, Connection], question: bool) -> Any:
    try:
        worker[1].send(question)
    except OSError:
        return None
    return _received(worker)


def _received(worker: tuple[BaseProcess, Connection]) -> Any:
    """What the worker says; None if it died."""
    try:
        return worker[1].recv()
    except (EOFError, OSError):
        worker[0].join()
        return None


def _death(worker: tuple[BaseProcess, Connection]) -> str:
    return f"its process died, with exit code {worker[0].exitcode}"


def _known(log: Path | None, settings: Mapping[str, Any]) -> tuple[dict[Workload, Measurement], int]:
    """What a log has already, and how many of its bytes are to be kept."""
    if log is None:
        return {}, 0
    lines, kept = read_journal(log, settings, subject="a benchmark")
    try:
        measurements = [measurement_from(line) for line in lines]
    except (LookupError, TypeError):
        raise not_a_journal(log, "a benchmark") from None
    return {measurement.workload: measurement for measurement in measurements}, kept
