"""The course of a benchmark: on each workload all backends begin, are verified, and only then timed, in rounds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ...backends import Backend, MissingFrameworkError, RequestError, backend_names, default_backend_names, get_backend
from ...backends.checks import require_choice, require_integer
from ...backends.references.devices import DEVICES
from ..jobs import (
    ASKED,
    CaseProgress,
    Journal,
    JournalLine,
    ShareProgress,
    end_process,
    locked,
    not_a_journal,
    open_journal,
    read_journal,
    start_process,
    thread_limits,
)
from ..output import environment
from ..workers import WHOLE, Death, Place, Served, Shard, crew, like
from .memory import require_memory
from .results import BENCH_SCHEMA, FLOOR, Bench, Measurement, Timing, measurement_from
from .verification import verify
from .worker import Start, work
from .workloads import Workload

SUBJECT = "a benchmark"
ROUNDS = 7
TIMEOUT = 3600.0  # seconds for one workload, where others measure it
SAME_MACHINE = ("processor", "cores", "blas")  # what workers have to have in common: times are compared


def candidates(names: Sequence[str], *, quick: bool = False) -> tuple[list[str], list[str]]:
    """The backends to time, and notes on those that are not installed.

    Args:
        names: backends; none means all that are installed.
        quick: those that take long to compile, or are only used on request, are left out.

    Raises:
        RequestError: one of the names does not exist or is broken, or there is one backend alone, which none verifies.
    """
    chosen, notes = [], []
    for name in names or (default_backend_names() if quick else backend_names()):
        try:
            backend: Backend = get_backend(name)
        except MissingFrameworkError as error:
            if names:
                raise
            notes.append(str(error))
        else:
            chosen.append(name if ":" in name else backend.name)
    if len(set(chosen)) < 2:
        raise RequestError(f"{', '.join(chosen)} alone cannot be verified: a benchmark needs a second backend")
    return list(dict.fromkeys(chosen)), notes


def run_bench(
    workloads: Sequence[Workload],
    backends: Sequence[str],
    *,
    threads: int = 1,
    rounds: int = ROUNDS,
    device: str = "cpu",
    log: Path | None = None,
    shard: Shard = WHOLE,
    place: Place | None = None,
    timeout: float = TIMEOUT,
    notes: Sequence[str] = (),
    measured: Callable[[Measurement], None] = lambda measurement: None,
    progress: CaseProgress = lambda label, done: None,
) -> Bench:
    """Verifies and times all backends on all workloads. Ctrl-C ends it early, with what was measured until then.

    Args:
        workloads: what to time.
        backends: their names, or `module:object`.
        threads: of each backend.
        rounds: how many; in each, every backend is timed once.
        device: `cpu`, or `cuda` for those that can.
        log: a file that is written as workloads are measured, and continued if it is there.
        shard: a part of the workloads; all of them if it is not given.
        place: where they are measured, one at a time on each machine; None means here.
        timeout: the seconds that one workload may take elsewhere.
        notes: to be shown.
        measured: is called with each measurement, when it is there.
        progress: is called with the workload, and the number of workloads that are done.

    Returns:
        The measurements of all workloads or of the shard's, or of those that were done when it was interrupted.

    Raises:
        RequestError: an argument is wrong, or the log is of another benchmark or none at all.
        TooLargeError: a workload takes more memory than there is, or than `GRADPARITY_MEMORY` allows.

    Example:
        >>> from gradparity.compare.bench import run_bench, workloads
        >>> mine = "gradparity.backends.references.manual_backend:ManualBackend"  # any `module:object`
        >>> bench = run_bench(workloads(["rnn"], ["float64"], ["2,3,4,5"]), ["manual", mine], rounds=1)
        >>> [timing.verdict for timing in bench.measurements[0].candidates]
        ['accepted', 'accepted']
    """
    if place is None:
        require_threads(threads)
    require_integer("rounds", rounds, at_least=1)
    require_choice("device", device, DEVICES)
    settings = {
        "schema": BENCH_SCHEMA,
        "backends": list(backends),
        "threads": threads,
        "rounds": rounds,
        "device": device,
        "shard": str(shard),
    }
    asked = [workload.label for workload in workloads]
    mine = [workload for number, workload in enumerate(workloads) if shard.has(number)]
    with locked(log):
        return _measured_bench(mine, asked, settings, log, place, timeout, notes, measured, progress)


def require_threads(threads: int) -> None:
    """Checks that there are as many cores as threads.

    Raises:
        RequestError: there are fewer, or it is no number of threads.
    """
    require_integer("threads", threads, at_least=1)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads > cores:
        raise RequestError(f"threads is {threads}, but there are {cores} cores")


def _measured_bench(
    workloads: Sequence[Workload],
    asked: Sequence[str],
    settings: Mapping[str, Any],
    log: Path | None,
    place: Place | None,
    timeout: float,
    notes: Sequence[str],
    measured: Callable[[Measurement], None],
    progress: CaseProgress,
) -> Bench:
    logged, whole_bytes, known = _logged(log, settings)
    left = [workload for workload in workloads if workload not in logged]
    if place is None:
        require_memory(left, len(settings["backends"]))
    started = time.perf_counter()
    measurements = {workload: logged[workload] for workload in workloads if workload in logged}
    recorded = _recorded({}, settings)
    interrupted = False
    try:
        with _measured(left, settings, place if left else None, timeout, progress, len(measurements)) as (
            found,
            answers,
        ):
            recorded = _recorded(found, settings)
            with open_journal(log, whole_bytes, {**settings, ASKED: asked, "environment": recorded}) as write:
                if whole_bytes and not known.issuperset(asked):
                    write({ASKED: asked})
                for measurement in measurements.values():
                    measured(measurement)
                for measurement in answers:
                    write(measurement.as_json())
                    measurements[measurement.workload] = measurement
                    measured(measurement)
    except KeyboardInterrupt:
        interrupted = True
    ordered = [measurements[workload] for workload in workloads if workload in measurements]
    return Bench(ordered, recorded, notes, interrupted, time.perf_counter() - started)


@contextmanager
def _measured(
    workloads: Sequence[Workload],
    settings: Mapping[str, Any],
    place: Place | None,
    timeout: float,
    progress: CaseProgress,
    done: int,
) -> Iterator[tuple[Mapping[str, Any], Iterator[Measurement]]]:
    """The environment in which workloads are measured, and their measurements as they come."""
    backends, threads, rounds, device = (settings[name] for name in ("backends", "threads", "rounds", "device"))
    if place is None:

        def measurements() -> Iterator[Measurement]:
            for earlier, workload in enumerate(workloads, start=done):
                progress(workload.label, earlier)
                share_done = partial(_add_share, progress, workload.label, earlier)
                yield measure_workload(workload, backends, threads, rounds, device, share_done)

        yield {}, measurements()
        return
    progress("starting", done)
    setup = partial(serve, tuple(workloads), tuple(backends), threads, rounds, device)
    first: dict[str, Any] = {}
    has_same_versions = like(environment())

    def check(found: Mapping[str, Any]) -> None:
        has_same_versions(found)
        first.update(found if not first else {})
        for name in SAME_MACHINE:
            if found.get(name) != first.get(name):
                raise RequestError(
                    f"times of different machines: {name} is {found.get(name)} on one of the workers, "
                    f"and {first.get(name)} on another"
                )

    def arrived(answers: Iterator[tuple[int, Any]]) -> Iterator[Measurement]:
        for earlier, (number, answer) in enumerate(answers, start=done + 1):
            progress(workloads[number].label, earlier)
            yield _failed(workloads[number], backends, answer) if isinstance(answer, Death) else answer

    with (
        crew(setup, place, timeout=timeout, threads=threads, is_alone=True, check=check) as workers,
        closing(workers.answers((number,) for number in range(len(workloads)))) as answers,
    ):
        yield workers.environment, arrived(answers)


def serve(workloads: Sequence[Workload], backends: Sequence[str], threads: int, rounds: int, device: str) -> Served:
    """What measures workloads in a worker's process.

    Args:
        workloads: what is timed.
        backends: their names.
        threads: of each backend.
        rounds: in each, every backend is timed once.
        device: on which they compute.

    Returns:
        What gives the measurement of a workload's number.
    """
    require_threads(threads)

    def measured(number: int) -> Measurement:
        require_memory([workloads[number]], len(backends))
        return measure_workload(workloads[number], backends, threads, rounds, device, lambda share: None)

    return Served(environment(), measured)


def _failed(workload: Workload, backends: Sequence[str], death: Death) -> Measurement:
    return Measurement(workload, tuple(Timing(name, "failed", death.reason) for name in (FLOOR, *backends)))


def _recorded(found: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    recorded = dict(found or environment()) | {"threads": thread_limits(settings["threads"]), "bench": settings}
    return recorded | ({"tf32": False} if settings["device"] == "cuda" else {})


def measure_workload(
    workload: Workload,
    backends: Sequence[str],
    threads: int,
    rounds: int,
    device: str,
    progress: ShareProgress,
) -> Measurement:
    """Measures one workload: each backend begins alone, then all are verified, then the accepted ones are timed.

    Args:
        workload: what to time.
        backends: their names.
        threads: of each backend.
        rounds: in each, every backend is timed once.
        device: on which they compute.
        progress: is called with the share of the work that is done.
    """
    with ExitStack() as stack:
        workers: dict[str, tuple[BaseProcess, Connection]] = {}
        begun: dict[str, Start] = {}
        for name in (FLOOR, *backends):
            workers[name] = start_process(work, name, workload, device, threads, threads=threads)
            stack.callback(end_process, *workers[name])
        for worker in workers.values():  # all interpreters are there, and quiet, before the first one begins
            _received(worker)
        for name, worker in workers.items():
            begun[name] = _request(worker, True) or Start(Timing(name, "failed", _death(worker)))
            progress(len(begun) / (len(backends) + 1) / 3)
        answers = {name: start.answer for name, start in begun.items() if start.answer}
        refused = verify(workload.problem(), answers) if answers else {}
        timings = {name: start.timing for name, start in begun.items()}
        for name, (verdict, reason) in refused.items():
            timings[name] = Timing(name, verdict, reason)
        racing = [name for name, timing in timings.items() if timing.verdict == "accepted"]
        seconds: dict[str, list[float]] = {name: [] for name in racing}
        for number in range(rounds):
            for name in racing[:: 1 if number % 2 == 0 else -1]:  # a copy: none always comes after the same one
                taken = _request(workers[name], True)
                if taken is None:
                    timings[name] = Timing(name, "failed", _death(workers[name]))
                    racing.remove(name)
                else:
                    seconds[name].append(taken)
            progress(1 / 3 + (number + 1) / rounds * 2 / 3)
        for name in racing:
            timings[name] = replace(timings[name], seconds=tuple(seconds[name]), memory=_request(workers[name], False))
    return Measurement(workload, tuple(timings.values()))


def _add_share(progress: CaseProgress, label: str, done: int, share: float) -> None:
    progress(label, done + share)


def _request(worker: tuple[BaseProcess, Connection], go_on: bool) -> Any:
    """Tells a worker to compute, or to end; returns what it sends back, or None if it died."""
    try:
        worker[1].send(go_on)
    except OSError:
        return None
    return _received(worker)


def _received(worker: tuple[BaseProcess, Connection]) -> Any:
    """What the worker sends; None if it died."""
    try:
        return worker[1].recv()
    except (EOFError, OSError):
        worker[0].join()
        return None


def _death(worker: tuple[BaseProcess, Connection]) -> str:
    return f"its process died, with exit code {worker[0].exitcode}"


def _logged(log: Path | None, settings: Mapping[str, Any]) -> tuple[dict[Workload, Measurement], int, set[str]]:
    """The measurements in a log, the length of its whole lines in bytes, and the labels of what was asked for."""
    if log is None:
        return {}, 0, set()
    journal = read_journal(log, settings, subject=SUBJECT, defaults={"shard": str(WHOLE)})
    measurements = [measurement_in(line) for line in journal.lines]
    asked = set(asked_in(journal, log))
    return {measurement.workload: measurement for measurement in measurements}, journal.whole_bytes, asked


def asked_in(journal: Journal, path: Path) -> dict[str, None]:
    """The labels of the workloads that a log says were asked for, in order; empty if it says nothing of it.

    Raises:
        RequestError: what it says is something else.
    """
    if any(not isinstance(labels, list) or not all(isinstance(one, str) for one in labels) for labels in journal.asked):
        raise not_a_journal(path, SUBJECT)
    return dict.fromkeys(label for labels in journal.asked for label in labels)


def measurement_in(line: JournalLine) -> Measurement:
    """The measurement in a line of a log.

    Raises:
        RequestError: it is something else.
    """
    return line.read(measurement_from, "measurement")
