"""Child processes with a fixed number of threads, which ignore Ctrl-C and import from the same path."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any


def start_process(work: Callable[..., None], *arguments: Any, threads: int = 1) -> tuple[BaseProcess, Connection]:
    """Starts a fresh interpreter that calls `work(pipe, *arguments)`.

    Args:
        work: a function of a module, which can be named there.
        arguments: that can be pickled.
        threads: of every BLAS and OpenMP in the process.

    Returns:
        The process, and our end of the pipe.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run, args=(work, theirs, sys.path, *arguments), daemon=True)
    limits = thread_limits(threads)
    before = {name: os.environ.get(name) for name in limits}
    resource_tracker.ensure_running()  # it would unblock Ctrl-C when it starts
    signals = signal.pthread_sigmask(
        signal.SIG_BLOCK, {signal.SIGINT}
    )  # Ctrl-C is for the parent, which ends the processes
    os.environ.update(limits)  # read when NumPy is imported, which comes before anything that is done
    try:
        process.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)
    theirs.close()
    return process, ours


def end_process(process: BaseProcess, pipe: Connection) -> None:
    """Kills a process and closes the pipe to it."""
    process.kill()
    process.join()
    pipe.close()


def _run(work: Callable[..., None], pipe: Connection, import_path: list[str], *arguments: Any) -> None:
    sys.path[:] = import_path  # "" is the current folder, for module:object, and not what spawning makes of it
    work(pipe, *arguments)


THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def thread_limits(threads: int) -> dict[str, str]:
    """The environment variables that give every BLAS and OpenMP so many threads.

    Example:
        >>> thread_limits(2)["OMP_NUM_THREADS"]
        '2'
    """
    return dict.fromkeys(THREAD_VARIABLES, str(threads))
