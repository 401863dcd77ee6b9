"""Jobs with numbers: whoever carries them out, none is lost, and none is counted twice."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial

import pytest
import worker_jobs
from gradparity.backends import BrokenBackendError, RequestError
from gradparity.compare import workers
from gradparity.compare.workers import Death, Place, crew, gathering
from gradparity.compare.workers.carrying import ATTEMPTS, Carried
from gradparity.compare.workers.executors import Opened
from hypothesis import given
from hypothesis import strategies as st

ENVIRONMENT = {"versions": {"numpy": "2.4.6"}}
NUMBERS = range(40)
GROUPS = [tuple(NUMBERS[first : first + 5]) for first in range(0, 40, 5)]


class Cluster:
    """An executor that carries tasks out in this process, as `behave` says.

    Attributes:
        tasks: the numbers of every task that was submitted.
        opened: how often it was opened.
    """

    def __init__(self, behave, workers=2):
        self.behave, self.workers = behave, workers
        self.tasks, self.opened, self.is_closed = [], 0, None

    def place(self):
        def opened():
            self.opened += 1
            self.is_gone = False
            return Opened(self, answered, lambda: self.workers, self.close, lambda: self.is_gone)

        return Place("the cluster", opened)

    def close(self, wait):
        self.is_closed = wait

    def submit(self, function, task):
        self.tasks.append(task.numbers)
        future = Future()
        self.behave(self, future, partial(function, task), task)
        return future


def answered(task):
    return Carried(ENVIRONMENT, {number: number**2 for number in task.numbers})


def late_result(future, work):
    with suppress(InvalidStateError):  # nobody waits for it any more
        future.set_result(work())


def comes_back(cluster, future, work, task):
    future.set_result(work())


def results_of(cluster, groups=GROUPS, timeout=1.0, **options):
    """The answers by their numbers; each number may come once."""
    with crew(worker_jobs.harmless, cluster.place(), timeout=timeout, **options) as those:
        answers = list(those.answers(groups))
    numbers = [number for number, _ in answers]
    assert Counter(numbers) == Counter(set(numbers))
    return dict(answers)


SQUARES = {number: number**2 for number in NUMBERS}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Nobody waits long for a worker that hangs."""
    monkeypatch.setattr(gathering, "START_SECONDS", 0.0)
    monkeypatch.setattr(gathering, "POLL_SECONDS", 0.01)


def test_every_number_has_an_answer():
    cluster = Cluster(comes_back)
    assert results_of(cluster) == SQUARES
    assert cluster.tasks == [(), *GROUPS]  # the first one asks for the environment
    assert cluster.is_closed is True


def test_no_more_is_given_than_the_workers_can_begin():
    waiting = []

    def behave(cluster, future, work, task):
        assert len(waiting) < 2 * cluster.workers
        if not task.numbers:
            return future.set_result(work())
        waiting.append((future, work))
        if len(waiting) == 2 * cluster.workers or task.numbers == GROUPS[-1]:
            for future, work in waiting:
                future.set_result(work())
            waiting.clear()
        return None

    assert results_of(Cluster(behave, workers=2)) == SQUARES


def test_what_a_worker_died_of_is_given_again():
    died = set()

    def behave(cluster, future, work, task):
        if task.numbers in (GROUPS[1], GROUPS[7]) and task.numbers not in died:
            died.add(task.numbers)
            future.set_exception(OSError("KilledWorker"))
        else:
            future.set_result(work())

    cluster = Cluster(behave)
    assert results_of(cluster) == SQUARES
    assert len(cluster.tasks) == 1 + len(GROUPS) + 2


def test_a_cancelled_future_is_given_again():
    cancelled = set()

    def behave(cluster, future, work, task):
        if task.numbers and task.numbers not in cancelled:
            cancelled.add(task.numbers)
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_result(work())

    assert results_of(Cluster(behave)) == SQUARES


def test_a_number_that_every_worker_dies_of_fails_alone():
    def behave(cluster, future, work, task):
        if 17 in task.numbers:
            future.set_exception(OSError("the worker is gone"))
        else:
            future.set_result(work())

    results = results_of(Cluster(behave))
    death = results.pop(17)
    assert death == Death("no worker comes back with it, in 6 tries: OSError: the worker is gone")
    assert results == {number: square for number, square in SQUARES.items() if number != 17}


def test_who_is_in_flight_with_a_killer_is_not_taken_for_one():
    """A pool of processes breaks as a whole: all that was given fails, whoever's fault it was."""
    at_work = []

    def break_all():
        for one in at_work:
            with suppress(InvalidStateError):  # it has come back already
                one.set_exception(OSError("broken"))
        at_work.clear()

    def behave(cluster, future, work, task):
        at_work.append(future)
        if 0 in task.numbers:
            threading.Timer(0.02, break_all).start()
        else:
            threading.Timer(0.04, late_result, (future, work)).start()

    results = results_of(Cluster(behave), GROUPS[:2])
    assert isinstance(results.pop(0), Death)
    assert results == {number: number**2 for number in range(1, 10)}


def test_what_came_late_is_not_given_once_more_if_its_second_worker_dies():
    hanging = []

    def behave(cluster, future, work, task):
        if task.numbers != GROUPS[0]:
            future.set_result(work())
        elif not hanging:
            hanging.append((future, work))
        else:
            late_result(*hanging[0])
            future.set_exception(OSError("died"))

    cluster = Cluster(behave)
    assert results_of(cluster, timeout=0.02) == SQUARES
    assert cluster.tasks.count(GROUPS[0]) == 2


def test_what_comes_late_while_the_workers_are_asked_whether_they_live_is_counted():
    hanging = []

    def behave(cluster, future, work, task):
        if task.numbers == (0,):
            future.set_exception(OSError("died"))
        elif task.numbers == (1,):
            hanging.append((future, work))
        else:
            for late in hanging[:1]:
                late_result(*late)
            future.set_result(work())

    results = results_of(Cluster(behave), [(0,), (1,)], timeout=0.005)
    assert isinstance(results[0], Death)
    assert results[1] == 1


def test_what_hangs_is_given_again_and_counted_once_if_it_comes_late():
    hanging = []

    def behave(cluster, future, work, task):
        if task.numbers == GROUPS[0] and not hanging:
            hanging.append((future, work))
            return
        if task.numbers == GROUPS[0]:  # given again: the first one comes a moment before
            hanging[0][0].set_result(hanging[0][1]())
        future.set_result(work())

    cluster = Cluster(behave)
    assert results_of(cluster, timeout=0.02) == SQUARES
    assert cluster.tasks.count(GROUPS[0]) == 2


def test_what_comes_late_is_not_given_once_more():
    futures = []

    def behave(cluster, future, work, task):
        if task.numbers == GROUPS[0] and not futures:
            futures.append(future)
            threading.Timer(0.35, late_result, (future, work)).start()
        elif 1 in task.numbers:  # the others given with it hang for ever
            pass
        else:
            future.set_result(work())

    assert results_of(Cluster(behave), timeout=0.02) == SQUARES


def test_new_jobs_are_given_while_those_that_came_late_fill_the_room():
    """All that is at work carries out what is answered already: there is more to do all the same."""
    late = []

    def behave(cluster, future, work, task):
        if not task.numbers or (len(late) == 4 and task.numbers[0] >= 20):
            future.set_result(work())
        elif len(late) < 4:
            late.append((future, work))
        elif task.numbers == GROUPS[3]:  # the last one of those that were given again, which hang, too
            for one, finished in late:
                one.set_result(finished())

    assert results_of(Cluster(behave), timeout=0.02) == SQUARES


def test_a_cluster_that_carries_out_nothing_is_an_error_in_one_line():
    never = Cluster(lambda cluster, future, work, task: None)
    with pytest.raises(RequestError, match=r"^the cluster carries out nothing, in 3 tries: nothing came back within"):
        results_of(never, timeout=0.01)
    assert never.is_closed is False
    assert never.tasks == [()] * ATTEMPTS


def test_a_cluster_that_stops_is_told_from_a_job_that_fails():
    def behave(cluster, future, work, task):
        if len(cluster.tasks) < 4:
            future.set_result(work())

    with pytest.raises(RequestError, match="the cluster carries out nothing"):
        results_of(Cluster(behave), timeout=0.005)


def test_an_executor_that_broke_is_opened_anew():
    def behave(cluster, future, work, task):
        if len(cluster.tasks) == 4:
            raise RuntimeError("A process in the process pool was terminated abruptly")
        future.set_result(work())

    cluster = Cluster(behave)
    assert results_of(cluster) == SQUARES
    assert cluster.opened == 2


def test_what_a_scheduler_had_that_is_gone_is_given_to_the_next_one():
    def behave(cluster, future, work, task):
        if cluster.is_gone:
            raise RuntimeError("the client is closed")
        if cluster.opened == 1 and task.numbers in GROUPS[2:]:
            cluster.is_gone = True  # nothing comes back, and no future says so
        else:
            future.set_result(work())

    cluster = Cluster(behave)
    assert results_of(cluster, timeout=60.0) == SQUARES
    assert cluster.opened == 2


def test_an_executor_that_stays_broken_is_an_error_in_one_line():
    def behave(cluster, future, work, task):
        raise RuntimeError("cannot schedule new futures")

    with pytest.raises(RequestError, match=r"^the cluster takes no jobs: RuntimeError: cannot schedule new futures$"):
        results_of(Cluster(behave))


@pytest.mark.parametrize(
    ("raised", "error", "message"),
    [
        (RequestError("unknown backend 'troch'"), RequestError, "^unknown backend 'troch'$"),
        (ModuleNotFoundError("No module named 'gradparity'"), BrokenBackendError, "a worker of the cluster lacks some"),
    ],
)
def test_what_no_other_worker_would_do_better_is_raised_at_once(raised, error, message):
    cluster = Cluster(lambda cluster, future, work, task: future.set_exception(raised))
    with pytest.raises(error, match=message):
        results_of(cluster)
    assert cluster.tasks == [()]


def test_a_worker_with_another_version_is_refused():
    def behave(cluster, future, work, task):
        carried = work()
        future.set_result(
            carried._replace(environment={"versions": {"numpy": "2.2.0"}}) if 20 in task.numbers else carried
        )

    def check(environment):
        workers.require_same_versions(environment, ENVIRONMENT, who="a worker", as_in="this process")

    with pytest.raises(RequestError, match=r"^a worker has numpy 2\.2\.0, expected 2\.4\.6 as in this process$"):
        results_of(Cluster(behave), check=check)


@given(st.integers(0, 2**32 - 1))
def test_whatever_workers_do_nothing_is_lost_and_nothing_counted_twice(seed):
    rng = random.Random(seed)
    waiting = []

    def behave(cluster, future, work, task):
        drawn = rng.random()
        if not task.numbers or drawn < 0.5:
            future.set_result(work())
        elif drawn < 0.65:
            future.set_exception(OSError("died"))
        elif drawn < 0.8:
            waiting.append((future, work))  # hangs, and may come late
        elif drawn < 0.85:
            raise RuntimeError("broken")
        else:
            threading.Timer(rng.uniform(0, 0.02), late_result, (future, work)).start()
        if waiting and rng.random() < 0.5:
            late_result(*waiting.pop(rng.randrange(len(waiting))))

    groups = GROUPS[:4]
    try:
        results = results_of(Cluster(behave), groups, timeout=0.0005)
    except RequestError as broken:  # twice in a row; or nobody answered any more
        error = str(broken)
    else:
        error = ""
    if error:
        assert "takes no jobs" in error or "carries out nothing" in error
        return
    assert results.keys() == {number for group in groups for number in group}
    assert all(isinstance(result, Death) or result == number**2 for number, result in results.items())
