"""What a comparison takes is known before anything is computed, and refused where it is too much."""

from __future__ import annotations

import re
import tracemalloc

import numpy as np
import pytest
from faults import Faulty, nothing
from gradparity.backends import FeedForward, Problem, Recurrent, RequestError, get_backend
from gradparity.compare import SYSTEMS, Training, compare
from gradparity.compare.bench import run_bench, workloads
from gradparity.compare.bench.memory import FRAMEWORK, OF_VERIFYING, estimate_memory, require_memory
from gradparity.compare.bench.workloads import Workload
from gradparity.compare.campaign import plan, require_affordable_cases
from gradparity.compare.flow import measure_flow
from gradparity.compare.referee import TooLargeError, cost_estimate, estimate_cost, require_affordable
from gradparity.compare.systems import Learning
from sampling import case

GIB = 2**30


def shaped(model, seq_len, batch_size, dtype="float32"):
    """A problem of that size whose numbers take no memory, and are never read."""
    small = Problem.from_seed(model, seed=0, seq_len=1, batch_size=batch_size, dtype=dtype)
    inputs = np.broadcast_to(small.inputs, (seq_len, *small.inputs.shape[1:]))
    return small.with_unchecked(inputs=inputs)


@pytest.fixture
def large(monkeypatch):
    """T = 2000, B = 64, H = 512, on a machine with room for it."""
    monkeypatch.setattr(cost_estimate, "available_memory", lambda: 64.0 * GIB)
    monkeypatch.delenv("GRADPARITY_MEMORY", raising=False)
    return shaped(Recurrent("rnn", 512, 512, 10), 2000, 64)


@pytest.mark.parametrize(
    ("model", "options", "backends"),
    [
        case(Recurrent("rnn", 64, 64, 10), {"seq_len": 4, "batch_size": 128, "dtype": "float64"}, 2, campaign=True),
        case(Recurrent("lstm", 16, 48, 5), {"seq_len": 3, "batch_size": 64, "dtype": "float32"}, 3, campaign=True),
        (FeedForward((200, 200, 10)), {"batch_size": 20, "dtype": "float64"}, 3),
    ],
)
def test_the_estimate_is_what_was_measured_within_a_factor_of_two(model, options, backends):
    problem = Problem.from_seed(model, seed=0, **options)
    asked = [get_backend("manual"), *(Faulty(nothing, f"mine {i}") for i in range(1, backends))]
    tracemalloc.start()
    assert compare(problem, asked).verdict == "agree"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.5 < estimate_cost(problem, backends).memory / peak < 2


def test_a_problem_that_is_too_large_is_refused_with_the_estimate_and_what_to_change(large):
    assert 10 * GIB < estimate_cost(large, 4).memory < 25 * GIB
    with pytest.raises(TooLargeError) as error:
        compare(large, [Faulty(pytest.fail, name) for name in "abcd"])
    assert re.fullmatch(
        r"rnn \(tanh, softmax_cross_entropy\), float32, T=2000 B=64 D=512 H=512 K=10: comparing 4 backends takes "
        r"about \d+ GiB and \d+ minutes, but 4 GiB are allowed \(GRADPARITY_MEMORY\): take T = \d+, or B = \d+, or "
        r"GRADPARITY_MEMORY=\d+ if there is as much",
        str(error.value),
    )


def test_what_the_message_tells_to_change_is_enough(large, monkeypatch):
    with pytest.raises(TooLargeError) as error:
        require_affordable(large, 4)
    T, B, gib = map(
        int, re.search(r"take T = (\d+), or B = (\d+), or GRADPARITY_MEMORY=(\d+)", str(error.value)).groups()
    )
    require_affordable(shaped(large.model, T, 64), 4)
    require_affordable(shaped(large.model, 2000, B), 4)
    monkeypatch.setenv("GRADPARITY_MEMORY", str(gib))
    require_affordable(large, 4)


@pytest.mark.parametrize(("dtype", "gib", "words"), [("float64", 22, "float32"), ("float32", 10, "2 backends")])
def test_a_smaller_request_is_named_where_it_fits(large, monkeypatch, dtype, gib, words):
    monkeypatch.setenv("GRADPARITY_MEMORY", str(gib))
    problem = shaped(large.model, 2000, 64, dtype)
    with pytest.raises(TooLargeError, match=f", or {words}"):
        require_affordable(problem, 4)
    smaller = shaped(large.model, 2000, 64, "float32"), 2 if "backends" in words else 4
    require_affordable(*smaller)


def test_more_than_is_available_is_refused_whatever_is_allowed(large, monkeypatch):
    monkeypatch.setenv("GRADPARITY_MEMORY", "999")
    require_affordable(large, 4)
    monkeypatch.setattr(cost_estimate, "available_memory", lambda: 3.0 * GIB)
    with pytest.raises(TooLargeError, match=r"but 3 GiB are available: take T = \d+"):
        require_affordable(large, 4)


@pytest.mark.parametrize("value", ["much", "0", "-1", "nan"])
def test_a_limit_that_is_no_number_is_refused(monkeypatch, value):
    monkeypatch.setenv("GRADPARITY_MEMORY", value)
    with pytest.raises(RequestError, match=f"GRADPARITY_MEMORY={value}, expected a number of GiB, such as 4"):
        compare(SYSTEMS["elman-softmax"].problem(seed=0), ["manual"])


def test_the_steps_of_a_training_are_counted(monkeypatch):
    monkeypatch.setattr(cost_estimate, "available_memory", lambda: 64.0 * GIB)
    problem = SYSTEMS["elman-sgd"].problem(seed=0)
    long = Training(learning_rate=0.1, steps=10**7)
    with pytest.raises(TooLargeError, match=r"take steps = \d+") as error:
        require_affordable(problem, 4, long)
    fitting = int(re.search(r"steps = (\d+)", str(error.value))[1])
    require_affordable(problem, 4, Training(learning_rate=0.1, steps=fitting))
    weights = sum(array.nbytes for array in problem.params.values())
    assert estimate_cost(problem, 4, long).kept > 4 * weights * 10**7  # every backend's trajectory
    assert estimate_cost(problem, 4, long).seconds > 1e4 * estimate_cost(problem, 4).seconds


def test_the_results_of_a_campaign_are_counted_together(large, monkeypatch):
    cases, _ = plan(systems=["elman-softmax"], dtypes=["float64"], seeds=range(40))
    cost = estimate_cost(cases[0].problem, 3)
    monkeypatch.setenv("GRADPARITY_MEMORY", f"{(cost.memory + 20.5 * cost.kept) / GIB}")
    require_affordable_cases(cases[:21], 3)
    with pytest.raises(TooLargeError):
        require_affordable_cases(cases[:22], 3)


def test_a_long_campaign_says_how_long_before_it_begins():
    cases, _ = plan(systems=["lstm"], seeds=[0], learning=Learning(20000, 0.1, None, None))
    assert require_affordable_cases(cases, 2) > 60


def test_a_command_refuses_before_anything_is_computed(gradparity, monkeypatch, tmp_path):
    problem = SYSTEMS["elman-softmax"].problem(seed=0)
    problem.save(tmp_path / "case.npz")
    monkeypatch.setenv("GRADPARITY_MEMORY", "1e-6")
    for arguments in (
        ("compare", "--case", "case.npz", "--backend", "manual"),
        ("flow", "elman-softmax", "--seq-len", 9, "--backend", "manual"),
        ("check", "case.py:mine", "--system", "elman-softmax"),
    ):
        (tmp_path / "case.py").write_text("def mine(*given):\n    raise SystemExit('it was called')\n")
        code, out, err = gradparity(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "backends takes about " in err


def test_a_flow_refuses_before_the_first_of_its_systems(monkeypatch):
    smaller, larger = SYSTEMS["elman-softmax"], SYSTEMS["lstm"]
    sizes = {"seq_len": 50, "batch_size": 8, "seed": 0}
    limit = estimate_cost(Problem.from_seed(smaller.model, **sizes), 2).memory
    assert limit < estimate_cost(Problem.from_seed(larger.model, **sizes), 2).memory
    monkeypatch.setenv("GRADPARITY_MEMORY", f"{1.1 * limit / GIB}")
    asked = [Faulty(pytest.fail, name) for name in "ab"]
    with pytest.raises(TooLargeError, match="lstm"):
        measure_flow([smaller, larger], [1.0], asked, seq_len=50)


# A benchmark


def test_a_workload_beyond_the_memory_is_refused_before_a_process_is_started(monkeypatch):
    monkeypatch.setattr("gradparity.compare.bench.run.start_process", None)
    whole = Workload("lstm", "float64", 64, 100_000, 512, 512)
    with pytest.raises(TooLargeError, match=r"2 backends take about \d+ GiB, .* take T = \d+"):
        run_bench([whole], ["manual", "torch"])


def test_what_is_allowed_for_a_benchmark_can_be_set(monkeypatch):
    monkeypatch.setenv("GRADPARITY_MEMORY", "0.5")
    with pytest.raises(TooLargeError, match=r"0.5 GiB are allowed \(GRADPARITY_MEMORY\)"):
        require_memory(workloads(["rnn"], ["float32"], ["20,35,200,200"]), 4)


def test_all_usual_workloads_fit_into_sixteen_gib(monkeypatch):
    monkeypatch.setattr("gradparity.compare.bench.memory.available_memory", lambda: 16 * 2**30)
    require_memory(workloads(), 4)


@pytest.mark.campaign
def test_a_benchmark_takes_no_more_than_was_estimated_and_not_far_less():
    layer = Workload("lstm", "float32", 16, 400, 64, 128)
    mine = "gradparity.backends.references.manual_backend:ManualBackend"
    (measured,) = run_bench([layer], ["manual", mine], rounds=1).measurements
    taken = sum(timing.memory for timing in measured.timings)
    arrays = estimate_memory(layer, 2) - 2 * FRAMEWORK - OF_VERIFYING * layer.layer_bytes
    assert taken < arrays < 3 * taken
