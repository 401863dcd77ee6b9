"""`gradparity bench FILE.py:FUNCTION …`: functions of one's own are verified, and those that are right are timed."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare.function_bench.growth import fitted
from gradparity.compare.function_bench.timed_function import TimedFunction
from sampling import case
from timed_functions import bench, write_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_files(tmp_path_factory.mktemp("functions"))


def refusals(result):
    return {timing.backend: (timing.verdict, timing.reason) for timing in result.timings if timing.reason}


@pytest.fixture(scope="module")
def frameworks(folder):
    """The same gradient in NumPy, PyTorch and JAX, and a fault that PyTorch invites."""
    names = ["torch_side.py:in_torch", "jax_side.py:in_jax", "torch_side.py:accumulates"]
    return bench(folder, "right", *names, rounds=2)


def test_functions_of_three_frameworks_are_told_apart_verified_and_timed(frameworks):
    (measurement,) = frameworks.measurements
    assert measurement.is_certified
    assert measurement.verified == "by the recording of right, certified"
    timed = {timing.backend: timing.framework for timing in measurement.timed}
    assert timed == {"right": "numpy", "in_torch": "torch", "in_jax": "jax"}
    for timing in measurement.timed:
        assert len(timing.seconds) == len(timing.cores) == 2
        assert min(*timing.seconds, timing.first_seconds, timing.prepare_seconds, timing.import_seconds) > 0
        assert timing.memory >= 0
    assert min(measurement.to_fastest(timing) for timing in measurement.timed) == 1


def test_gradients_that_accumulate_are_another_answer_at_another_call(frameworks):
    verdict, reason = refusals(frameworks)["accumulates"]
    assert verdict == "disagrees"
    assert reason.startswith("another call returns another answer: dW[")


@pytest.mark.campaign
def test_float32_for_float64_is_refused(folder):
    expected = "disagrees", "W is of float32, expected float64, as its argument is: it does not compute in it"
    assert refusals(bench(folder, "right", "jax_side.py:in_half_of_it"))["in_half_of_it"] == expected


FAULTS = ("wrong", "ends", "remembers")  # in every run; a campaign plants the others, too


@pytest.fixture(scope="module")
def faults(folder):
    return bench(folder, "right", *FAULTS, "loud")


@pytest.fixture(scope="module")
def all_faults(folder):
    names = ["wrong", "another_loss", "raises", "ends", "in_place", "narrow", "remembers", "incomplete", "nan"]
    return bench(folder, "right", *names)


SAID = {
    "wrong": ("disagrees", "dW["),
    "another_loss": ("disagrees", "loss is "),
    "raises": ("failed", "it raised ValueError: no batch (mine.py:"),
    "ends": ("failed", "its process ended with exit code 3"),
    "in_place": ("disagrees", "it changes its arguments: params['W'], so that no two calls compute the same"),
    "narrow": ("disagrees", "W is of float32, expected float64"),
    "remembers": ("disagrees", "another call returns another answer: dW["),
    "incomplete": ("disagrees", "it returns 1 gradient: v missing, where right returns W, v"),
    "nan": ("disagrees", "v[0] is nan, expected a finite number"),
}


@pytest.mark.parametrize("name", [case(name, campaign=name not in FAULTS) for name in SAID])
def test_a_planted_fault_gets_no_time_and_one_line(request, name):
    result = request.getfixturevalue("faults" if name in FAULTS else "all_faults")
    verdict, reason = refusals(result)[name]
    assert verdict == SAID[name][0]
    assert reason.startswith(SAID[name][1])
    assert "\n" not in reason
    assert not result.measurements[0].of(name).seconds
    assert result.exit_code == 1


def test_who_is_right_is_timed_beside_the_faults(faults):
    assert [timing.backend for timing in faults.measurements[0].timed] == ["right", "loud"]


def test_what_is_wrong_is_said_with_its_place_and_the_right_number(faults):
    reason = refusals(faults)["wrong"][1]
    assert " away from " in reason
    assert "(the exact gradient of the loss of right): " in reason
    assert reason.endswith(" times what rounding allows")


@pytest.mark.campaign
def test_a_function_that_hangs_is_ended_after_the_time_limit(folder):
    result = bench(folder, "right", "hangs", timeout=4)
    assert refusals(result)["hangs"] == ("failed", "it took longer than 4 s, the time limit (--timeout)")
    assert [timing.backend for timing in result.measurements[0].timed] == ["right"]


@pytest.mark.campaign
def test_one_function_alone_is_verified_by_its_recording_or_not_at_all(folder):
    assert bench(folder, "right").exit_code == 0
    alone = bench(folder, "unseen")
    assert alone.exit_code == 2
    assert refusals(alone)["unseen"][0] == "undecidable"
    assert alone.measurements[0].notes[0].startswith("unseen was not recorded: ")


def test_of_two_losses_nobody_says_which_is_right(folder):
    result = bench(folder, "right", "another_loss")
    assert {verdict for verdict, _ in refusals(result).values()} == {"disagrees"}
    assert all(", and which is right nobody says" in reason for _, reason in refusals(result).values())


@pytest.mark.campaign
def test_functions_that_cannot_be_recorded_are_compared_up_to_what_they_round(folder):
    """An error of 1e-10 is found beside a tolerance that nobody typed."""
    result = bench(folder, "torch_side.py:in_torch", "unseen", "unseen_wrong", arguments=f"{folder}/mine.py:arguments")
    assert result.measurements[0].verified == "pairwise, up to what each function rounds in float32, scaled"
    assert [timing.backend for timing in result.measurements[0].timed] == ["in_torch", "unseen"]
    assert refusals(result)["unseen_wrong"][1].startswith("v[1] is ")


@pytest.mark.campaign
def test_a_wider_gradient_is_a_note_and_float32_arguments_are_timed_in_float32(folder):
    result = bench(folder, "right", "wide", dtypes=["float32"])
    assert result.exit_code == 0
    assert result.measurements[0].notes == (
        "wide returns W in float64, of an array in float32",
        "wide returns v in float64, of an array in float32",
    )


def test_time_is_measured_at_every_size_and_the_exponent_fitted(folder):
    result = bench(folder, "right", "loud", grow=["T=2,8", "D=3,5"], rounds=1)
    assert [one.case.label for one in result.measurements] == ["T=2", "T=8", "D=3", "D=5"]
    assert [(fit.function, fit.size, fit.sizes) for fit in result.fits()] == [
        ("right", "T", (2, 8)),
        ("loud", "T", (2, 8)),
        ("right", "D", (3, 5)),
        ("loud", "D", (3, 5)),
    ]


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.5])
def test_a_power_law_is_found_with_its_error(exponent):
    sizes, rng = [10, 30, 100, 1000], np.random.default_rng(0)
    noisy = [1e-3 * size**exponent * np.exp(0.05 * rng.normal(size=9)) for size in sizes]
    law = fitted(sizes, noisy)
    assert 0 < law.error < 0.02
    assert abs(law.exponent - exponent) < 4 * law.error
    assert fitted(sizes[:1], noisy[:1]) is None


def test_a_bend_is_in_the_error_and_not_in_the_last_exponent():
    sizes = [10, 100, 1000, 10000]
    law = fitted(sizes, [[1e-3 + 1e-5 * size] * 3 for size in sizes])
    assert law.error > 0.05
    assert 0.9 < law.last < 1
    assert law.last_error == 0


def test_of_one_round_the_error_is_not_known():
    assert fitted([1, 10], [[1.0], [2.0]]).error == np.inf


def test_results_of_jax_are_awaited_in_every_timed_call():
    jax = pytest.importorskip("jax")

    @jax.jit
    def long(w):
        product = w
        for _ in range(30):
            product = product @ w / 300
        return product.sum(), {"w": product}

    draw = lambda: {"w": np.ones((300, 300), "float32")}  # noqa: E731
    timed = TimedFunction(long, draw, "jax", None)
    timed.first()
    timed.average(2)
    assert timed._last[0].is_ready()
    assert timed._last[1]["w"].is_ready()


def test_every_call_of_jax_is_waited_for(monkeypatch):
    jax = pytest.importorskip("jax")
    waited = []
    wait = jax.block_until_ready
    monkeypatch.setattr(jax, "block_until_ready", lambda value: (waited.append(value), wait(value))[1])
    timed = TimedFunction(lambda w: ((w * w).sum(), {"w": 2 * w}), lambda: {"w": np.ones(2)}, "jax", None)
    timed.first()
    waited.clear()
    timed.average(5)
    assert len(waited) == 5


@pytest.mark.campaign
def test_a_recording_that_would_be_too_large_is_not_made_and_functions_are_compared_pairwise(folder, monkeypatch):
    monkeypatch.setattr("gradparity.compare.function_bench.recordings.MOST_OPERATIONS", 100)
    small, large = bench(folder, "right", "loud", grow=["T=2,60"]).measurements
    assert small.verified == "by the recording of right, certified"
    assert large.verified == "pairwise, up to what each function rounds in float32, scaled"
    expected = [f"{name} was not recorded: it would be more than 100 operations" for name in ("right", "loud")]
    assert list(large.notes) == expected
    assert [timing.backend for timing in large.timed] == ["right", "loud"]
