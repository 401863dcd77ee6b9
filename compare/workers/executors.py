"""Where tasks are carried out: in processes here, by any executor of `concurrent.futures`' kind, or on a cluster."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from typing import Any, Protocol

from ...backends import RequestError
from ...backends.errors import first_line, unknown_name
from ...backends.frameworks import require
from .carrying import Carried, Children, Task, carry_out

LOCAL = "local"
CONNECT_SECONDS = 30.0
FIRST_WORKER_SECONDS = 120.0
RECOUNT_SECONDS = 2.0  # how often a cluster is asked how many workers it has


class AnyExecutor(Protocol):
    """What is asked of an executor: `submit`, whose futures have `add_done_callback` and `result`."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """A future of what the function returns."""
        ...


@dataclass
class Opened:
    """An executor that takes tasks.

    Attributes:
        executor: the executor.
        carry_out: the function that is submitted, with a task.
        workers: how many there are now.
        close: ends what was opened for this run; its argument says whether to wait for what is still at work.
        is_gone: whether nothing comes back any more of what was submitted.
    """

    executor: AnyExecutor
    carry_out: Callable[[Task], Carried]
    workers: Callable[[], int]
    close: Callable[[bool], None]
    is_gone: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Place:
    """Where tasks are carried out.

    Attributes:
        name: in messages.
        open: opens an executor; once more if it breaks.
        is_here: whether a task can only fail with the whole command, since threads of it carry it out.
    """

    name: str
    open: Callable[[], Opened]
    is_here: bool = False


def choose_place(*, jobs: int | None, executor: str | None = None, dask: str | None = None) -> Place:
    """Where the options of a command say that jobs are carried out.

    Args:
        jobs: how many at once; None is one for each core.
        executor: `module:factory`.
        dask: the address of a scheduler, or `local`.

    Returns:
        The place. Nothing is started yet.

    Raises:
        RequestError: both are named, or there is no such executor.
        MissingFrameworkError: `distributed` is not installed.
    """
    if executor and dask:
        raise RequestError("--executor and --dask: expected one of them")
    if executor:
        return at_executor(executor, jobs)
    return at_dask(dask, jobs) if dask else here(jobs or os.cpu_count() or 1)


def here(jobs: int) -> Place:
    """So many processes on this machine."""

    def opened() -> Opened:
        threads, children = ThreadPoolExecutor(jobs), Children()

        def close(wait: bool) -> None:
            children.close()
            threads.shutdown(cancel_futures=True)

        return Opened(threads, children.carry_out, lambda: jobs, close)

    return Place("this machine", opened, is_here=True)


def at_executor(target: str, jobs: int | None = None) -> Place:
    """An executor that a function makes.

    Args:
        target: `module:factory`, such as `concurrent.futures:ProcessPoolExecutor`. It is called with `jobs`, or
            with nothing.
        jobs: how many workers it is to have; None leaves that to the executor, and takes as many as there are cores.

    Returns:
        The place.

    Raises:
        RequestError: there is no such factory.
    """
    factory = _factory(target)

    def opened() -> Opened:
        try:
            executor = factory() if jobs is None else factory(jobs)
        except Exception as error:
            raise RequestError(f"--executor {target}: cannot be made: {first_line(error)}") from error
        if not callable(getattr(executor, "submit", None)):
            raise RequestError(f"--executor {target}: makes a {type(executor).__name__}, which has no submit")
        workers = jobs or os.cpu_count() or 1
        return Opened(executor, carry_out, lambda: workers, lambda wait: _shut_down(executor, wait))

    return Place(f"the executor {target}", opened)


def _factory(target: str) -> Callable[..., Any]:
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise RequestError(
            f"--executor {target}: expected MODULE:FACTORY, such as concurrent.futures:ProcessPoolExecutor"
        )
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise RequestError(f"--executor {target}: cannot be imported: {first_line(error)}") from error
    if not hasattr(module, name):
        raise RequestError(f"--executor {target}: {unknown_name(f'name in {module_name}', name, dir(module))}")
    factory = getattr(module, name)
    if not callable(factory):
        raise RequestError(f"--executor {target}: is a {type(factory).__name__}, expected what makes an executor")
    if factory is ProcessPoolExecutor:  # not by fork, which JAX's threads do not survive
        return partial(ProcessPoolExecutor, mp_context=multiprocessing.get_context("spawn"))
    return factory


def _shut_down(executor: Any, wait: bool) -> None:
    """Ends an executor. Where workers may hang, they are ended by force: Python waits for them when it ends."""
    processes = list((getattr(executor, "_processes", None) or {}).values()) if not wait else []
    for process in processes:
        with suppress(Exception):
            process.kill()
    with suppress(Exception):  # it may be broken
        executor.shutdown(wait=wait)


def at_dask(address: str, jobs: int | None = None) -> Place:
    """A cluster of Dask.

    Args:
        address: of its scheduler, such as `tcp://10.0.0.1:8786`; or `local`, which starts a scheduler and workers on
            this machine.
        jobs: how many workers `local` starts; None is one for each core.

    Returns:
        The place.

    Raises:
        MissingFrameworkError: `distributed` is not installed.
    """
    require("distributed", needed_by="--dask", extra="dask")

    def opened() -> Opened:
        return _opened_dask(address, jobs or os.cpu_count() or 1)

    return Place("the local Dask cluster" if address == LOCAL else f"the Dask cluster at {address}", opened)


def _opened_dask(address: str, jobs: int) -> Opened:
    from distributed import Client, LocalCluster

    try:
        cluster = None
        if address == LOCAL:
            with _ctrl_c_is_for_this_thread():
                cluster = LocalCluster(
                    n_workers=jobs, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
                )
        client = Client(cluster or address, timeout=CONNECT_SECONDS, set_as_default=False)
        client.wait_for_workers(1, timeout=FIRST_WORKER_SECONDS)
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        what = "no cluster can be started" if address == LOCAL else "no scheduler with workers answers there"
        raise RequestError(f"--dask {address}: {what}: {first_line(error)}") from error
    counted = (0.0, 0)

    def workers() -> int:
        nonlocal counted
        if time.monotonic() - counted[0] > RECOUNT_SECONDS:
            with suppress(Exception):  # whoever submits a task finds out
                counted = (time.monotonic(), sum(client.nthreads().values()))
        return counted[1]

    def close(wait: bool) -> None:
        with suppress(Exception), _quiet():
            client.close()
        if cluster is not None:
            with suppress(Exception), _quiet():
                cluster.close()

    def is_gone() -> bool:
        return client.status in ("closing", "closed")  # by itself, when it has not found the scheduler again for long

    return Opened(client.get_executor(pure=False), carry_out, workers, close, is_gone)


@contextmanager
def _ctrl_c_is_for_this_thread() -> Iterator[None]:
    """Threads and processes that are started meanwhile are deaf to it for as long as they live."""
    resource_tracker.ensure_running()  # it would unblock Ctrl-C when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what Dask logs of connections that end; the level is as before after it."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)
