"""A sweep: its problems, its log, its workers, and what it finds."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import fields
from itertools import product

import pytest
from gradparity.backends import (
    Chunks,
    FeedForward,
    InvalidProblemError,
    LastSteps,
    OrderedSystem,
    Problem,
    Recurrent,
    RequestError,
    Window,
)
from gradparity.backends.checks import DTYPES
from gradparity.backends.models import ACTIVATIONS, CELLS, DIFFERENTIATIONS, LOSS_AT, LOSSES, REDUCTIONS, RESETS
from gradparity.compare.sweep import judging, run_sweep
from gradparity.compare.sweep.problems import GAIN_RANGE, ORDINARY, draw_problem
from gradparity.compare.sweep.regimes import REGIMES
from gradparity.compare.systems.random_models import FAMILY_NAMES, LONG_STEPS, LONG_UNITS, STACKS, every_combination

BACKENDS = """
import os
from faults import Faulty, in_gradients, nothing

def transposed(gradient):
    return gradient.T

def die(answer, problem):
    if answer.gradients["inputs"].shape[0] > 6:
        os._exit(7)

def slip(answer, problem):
    if "W" in answer.gradients:
        answer.gradients["W"] *= 1.001

right = Faulty(nothing, "right")
wrong = Faulty(slip, "wrong")
dying = Faulty(die, "dying")
"""
QUICK = ["manual", "planted:right"]  # needs no framework
BOTH = ("--backend", QUICK[0], "--backend", QUICK[1])
SHORT = 7  # a seed whose first models have at most nine steps


@pytest.fixture
def planted(gradparity, tmp_path):
    """The command in a folder with backends that can be named in a worker, too."""
    (tmp_path / "planted.py").write_text(BACKENDS)
    sys.path.insert(0, "")
    sys.modules.pop("planted", None)  # another test's
    yield gradparity
    sys.modules.pop("planted", None)


def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def numbers_in(path):
    return [line["number"] for line in lines_of(path)[1:] if "number" in line]


def test_a_number_is_the_same_problem_whatever_the_count():
    fingerprints = [draw_problem(number, seed=3).problem.fingerprint for number in range(40)]
    assert [draw_problem(number, seed=3).problem.fingerprint for number in reversed(range(40))] == fingerprints[::-1]
    assert len(set(fingerprints)) == 40
    assert draw_problem(5, seed=4).problem.fingerprint not in fingerprints


def test_every_combination_of_options_that_a_model_accepts_is_drawn():
    options = {field.name: field for field in fields(Recurrent)}
    choices = {"truncation": (None, Window(1), Chunks(1), LastSteps(1)), "num_layers": (1, 2)}
    choices |= dict.fromkeys(("bidirectional", "concatenated", "bias"), (False, True))
    choices |= {"activation": ACTIVATIONS, "reset": RESETS, "differentiation": DIFFERENTIATIONS}
    accepted = set()
    for cell, *values in product(CELLS, *choices.values()):
        with suppress(InvalidProblemError):
            accepted.add(Recurrent(cell, 1, 1, 1, **dict(zip(choices, values, strict=True))))
    drawn = {combination.model for _, combination in every_combination()}
    defaults = {name: options[name].default for name in ("loss", "reduction", "loss_at")}
    recurrent = {model for model in drawn if isinstance(model, Recurrent)}
    assert {
        model for model in recurrent if all(getattr(model, name) == defaults[name] for name in defaults)
    } == accepted
    assert len(recurrent) == len(accepted) * len(LOSSES) * len(REDUCTIONS) * len(LOSS_AT)


def test_what_jax_compiles_for_is_shared_by_the_numbers_of_a_model():
    for first in range(0, 500, 10):
        problems = [draw_problem(number).problem for number in range(first, first + 10)]
        compiled = {(problem.model, problem.leading, problem.dtype, problem.lengths is None) for problem in problems}
        assert len(compiled) == 1


@pytest.fixture(scope="module")
def options():
    """Every value of every option of every family, drawn somewhere in 800 models."""
    values = defaultdict(set)
    for number in range(0, 8000, 10):
        drawn = draw_problem(number)
        problem, model = drawn.problem, drawn.problem.model
        values["family"].add(drawn.family)
        values["dtype"].add(problem.dtype.name)
        values["regime"].add(drawn.regime)
        if isinstance(model, OrderedSystem):
            values["N"].add(model.size)
            continue
        values["B"].add(problem.batch_size)
        if isinstance(model, FeedForward):
            values["depth"].add(len(model.sizes) - 1)
            values["widths"] |= set(model.sizes)
        else:
            values["T"].add(problem.seq_len)
            values["lengths"].add(problem.lengths is not None)
            values["gain"].add(drawn.gain)
            values["stack"].add((model.num_layers, model.bidirectional))
            values["truncation"].add(type(model.truncation).__name__)
            values["at least T"] |= {model.truncation.steps >= problem.seq_len} if model.truncation else set()
        for field in fields(model):
            values[f"{drawn.family} {field.name}"].add(getattr(model, field.name))
    return values


def test_every_option_of_every_family_is_drawn(options):
    assert options["family"] == set(FAMILY_NAMES)
    assert options["dtype"] == set(DTYPES)
    assert options["regime"] == {ORDINARY, *REGIMES}
    assert options["N"] == {1, 2, 3, 4, 5}
    assert options["depth"] == options["B"] == {1, 2, 3}
    assert options["T"] == {*range(1, 13), LONG_STEPS, 300}
    assert options["stack"] == {(1, False), *STACKS}
    assert options["truncation"] == {"NoneType", "Window", "Chunks", "LastSteps"}
    assert options["lengths"] == options["at least T"] == {False, True}
    everywhere = {"loss": LOSSES, "reduction": REDUCTIONS}
    recurrent = everywhere | {"loss_at": LOSS_AT, "bias": (False, True)}
    recurrent |= dict.fromkeys(("input_size", "output_size"), range(1, 7))
    recurrent["hidden_size"] = (*range(1, 7), LONG_UNITS)
    for cell in CELLS:
        for name, values in recurrent.items():
            assert options[f"{cell} {name}"] == set(values), (cell, name)
    for name, values in (everywhere | {"activation": ACTIVATIONS}).items():
        assert options[f"feed-forward {name}"] == set(values), name
    assert options["rnn activation"] == set(ACTIVATIONS)
    assert options["rnn differentiation"] == set(DIFFERENTIATIONS)
    assert options["rnn concatenated"] == {False, True}
    assert options["gru reset"] == set(RESETS)
    assert options["widths"] == set(range(1, 7))


def test_gains_reach_from_contracting_to_chaotic(options):
    low, high = GAIN_RANGE
    assert low <= min(options["gain"]) < 2 * low
    assert high / 2 < max(options["gain"]) <= high


def test_correct_backends_agree_in_a_table(planted):
    code, out, err = planted("sweep", "--problems", 8, "--numbers", 1, "--seed", SHORT, *BOTH, "--jobs", 1)
    assert (code, err) == (0, "")
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in out.splitlines()[1 : 1 + 2 * len(FAMILY_NAMES)]}
    assert list(rows) == [(family, dtype) for family in FAMILY_NAMES for dtype in DTYPES]
    assert sum(int(row[0]) for row in rows.values()) == 8
    assert sum(int(row[1]) + int(row[2]) for row in rows.values()) == 8
    regimes = out[out.index("numbers") :].splitlines()[1:]
    assert sum(int(line.split()[-4]) for line in regimes[: regimes.index("")]) == 8
    assert ", no disagree (" in out


def test_continuing_a_log_neither_repeats_nor_loses_a_number(planted, tmp_path):
    log = tmp_path / "sweep.jsonl"
    run_sweep(6, seed=SHORT, numbers=2, backends=QUICK, jobs=2, log=log)
    whole = log.read_bytes()
    header, *rows = lines_of(log)
    assert header["schema"] == 3
    assert (header["seed"], header["numbers"], header["backends"]) == (SHORT, 2, QUICK)
    assert header["environment"]["threads"]["OMP_NUM_THREADS"] == "1"
    assert sorted(numbers_in(log)) == list(range(6))
    for row in rows:
        drawn = draw_problem(row["number"], seed=SHORT, numbers=2)
        assert row["fingerprint"] == drawn.problem.fingerprint[:12]
        assert (row["model"], row["gain"], row["regime"]) == (drawn.problem.summary, drawn.gain, drawn.regime)
        assert row["verdict"] in ("agree", "undecidable")

    log.write_bytes(whole[:-30])  # cut within the last line
    options = ("--numbers", 2, "--seed", SHORT, *BOTH, "--jobs", 1, "--log", log)
    code, out, _ = planted("sweep", "--problems", 8, *options)
    assert code == 0
    assert "8 random problems from seed 7: " in out
    assert sorted(numbers_in(log)) == list(range(8))
    assert log.read_bytes().startswith(whole[: whole.rstrip().rfind(b"\n") + 1])

    complete = log.read_bytes()
    code, out, _ = planted("sweep", "--problems", 8, *options)
    assert code == 0
    assert "(all from the log)" in out
    assert log.read_bytes() == complete


def test_a_log_of_an_earlier_schema_has_other_problems_and_is_left_alone(planted, tmp_path):
    log = tmp_path / "sweep.jsonl"
    run_sweep(2, numbers=5, backends=QUICK, jobs=1, log=log)
    header, *rows = lines_of(log)
    for schema, renamed in ((1, {"report": "story"}), (2, {})):
        earlier = [{renamed.get(name, name): row[name] for name in row if name != "regime"} for row in rows]
        written = "".join(json.dumps(line) + "\n" for line in ({**header, "schema": schema}, *earlier))
        log.write_text(written)
        code, _, err = planted("sweep", "--problems", 2, "--numbers", 5, *BOTH, "--log", log)
        assert (code, err.count("\n")) == (2, 1)
        assert "a version of gradparity that drew other problems: begin a new log" in err
        assert log.read_text() == written


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("--seed", 1), "is the log of a sweep with seed 0, but 1 was asked for"),
        (("--numbers", 9), "with numbers 10, but 9 was asked for"),
        (("--backend", "planted:right"), "with backends ['manual', 'planted:wrong'], but"),
    ],
)
def test_a_log_of_another_sweep_is_refused(planted, tmp_path, changed, message):
    header = {"schema": 1, "seed": 0, "numbers": 10, "backends": ["manual", "planted:wrong"], "environment": {}}
    (tmp_path / "log").write_text(json.dumps(header) + "\n")
    backends = ("--backend", "manual", *(() if "--backend" in changed else ("--backend", "planted:wrong")))
    code, _, err = planted("sweep", "--log", "log", *backends, *changed)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert (tmp_path / "log").read_text() == json.dumps(header) + "\n"


@pytest.mark.parametrize(
    "content", ["thesis, chapter 1", "thesis\nchapter 1\n", '{"schema": 1}\n', "[]\n", "\n", "\xff"]
)
def test_a_file_that_is_no_log_is_left_as_it_is(planted, tmp_path, content):
    (tmp_path / "mine").write_text(content, "latin-1")
    code, _, err = planted("sweep", "--log", "mine", "--backend", "manual", "--backend", "planted:right")
    assert code == 2
    assert "mine: is no log of a sweep, and was left as it is" in err
    assert (tmp_path / "mine").read_text("latin-1") == content


def test_a_log_with_other_problems_is_refused(planted, tmp_path):
    log = tmp_path / "log"
    run_sweep(1, backends=QUICK, log=log)
    log.write_text(log.read_text().replace(lines_of(log)[1]["fingerprint"], "0123456789ab"))
    with pytest.raises(RequestError, match="a version of gradparity that drew other problems"):
        run_sweep(2, backends=QUICK, log=log)


def test_a_wrong_backend_is_found_and_its_case_saved(planted, tmp_path):
    options = ("--backend", "manual", "--backend", "planted:wrong", "--jobs", 1, "--log", "log", "--save-case", "cases")
    code, out, _ = planted("sweep", "--problems", 10, "--numbers", 1, "--seed", SHORT, *options)
    assert code == 1
    disagreeing = [line["number"] for line in lines_of(tmp_path / "log")[1:] if line["verdict"] == "disagree"]
    assert disagreeing
    assert disagreeing[0] >= next(n for n in range(10) if draw_problem(n, seed=SHORT, numbers=1).family in CELLS)
    saved = {path.name for path in (tmp_path / "cases").iterdir()}
    assert saved == {
        f"sweep-{n}-{draw_problem(n, seed=SHORT, numbers=1).problem.fingerprint[:12]}.npz" for n in disagreeing
    }
    assert f"problem {disagreeing[0]}: " in out
    assert f"draw_problem({disagreeing[0]}, seed=7, numbers=1).problem" in out
    assert "Try: gradparity compare --case cases/sweep-" in out
    assert f"{len(disagreeing)} disagree" in out.splitlines()[-1]
    assert " times what rounding explains." in out
    for path in (tmp_path / "cases").iterdir():
        Problem.load(path)


@pytest.mark.campaign
def test_a_worker_that_dies_is_a_failure_with_its_number(planted, tmp_path):
    sweep = run_sweep(8, seed=SHORT, numbers=2, backends=["manual", "planted:dying"], jobs=2)
    died = [outcome.number for outcome in sweep.outcomes if outcome.verdict == "failed"]
    assert died == [n for n in range(8) if draw_problem(n, seed=SHORT, numbers=2).problem.inputs.shape[0] > 6]
    assert 0 < len(died) < 8
    assert {outcome.report for outcome in sweep.outcomes if outcome.verdict == "failed"} == {
        "the worker process died, with exit code 7"
    }
    assert {outcome.verdict for outcome in sweep.outcomes if outcome.number not in died} == {"agree"}
    assert multiprocessing.active_children() == []


def test_an_exception_in_a_comparison_is_a_failure_with_its_number(monkeypatch):
    monkeypatch.setattr(judging, "compare", lambda *_, **__: 1 / 0)
    outcome = judging._judge(draw_problem(17), [], None)
    assert (outcome.number, outcome.verdict) == (17, "failed")
    assert outcome.report == "the comparison raised ZeroDivisionError: division by zero"


def test_workers_are_replaced_in_time(planted, monkeypatch):
    monkeypatch.setattr("gradparity.compare.workers.carrying.TASKS_PER_PROCESS", 1)
    sweep = run_sweep(3, seed=SHORT, numbers=1, backends=QUICK, jobs=1)
    assert [(outcome.number, outcome.verdict) for outcome in sweep.outcomes] == [
        (0, "agree"),
        (1, "agree"),
        (2, "agree"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backend", "manual"], "manual alone cannot be compared"),
        (["--backend", "troch"], "unknown backend 'troch': did you mean 'torch'?"),
        (["--problems", "0"], "'--problems'"),
        (["--backend", "torch", "--log", "none/log"], "there is no folder none"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(gradparity, arguments, message):
    code, out, err = gradparity("sweep", *arguments)
    assert (code, out) == (2, "")
    assert message in err


LISTENING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may have inherited its deafness
from gradparity.compare.cli import main
main(sys.argv[1:])
"""


def test_ctrl_c_keeps_what_was_done_and_leaves_nobody_behind(planted, tmp_path):
    command = [sys.executable, "-c", LISTENING, "sweep", "--problems", "100000", "--log", "log"]
    command += ["--backend", "manual", "--backend", "planted:right"]
    path = {**os.environ, "PYTHONPATH": os.pathsep.join(folder for folder in sys.path if folder)}
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=path, start_new_session=True)
    log = tmp_path / "log"
    while running.poll() is None and not (log.exists() and len(log.read_bytes().splitlines()) > 3):
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    # Standard error ends only when the last process that holds it has ended, be it a worker.
    assert running.communicate(timeout=30)[1].splitlines() == ["gradparity: interrupted"]
    assert running.returncode == 130
    assert len(set(numbers_in(log))) == len(numbers_in(log)) >= 3
