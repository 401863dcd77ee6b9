"""Sweeps whose workers are killed at random: the log is, sorted, that of a sweep in one process, to the letter."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest
from gradparity.compare.sweep import run_sweep
from sampling import case

PLANTED = "from faults import Faulty, nothing\nright = Faulty(nothing, 'right')\n"
BACKENDS = ["manual", "planted:right"]
COUNT, NUMBERS, SEED = 60, 3, 7
COMMAND = "from gradparity.compare.cli import main; import sys; main(sys.argv[1:])"
CHILD, WORKER = "gradparity.compare.workers.serving", "multiprocessing.spawn"
PLACES = {
    "here": ([], [CHILD]),
    "pool": (["--executor", "concurrent.futures:ProcessPoolExecutor"], [CHILD, WORKER]),
    "dask": (["--dask", "local"], [CHILD, WORKER]),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """With backends that can be named in every process."""
    (tmp_path / "planted.py").write_text(PLANTED)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    return tmp_path


@pytest.fixture
def start(folder):
    """Starts a sweep on two workers, whose log is `log`."""
    running = []

    def start(*options):
        command = ["sweep", "--problems", COUNT, "--numbers", NUMBERS, "--seed", SEED, "--jobs", 2, "--log", "log"]
        command += [option for name in BACKENDS for option in ("--backend", name)]
        path = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)])}
        arguments = [sys.executable, "-c", COMMAND, *map(str, (*command, *options))]
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen(arguments, env=path, start_new_session=True, **streams))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def lines_in(log):
    return log.read_text().splitlines()[1:] if log.exists() else []


def workers_of(process, kinds):
    """The processes that work for it, of these kinds."""
    found = []
    with suppress(psutil.Error):
        for one in psutil.Process(process.pid).children(recursive=True):
            with suppress(psutil.Error):
                line = " ".join(one.cmdline())
                found += [one] if any(kind in line for kind in kinds) and "resource_tracker" not in line else []
    return found


@pytest.fixture
def in_one_process(folder):
    """The lines of the log of a sweep that nobody disturbs."""
    run_sweep(COUNT, seed=SEED, numbers=NUMBERS, backends=BACKENDS, jobs=1, log=folder / "undisturbed")
    return sorted(lines_in(folder / "undisturbed"))


@pytest.mark.parametrize("place", [case(name, campaign=True, id=name) for name in PLACES])
@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "terminate"])
def test_a_sweep_whose_workers_are_killed_at_random_loses_nothing(start, folder, in_one_process, place, stop):
    options, kinds = PLACES[place]
    rng = random.Random(0)
    running, log = start(*options), folder / "log"
    killed = 0
    while running.poll() is None and len(lines_in(log)) < COUNT - 10:
        if lines_in(log) and killed < 8 and (workers := workers_of(running, kinds)):
            with suppress(psutil.Error):
                rng.choice(workers).send_signal(stop)
                killed += 1
        time.sleep(rng.uniform(0, 1.0))
    assert running.wait(120) == 0
    assert killed >= 1  # how many, is a matter of the machine's speed
    assert sorted(lines_in(log)) == in_one_process


@pytest.mark.parametrize("place", [case(name, campaign=True, id=name) for name in PLACES])
def test_ctrl_c_leaves_a_log_that_is_continued_and_nobody_behind(start, folder, in_one_process, place):
    options, kinds = PLACES[place]
    running, log = start(*options), folder / "log"
    while running.poll() is None and not lines_in(log):
        time.sleep(0.05)
    workers = workers_of(running, kinds)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does it: the workers get it, too
    assert "gradparity: interrupted" in running.communicate(timeout=60)[1]
    assert running.returncode == 130
    psutil.wait_procs(workers, timeout=30)
    assert not [one for one in workers if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    assert 0 < len(lines_in(log)) < COUNT
    assert start(*options).wait(120) == 0
    assert sorted(lines_in(log)) == in_one_process
