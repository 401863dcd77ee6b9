"""Jobs in real processes: clean, ended in time, and replaced when they die; and where they are carried out."""

from __future__ import annotations

import _thread
import threading
import time
from functools import partial
from pathlib import Path

import pytest
import worker_jobs
from distributed import LocalCluster
from gradparity.backends import BrokenBackendError, RequestError
from gradparity.compare.workers import Death, Shard, at_dask, choose_place, crew, here, parse_shard
from gradparity.compare.workers.carrying import ATTEMPTS, Children, Task, carry_out
from gradparity.compare.workers.serving import Child
from hypothesis import given
from hypothesis import strategies as st

IMPORT_PATH = (str(Path(worker_jobs.__file__).parent),)


def in_processes(setup, numbers=range(1, 8), *, timeout=30.0, jobs=1, **options):
    with crew(setup, here(jobs), timeout=timeout, **options) as those:
        return dict(those.answers([tuple(numbers)]))


def test_a_process_is_used_for_the_next_task_of_the_same_kind_and_replaced_in_time(monkeypatch):
    monkeypatch.setattr("gradparity.compare.workers.carrying.TASKS_PER_PROCESS", 2)
    children = Children()
    task = Task(worker_jobs.harmless, (2,), 30.0, import_path=IMPORT_PATH)
    pids = [children.carry_out(task).answers[2][1] for _ in range(4)]
    assert pids[0] == pids[1] != pids[2] == pids[3]
    children.close()


def test_a_process_is_clean(capfd):
    assert in_processes(worker_jobs.noisy, [1], threads=1) == {1: "1"}
    out, err = capfd.readouterr()
    assert (out, err) == ("", "a backend prints\n")


LINES = Path(worker_jobs.__file__).read_text().splitlines()
PLACE = {
    number: f"worker_jobs.py:{LINES.index(line) + 1}, in answer: {line.strip()}"
    for number, line in {5: '            raise ZeroDivisionError("of five")', 6: "            sys.exit(0)"}.items()
}


def test_jobs_that_die_hang_or_raise_fail_with_a_sentence_and_no_others():
    assert in_processes(worker_jobs.harmful, timeout=1.0) == {
        1: 1,
        2: 4,
        3: Death("the worker process died, with exit code 7"),
        4: Death("it took longer than 1 s, the time limit (--timeout)"),
        5: Death(f"it raised ZeroDivisionError: of five ({PLACE[5]})"),
        6: Death(f"it raised SystemExit: 0 ({PLACE[6]})"),
        7: 49,
    }


def test_a_process_that_dies_by_chance_loses_nothing(tmp_path):
    assert in_processes(partial(worker_jobs.dies_once, str(tmp_path)), [2, 3]) == {2: 4, 3: 9}


def test_processes_that_ended_because_they_were_idle_are_no_fault_of_the_next_job():
    children = Children()
    task = Task(worker_jobs.harmless, (2,), 30.0, import_path=IMPORT_PATH)
    for _ in range(ATTEMPTS):
        idle = Child(task.setup, 1, IMPORT_PATH)
        idle.load()
        children._given_back(idle, task)
        idle.kill()
        idle._process.wait()
    assert children.carry_out(task).answers[2][0] == 4
    children.close()


def test_a_process_ends_when_there_is_nothing_to_do_for_long():
    children = Children()
    task = Task(worker_jobs.harmless, (2,), 30.0, import_path=IMPORT_PATH)
    children.carry_out(task)
    (idle,) = (child for kind in children._idle.values() for child in kind)
    idle._pipe.close()  # as where the worker has died
    assert idle._process.wait(10) == 0


def test_what_cannot_be_loaded_is_said_at_once():
    with pytest.raises(RequestError, match=r"^there is no backend 'troch'$"):
        in_processes(worker_jobs.refuses)
    with pytest.raises(BrokenBackendError, match="died, with exit code 5, while it loaded the backends"):
        in_processes(worker_jobs.dies_at_the_start)


def test_ctrl_c_ends_the_processes_that_are_at_work():
    processes = []

    def interrupt(children):
        while len(children._busy) < 2 or not all(child.environment for child in children._busy):
            time.sleep(0.02)
        processes.extend(child._process for child in children._busy)
        _thread.interrupt_main()

    with crew(worker_jobs.asleep, here(2), timeout=600.0) as those:
        threading.Thread(target=interrupt, args=(those._opened.carry_out.__self__,)).start()
        with pytest.raises(KeyboardInterrupt):
            list(those.answers([(1,), (2,)]))
    assert [process.wait(10) for process in processes] == [-9, -9]


# Executors


@pytest.mark.parametrize("target", ["concurrent.futures:ProcessPoolExecutor", "workers_of:one"])
def test_any_executor_is_taken(target, tmp_path, monkeypatch):
    (tmp_path / "workers_of.py").write_text(
        "from concurrent.futures import ThreadPoolExecutor\n\ndef one(jobs=1):\n    return ThreadPoolExecutor(jobs)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    place = choose_place(jobs=2, executor=target)
    with crew(worker_jobs.harmless, place, timeout=30.0) as those:
        answers = {number: square for number, (square, _) in those.answers([(1, 2), (3,)])}
        assert those.environment == worker_jobs.ENVIRONMENT
    assert answers == {1: 1, 2: 4, 3: 9}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("ProcessPoolExecutor", "expected MODULE:FACTORY, such as concurrent.futures:ProcessPoolExecutor"),
        ("concurrent.futurs:ProcessPoolExecutor", "cannot be imported: ModuleNotFoundError: No module named"),
        ("concurrent.futures:ProcessPool", "did you mean 'ProcessPoolExecutor'"),
        ("math:pi", "is a float, expected what makes an executor"),
        ("builtins:list", r"cannot be made: TypeError|makes a list, which has no submit"),
    ],
)
def test_an_executor_that_is_none_is_one_line(target, message):
    with pytest.raises(RequestError, match=message) as error:
        choose_place(jobs=None, executor=target).open()
    assert "\n" not in str(error.value)


def test_two_places_are_one_too_many():
    with pytest.raises(RequestError, match="--executor and --dask: expected one of them"):
        choose_place(jobs=1, executor="math:pi", dask="local")


def test_dask_that_is_not_installed_is_named_with_its_extra(gradparity, hide):
    hide("distributed")
    code, out, err = gradparity("sweep", "--dask", "local")
    assert (code, out) == (2, "")
    assert err == ('gradparity: --dask needs distributed, which is not installed: pip install "gradparity[dask]"\n')


def test_carrying_out_in_a_foreign_process_keeps_its_processes(monkeypatch):
    fresh = Children()
    monkeypatch.setattr("gradparity.compare.workers.carrying._CHILDREN", fresh)
    task = Task(worker_jobs.harmless, (3,), 30.0, import_path=IMPORT_PATH)
    assert carry_out(task).answers[3][1] == carry_out(task).answers[3][1]
    fresh.close()


@pytest.fixture(scope="module")
def cluster():
    """A scheduler with two workers, which are threads of this process."""
    with LocalCluster(2, processes=False, host="tcp://127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        yield cluster


def test_a_cluster_of_dask_carries_out_what_is_left_by_a_worker_that_goes(cluster):
    with crew(worker_jobs.slow, at_dask(cluster.scheduler_address), timeout=30.0) as those:
        answers = those.answers([(number, number + 1) for number in range(0, 24, 2)])
        results = [next(answers)]
        cluster.scale(1)
        results += answers
    assert sorted(results) == [(number, number**2) for number in range(24)]


def test_no_scheduler_is_one_line(monkeypatch):
    monkeypatch.setattr("gradparity.compare.workers.executors.CONNECT_SECONDS", 0.2)
    with pytest.raises(RequestError, match=r"--dask tcp:.*: no scheduler with workers answers there: OSError"):
        at_dask("tcp://127.0.0.1:9").open()


# Shards


@given(st.integers(1, 7), st.integers(0, 60), st.integers(1, 6))
def test_shards_are_all_of_it_and_have_nothing_twice(count, jobs, in_group):
    parts = [
        [number for number in range(jobs) if shard.has(number // in_group)]
        for shard in (Shard(number, count) for number in range(1, count + 1))
    ]
    assert sorted(number for part in parts for number in part) == list(range(jobs))
    assert [len(part) for part in parts] == [Shard(k, count).size(jobs, in_group=in_group) for k in range(1, count + 1)]


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_a_shard_that_is_none_is_one_line(text):
    with pytest.raises(RequestError, match="expected k/n with k from 1 to n"):
        parse_shard(text)
