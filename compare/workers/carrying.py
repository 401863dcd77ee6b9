"""What a worker does with a task, wherever it is: the jobs are carried out in processes of its own."""

from __future__ import annotations

import os
import pickle
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, NamedTuple

from ...backends import BrokenBackendError, RequestError
from .serving import Child, Death, Setup

try:
    import fcntl
except ImportError:  # on Windows, where a benchmark is not kept apart from others
    fcntl = None  # type: ignore[assignment]

ATTEMPTS = 3  # of a job that a process dies of
TASKS_PER_PROCESS = 50  # then it is replaced: JAX keeps some 10 MB for each model of a sweep


@dataclass(frozen=True)
class Task:
    """Jobs that are given to one worker together.

    Attributes:
        setup: what a process loads before it can carry them out.
        numbers: of the jobs; none asks for the environment alone.
        timeout: the seconds that one job may take.
        threads: of every BLAS and OpenMP.
        is_alone: whether nothing else of this kind may run on the machine meanwhile.
        import_path: folders from which the processes can import, too.
    """

    setup: Setup
    numbers: tuple[int, ...]
    timeout: float
    threads: int = 1
    is_alone: bool = False
    import_path: tuple[str, ...] = ()


class Carried(NamedTuple):
    """What comes back of a task.

    Attributes:
        environment: of the process.
        answers: by the jobs' numbers.
    """

    environment: Mapping[str, Any]
    answers: dict[int, Any]


class StoppedError(Exception):
    """The processes were ended: nobody waits for an answer any more."""


class Children:
    """The processes of one worker, which are used again by the next task of the same kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[bytes, list[Child]] = {}
        self._busy: set[Child] = set()
        self._is_closed = False

    def carry_out(self, task: Task) -> Carried:
        """Carries out a task.

        A job of which the process dies, or which takes too long, is carried out once more in a fresh process; after
        `ATTEMPTS` of them its answer is a `Death`.

        Args:
            task: the jobs.

        Raises:
            RequestError: the processes cannot load what they need.
            StoppedError: `close` was called.
        """
        with _machine(task.is_alone):
            child = self._taken(task)
            left = deque((number, 1) for number in task.numbers)
            answers: dict[int, Any] = {}
            while left:
                number, attempt = left[0]
                try:
                    answers[number] = child.answer(number, task.timeout)
                    left.popleft()
                    continue
                except EOFError:
                    reason = child.how_it_died()
                    is_guilty = not child.carried_out  # or it had just ended because it had nothing to do
                except ChildProcessError:
                    reason, is_guilty = child.how_it_died(), True
                except TimeoutError:
                    reason, is_guilty = f"it took longer than {task.timeout:g} s, the time limit (--timeout)", True
                left.popleft()
                if is_guilty and attempt == ATTEMPTS:
                    answers[number] = Death(reason)
                else:
                    left.appendleft((number, attempt + is_guilty))
                self._dropped(child)
                child = self._taken(task)
            self._given_back(child, task)
        return Carried(child.environment, answers)

    def _taken(self, task: Task) -> Child:
        for attempt in range(1, ATTEMPTS + 1):
            with self._lock:
                if self._is_closed:
                    raise StoppedError
                idle = self._idle.get(_kind(task), [])
                child = idle.pop() if idle else Child(task.setup, task.threads, task.import_path)
                self._busy.add(child)
            if child.environment:
                return child
            try:
                child.load()
                return child
            except BrokenBackendError:  # also if it was killed by chance
                self._dropped(child)
                if attempt == ATTEMPTS:
                    raise
            except RequestError:
                self._dropped(child)
                raise
        raise AssertionError

    def _given_back(self, child: Child, task: Task) -> None:
        child.carried_out += 1
        with self._lock:
            self._busy.discard(child)
            if child.carried_out < TASKS_PER_PROCESS and not self._is_closed:
                self._idle.setdefault(_kind(task), []).append(child)
                return
        child.end()

    def _dropped(self, child: Child) -> None:
        with self._lock:
            self._busy.discard(child)
        child.end()

    def close(self) -> None:
        """Ends all processes; who is in `carry_out` gets a StoppedError."""
        with self._lock:
            self._is_closed = True
            for child in self._busy:
                child.kill()
            for child in (child for idle in self._idle.values() for child in idle):
                child.end()
            self._idle.clear()


def _kind(task: Task) -> bytes:
    return pickle.dumps((task.setup, task.threads, task.import_path))


@contextmanager
def _machine(is_alone: bool) -> Iterator[None]:
    """Waits until nothing else is measured on this machine; a worker that dies lets others in."""
    if not is_alone or fcntl is None:
        yield
        return
    path = Path(tempfile.gettempdir()) / f"gradparity-measures-{os.getuid()}.lock"
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


_CHILDREN = Children()  # of this process, if it is a worker of somebody else's executor


def carry_out(task: Task) -> Carried:
    """Carries out a task, in a worker process of any executor; see `Children.carry_out`."""
    _end_with(os.getpid())
    return _CHILDREN.carry_out(task)


@cache
def _end_with(pid: int) -> None:
    """Ends the processes when this worker ends in good order; where it is killed, they end by themselves."""
    Finalize(None, _CHILDREN.close, exitpriority=0)
