"""One backend on one workload, in a process of its own: what it takes to begin, its answer, and times on demand."""

from __future__ import annotations

import gc
import math
import os
import resource
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ...backends import Backend, UnsupportedProblemError, get_backend
from ...backends.errors import first_line
from ...backends.interface import PreparedAnswer, prepared_answer
from .floor import prepare_floor
from .results import FLOOR, Timing
from .workloads import Workload

WARM_UPS = 2
LEAST_SECONDS = 0.1  # what is timed together in a round, at least


@dataclass(frozen=True)
class Begun:
    """What a worker says first: its timing so far, and its answer if it has one."""

    timing: Timing
    answer: PreparedAnswer | None = None


def work(pipe: Connection, name: str, workload: Workload, device: str, threads: int) -> None:
    """Begins when it is told to, and says a `Begun`; then, each time it is asked, the seconds of a call, on average
    over one round, and when it is asked no more, by how many bytes it grew.
    """
    _stay_on(threads)
    pipe.send("ready")
    pipe.recv()
    with redirect_stdout(sys.stderr):  # what a backend prints is no result
        try:
            begun, run = _begin(name, workload, device)
        except UnsupportedProblemError as error:
            return pipe.send(Begun(Timing(name, "unsupported", str(error))))
        except (Exception, SystemExit) as error:
            return pipe.send(Begun(Timing(name, "failed", first_line(error))))
        pipe.send(begun)
        try:
            while pipe.recv():
                pipe.send(_round(run, begun.timing.calls))
            pipe.send(_peak_memory() - (begun.timing.memory or 0))
        except (EOFError, BrokenPipeError):  # nobody is there any more
            return None


def _begin(name: str, workload: Workload, device: str) -> tuple[Begun, Callable[[], Any]]:
    started = time.perf_counter()
    backend = None if name == FLOOR else get_backend(name)
    imported = time.perf_counter()
    problem = workload.problem()
    _forget_peak_memory()
    memory = _peak_memory()
    if backend and (reason := backend.supports(problem.model, workload.dtype)):
        raise UnsupportedProblemError(reason)
    before_preparing = time.perf_counter()
    run: Callable[[], Any] = _prepared(backend, problem, device) if backend else prepare_floor(problem)
    prepared = time.perf_counter()
    found = run()
    first = time.perf_counter()
    answer = prepared_answer(found) if backend else None
    for _ in range(WARM_UPS):
        before_call = time.perf_counter()
        run()
        once = time.perf_counter() - before_call
    timing = Timing(
        name,
        "accepted",
        import_seconds=imported - started,
        prepare_seconds=prepared - before_preparing,
        first_seconds=first - prepared,
        calls=max(1, math.ceil(LEAST_SECONDS / once)),
        memory=memory,
    )
    return Begun(timing, answer), run


def _prepared(backend: Backend, problem: Any, device: str) -> Callable[[], Any]:
    devices = getattr(backend, "devices", ("cpu",))
    if device not in devices:
        raise UnsupportedProblemError(f"{backend.name} computes on {', '.join(devices)}")
    options = {"device": device} if hasattr(backend, "devices") else {}
    return backend.prepare(problem, **options)


def _round(run: Callable[[], Any], calls: int) -> float:
    """Garbage is collected before, and not in between, where it would strike one round or another by chance."""
    gc.collect()
    gc.disable()
    try:
        started = time.perf_counter()
        for _ in range(calls):
            run()
        return (time.perf_counter() - started) / calls
    finally:
        gc.enable()


def _stay_on(threads: int) -> None:
    """As many cores as threads, for a framework that asks the system and not the environment, as JAX does."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-threads:])


def _forget_peak_memory() -> None:
    """Lets the peak begin anew, where the system can: what the import needed for a moment is no part of it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory() -> int:
    """The largest size of this process, in bytes."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
