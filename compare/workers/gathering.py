"""The course of many jobs: they are given to workers, given again if those die or hang, and counted once."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from ...backends import BrokenBackendError, RequestError
from ...backends.errors import first_line
from .carrying import ATTEMPTS, Carried, Task
from .executors import Place
from .serving import Death, Setup

PER_WORKER = 2  # tasks that are given at once: one is carried out, and one waits
POLL_SECONDS = 0.5  # between two looks at the time, and at how many workers there are
START_SECONDS = 120.0  # in which a worker can load what it needs, however busy its machine is

FAILURES = (Exception, asyncio.CancelledError)  # of a future; the second one is what Dask's raise


class Group(NamedTuple):
    """Jobs that are given together.

    Attributes:
        numbers: of the jobs.
        failures: how often it was given in vain.
        is_alone: whether nothing else is given meanwhile, so that it is known what a worker dies of.
    """

    numbers: tuple[int, ...]
    failures: int = 0
    is_alone: bool = False


class Given(NamedTuple):
    """A group that a worker has.

    Attributes:
        group: the group.
        future: of what comes back.
        deadline: when it is given again; None is never.
    """

    group: Group
    future: Any
    deadline: float | None


class Returned(NamedTuple):
    """What has come of a group.

    Attributes:
        group: the group.
        carried: its answers, if there are any.
        reason: why there are none.
    """

    group: Group
    carried: Carried | None
    reason: str = ""


class Crew:
    """Those who carry out jobs.

    Attributes:
        environment: of the first worker; empty on this machine, where it is that of this process.
    """

    def __init__(self, place: Place, task: Task, check: Callable[[Mapping[str, Any]], None]) -> None:
        """Opens the place.

        Args:
            place: where they are.
            task: without its numbers.
            check: is called with the environment of each worker; raises a RequestError if its answers do not count.
        """
        self.environment: Mapping[str, Any] = {}
        self._place, self._task, self._check = place, task, check
        self._opened = place.open()
        self._tickets = count()
        self._came_back: SimpleQueue[int] = SimpleQueue()
        self._given: dict[int, Given] = {}
        self._late: dict[int, Given] = {}  # were given again
        self._kept: list[Returned] = []  # came back while something else was waited for

    def answers(self, groups: Iterable[tuple[int, ...]]) -> Generator[tuple[int, Any], None, None]:
        """Carries out jobs.

        Args:
            groups: the numbers of the jobs that are given to one worker together.

        Yields:
            Each number once, with its answer or its `Death`, in the order in which they come back.

        Raises:
            RequestError: nobody can carry them out, or the environment of a worker is another one.
        """
        new = iter(groups)
        again: deque[Group] = deque()
        alone: deque[Group] = deque()
        expected: set[int] = set()  # the numbers that were given, and have no answer

        def next_group() -> Group | None:
            while again:
                group = again.popleft()
                if numbers := tuple(number for number in group.numbers if number in expected):  # some came late
                    return group._replace(numbers=numbers)
            for numbers in new:
                expected.update(numbers)
                return Group(numbers)
            while alone and not self._given:
                group = alone.popleft()
                if expected.issuperset(group.numbers):
                    return group
            return None

        while True:
            # Where nothing is expected, those at work carry out what has come late: there may be new jobs all the same.
            while (not expected or self._has_room()) and (group := next_group()):
                self._give(group)
            if not expected:
                return
            for group, carried, reason in self._returned():
                if carried:
                    for number in expected.intersection(carried.answers):
                        expected.remove(number)
                        yield number, carried.answers[number]
                elif group.failures + 1 < ATTEMPTS:
                    (alone if group.is_alone else again).append(group._replace(failures=group.failures + 1))
                elif not group.is_alone:
                    alone.extend(Group((number,), is_alone=True) for number in group.numbers)
                elif expected.issuperset(group.numbers):
                    self.ask_environment()  # whoever still carries out something does not carry out this
                    expected.difference_update(group.numbers)
                    yield group.numbers[0], Death(f"no worker comes back with it, in {2 * ATTEMPTS} tries: {reason}")

    def ask_environment(self) -> Mapping[str, Any]:
        """The environment of a worker.

        Raises:
            RequestError: no worker answers, or its environment is another one.
        """
        reason = ""
        others: list[Returned] = []
        for _ in range(ATTEMPTS):
            ticket = self._give(Group(()))
            while ticket in self._given:
                for returned in self._returned():
                    if returned.group.numbers:
                        others.append(returned)
                    elif returned.carried:
                        self._kept += others
                        return returned.carried.environment
                    else:
                        reason = returned.reason
        raise RequestError(f"{self._place.name} carries out nothing, in {ATTEMPTS} tries: {reason}")

    def _has_room(self) -> bool:
        return len(self._given) < PER_WORKER * max(self._opened.workers(), 1)

    def _give(self, group: Group) -> int:
        task = replace(self._task, numbers=group.numbers)
        try:
            future = self._opened.executor.submit(self._opened.carry_out, task)
        except Exception:  # it is broken, as one of processes is when one of them dies
            self._kept += self._lost()
            self._opened.close(False)
            self._opened = self._place.open()
            try:
                future = self._opened.executor.submit(self._opened.carry_out, task)
            except Exception as error:
                raise RequestError(f"{self._place.name} takes no jobs: {first_line(error)}") from error
        ticket = next(self._tickets)
        patience = 2 * (len(group.numbers) + 1) * task.timeout + START_SECONDS
        self._given[ticket] = Given(group, future, None if self._place.is_here else time.monotonic() + patience)
        future.add_done_callback(lambda future: self._came_back.put(ticket))
        return ticket

    def _returned(self) -> list[Returned]:
        """Waits a moment; what has come back meanwhile, and what should have."""
        returned, self._kept = self._kept, []
        tickets = []
        with suppress(Empty):
            tickets.append(self._came_back.get(timeout=POLL_SECONDS))
            while True:
                tickets.append(self._came_back.get_nowait())
        for ticket in tickets:
            is_late = ticket in self._late
            given = (self._late if is_late else self._given).pop(ticket, None)
            result = self._result_of(given) if given else None
            if result and (result.carried or not is_late):
                returned.append(result)
        for ticket, given in list(self._given.items()):
            if given.deadline is not None and time.monotonic() > given.deadline:
                self._late[ticket] = self._given.pop(ticket)
                returned.append(Returned(given.group, None, "nothing came back within the time limit (--timeout)"))
        return [*returned, *self._lost()]

    def _lost(self) -> list[Returned]:
        """All that was given, if nothing of it comes back any more."""
        if not self._opened.is_gone():
            return []
        lost = [Returned(given.group, None, "whoever had it is gone") for given in self._given.values()]
        self._given.clear()
        self._late.clear()
        return lost

    def _result_of(self, given: Given) -> Returned:
        try:
            carried = given.future.result()
        except RequestError:
            raise
        except ImportError as error:
            raise BrokenBackendError(f"a worker of {self._place.name} lacks something: {first_line(error)}") from error
        except FAILURES as error:
            return Returned(given.group, None, first_line(error))
        if not self._place.is_here:
            self._check(carried.environment)
        return Returned(given.group, carried)

    def close(self) -> None:
        """Ends what was opened, and what is still at work in it."""
        self._lost()
        unfinished = [*self._given.values(), *self._late.values()]
        for given in unfinished:
            with suppress(*FAILURES):
                given.future.cancel()
        self._opened.close(not unfinished)


@contextmanager
def crew(
    setup: Setup,
    place: Place,
    *,
    timeout: float,
    threads: int = 1,
    is_alone: bool = False,
    check: Callable[[Mapping[str, Any]], None] = lambda environment: None,
) -> Iterator[Crew]:
    """Those who carry out jobs, for as long as the block lasts.

    Args:
        setup: what a process loads before its first job; a function of a module, or a `partial` of one.
        place: where they are.
        timeout: the seconds that one job may take in its process.
        threads: of every BLAS and OpenMP in a process.
        is_alone: whether only one job of this kind at once is carried out on a machine.
        check: is called with the environment of each worker elsewhere; raises a RequestError if its answers do not
            count.

    Yields:
        The crew.

    Raises:
        RequestError: the place cannot be opened, or no worker answers there.
    """
    task = Task(setup, (), timeout, threads, is_alone, tuple(sys.path))
    made = Crew(place, task, check)
    try:
        if not place.is_here:
            made.environment = made.ask_environment()
        yield made
    finally:
        made.close()
