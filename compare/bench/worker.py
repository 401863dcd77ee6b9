"""One backend on one workload, in a process of its own: what the start takes, its answer, and times on demand."""

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
from ...backends.errors import located
from ...backends.interface import PreparedAnswer, prepared_answer
from .libraries import peak_device_memory, products_by
from .matmul_floor import prepare_floor
from .results import FLOOR, Timing
from .workloads import Workload

WARM_UPS = 2
MIN_ROUND_SECONDS = 0.1  # of the calls that are timed together in a round


@dataclass(frozen=True)
class Start:
    """What a worker sends first.

    Attributes:
        timing: what the start took, or why there is none.
        answer: the loss and the gradients of the first call, if there is one.
    """

    timing: Timing
    answer: PreparedAnswer | None = None


def work(pipe: Connection, name: str, workload: Workload, device: str, threads: int) -> None:
    """Serves one backend over a pipe.

    It sends "ready", and after the first message a `Start`. Then each True is answered with the seconds of a call, the
    average over one round; False ends it, and is answered with the bytes by which the process grew.

    Args:
        pipe: to the parent.
        name: of the backend, or `floor`.
        workload: what to time.
        device: on which the backend computes.
        threads: as many cores are taken.
    """
    stay_on_cores(threads)
    pipe.send("ready")
    pipe.recv()
    with redirect_stdout(sys.stderr):  # what a backend prints is no result
        try:
            start, run = _start(name, workload, device)
        except UnsupportedProblemError as error:
            return pipe.send(Start(Timing(name, "unsupported", str(error))))
        except BaseException as error:  # in a process of its own, whose Ctrl-C is blocked
            return pipe.send(Start(Timing(name, "failed", located(error))))
        pipe.send(start)
        try:
            while pipe.recv():
                pipe.send(average_seconds(run, start.timing.calls))
            pipe.send(peak_memory() - (start.timing.memory or 0))
        except (EOFError, BrokenPipeError):  # nobody is there any more
            return None


def _start(name: str, workload: Workload, device: str) -> tuple[Start, Callable[[], Any]]:
    started = time.perf_counter()
    backend = None if name == FLOOR else get_backend(name)
    imported = time.perf_counter()
    problem = workload.problem()
    forget_peak_memory()
    memory = peak_memory()
    if backend and (reason := backend.supports(problem.model, workload.dtype)):
        raise UnsupportedProblemError(reason)
    before_preparing = time.perf_counter()
    run: Callable[[], Any] = _prepared(backend, problem, device) if backend else prepare_floor(problem)
    prepared = time.perf_counter()
    result = run()
    first = time.perf_counter()
    answer = prepared_answer(result) if backend else None
    loss = result[0] if backend else None
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
        calls=max(1, math.ceil(MIN_ROUND_SECONDS / once)),
        memory=memory,
        products=products_by(loss),
        device_memory=peak_device_memory(loss, device),
    )
    return Start(timing, answer), run


def _prepared(backend: Backend, problem: Any, device: str) -> Callable[[], Any]:
    devices = getattr(backend, "devices", ("cpu",))
    if device not in devices:
        raise UnsupportedProblemError(f"{backend.name} computes on {', '.join(devices)}")
    options = {"device": device} if hasattr(backend, "devices") else {}
    return backend.prepare(problem, **options)


def average_seconds(run: Callable[[], Any], calls: int) -> float:
    """The seconds of a call on average. Garbage is collected before: in between it would hit a round by chance."""
    gc.collect()
    gc.disable()
    try:
        started = time.perf_counter()
        for _ in range(calls):
            run()
        return (time.perf_counter() - started) / calls
    finally:
        gc.enable()


def stay_on_cores(threads: int) -> None:
    """Takes as many cores as threads, for a framework that asks the system and not the environment, as JAX does."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[-threads:])


def forget_peak_memory() -> None:
    """Lets the peak begin anew, where the system can: what the import needed for a moment is no part of it."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory() -> int:
    """The largest size of this process, in bytes."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
