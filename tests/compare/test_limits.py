"""The limit as numbers: what is made of the spreads of the probes, and how many probes run, of which kind."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from types import SimpleNamespace

import numpy as np
import pytest
from gradparity.backends import FeedForward, Problem, Recurrent, get_backend
from gradparity.compare.answers import Training, quantities, training_quantities
from gradparity.compare.definitions import differentiate
from gradparity.compare.tolerance import (
    NUMBER_OF_PROBES,
    Tolerance,
    measure_rounding,
    measure_tolerance,
    measurement,
    steps_to_settle,
    units_in_the_last_place,
)
from gradparity.compare.tolerance.measurement import PROBES, WRITINGS, _overflows
from gradparity.compare.tolerance.rounding import RandomlyRounded, Roundings

TINY, EPS = (float(getattr(np.finfo("float64"), name)) for name in ("tiny", "eps"))
SOURCES = ("rounding", "kink", "underflow", "cancellation", "own formulas")
PROBLEM = Problem.from_seed(FeedForward((2, 3, 2)), batch_size=2, seed=0)


def limit(scale=1.0, dtype="float64", **spreads):
    """The tolerance of one block with these spreads."""
    by_source = {source: {"dW": np.array([spreads.get(source, 0.0)])} for source in SOURCES}
    empty = Tolerance(np.dtype(dtype), {}, {}, {}, {}, False, by_source)
    return empty.at_scale({"dW": np.array([scale])})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_limit_is_eight_spreads_and_eight_units_in_the_last_place(dtype):
    ulp, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    assert limit(4.0, dtype, rounding=0.5).allowed["dW"] == 8 * 0.5 + 8 * (4 * ulp)
    assert limit(4.0, dtype).allowed["dW"] == 8 * 4 * ulp
    assert limit(0.0, dtype).allowed["dW"] == 8 * (float(np.spacing(np.zeros(1, dtype))[0]) + float(tiny))


@pytest.mark.parametrize("source", SOURCES)
def test_the_spread_is_the_largest_of_all_sources(source):
    spreads = dict.fromkeys(SOURCES, 1e-9) | {source: 3e-9}
    assert limit(**spreads).spread["dW"] == 3e-9


BOUNDARY = (0.01 - 8 * EPS) / 8  # of the spread of a block of scale 1: the limit is a hundredth of it exactly


@pytest.mark.parametrize(
    ("scale", "spread", "undecidable"),
    [
        (1.0, BOUNDARY, False),
        (1.0, np.nextafter(BOUNDARY, 1), True),
        (4.0, 4 * BOUNDARY, False),
        (4.0, 4 * np.nextafter(BOUNDARY, 1), True),
        (0.0, 0.0, False),  # exactly zero, whatever is rounded
        (0.0, 5e-324, True),
        (5e-324, 0.0, True),
        (np.nan, 0.0, True),
        (1.0, np.nan, True),
        (np.inf, np.nan, True),
    ],
)
def test_beyond_a_hundredth_of_the_block_nothing_is_decided(scale, spread, undecidable):
    tolerance = limit(scale, rounding=spread)
    assert (tolerance.undecidable["dW"].dtype, tolerance.undecidable["dW"].tolist()) == (bool, [undecidable])
    assert bool(tolerance.reason("dW", 0)) is undecidable


@pytest.mark.parametrize(
    ("spreads", "reason"),
    [
        ({"underflow": 1.0, "kink": 0.5, "rounding": 0.1, "cancellation": 0.1}, "kink"),
        ({"underflow": 1.0, "kink": 0.4999, "rounding": 0.1, "cancellation": 0.1}, "rounding"),
        ({"underflow": 1.0, "kink": 0.4999, "rounding": 0.0999, "cancellation": 0.1}, "cancellation"),
        ({"underflow": 1.0, "kink": 0.4999, "rounding": 0.0999, "cancellation": 0.0999}, "underflow"),
        ({"rounding": 1.0}, "rounding"),
    ],
)
def test_the_reason_is_the_first_source_with_its_share_of_the_spread(spreads, reason):
    for size in (1.0, 0.25, 8.0):
        assert limit(size, **{source: size * spread for source, spread in spreads.items()}).reason("dW", 0) == reason


def test_where_the_floor_alone_exceeds_the_block_the_reason_is_underflow():
    for spread in (TINY, TINY / 2, TINY / 1024):
        assert limit(2 * TINY, rounding=spread).reason("dW", 0) == "underflow"
    assert limit(2 * TINY, rounding=np.nextafter(TINY, 1)).reason("dW", 0) == "rounding"
    tiny = float(np.finfo("float32").tiny)
    assert limit(2 * tiny, "float32", rounding=tiny).reason("dW", 0) == "underflow"


def test_a_tolerance_is_frozen_and_equal_to_itself_alone():
    tolerance = limit(rounding=1.0)
    assert (tolerance == tolerance, tolerance == replace(tolerance)) == (True, False)
    with pytest.raises(FrozenInstanceError):
        tolerance.overflows = True


def test_the_reason_is_that_of_the_block_and_not_of_its_neighbour():
    by_source = {source: {"dh_t": np.zeros(3)} for source in SOURCES}
    by_source["kink"]["dh_t"][1] = by_source["cancellation"]["dh_t"][2] = 1.0
    tolerance = Tolerance(np.dtype("float64"), {}, {}, {}, {}, False, by_source).at_scale({"dh_t": np.ones(3)})
    assert [tolerance.reason("dh_t", i) for i in range(3)] == ["", "kink", "cancellation"]


def test_another_scale_keeps_the_spreads_and_the_scales_that_it_does_not_know():
    measured = replace(measure_tolerance(PROBLEM), overflows=True)
    moved = measured.at_scale({"dW1": np.array([100.0])})
    assert (moved.dtype, moved.overflows, moved.spread_by_source) == (np.float64, True, measured.spread_by_source)
    assert moved.scale == measured.scale | {"dW1": np.array([100.0])}
    np.testing.assert_array_equal(moved.spread["dW1"], measured.spread["dW1"])
    assert moved.allowed["dW1"] > measured.allowed["dW1"]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_number_of_a_256th_of_the_largest_is_an_overflow_and_one_below_it_is_not(dtype):
    edge = float(np.finfo(dtype).max) / 256
    assert _overflows(edge, np.dtype(dtype))
    assert not _overflows(float(np.nextafter(np.asarray(edge, dtype), np.asarray(0, dtype))), np.dtype(dtype))
    assert _overflows(np.nan, np.dtype(dtype))
    assert _overflows(np.inf, np.dtype(dtype))
    assert not _overflows(0.0, np.dtype(dtype))


def test_a_unit_in_the_last_place_is_that_of_the_dtype_in_double_precision():
    units = units_in_the_last_place(np.array([1.0, 4.0, 0.0]), np.dtype("float32"))
    assert (units.dtype, units.tolist()) == (np.float64, [2.0**-23, 2.0**-21, 2.0**-149])


# How many probes run, and of which kind


@pytest.fixture
def runs(monkeypatch):
    """Every computation of a measurement: its leading axes, its writing, and its roundings; and what they answer."""
    seen = SimpleNamespace(floats=[], roundings=[], largest=[0.0, 0.0], moved_by={})

    class Recorded(measurement.Roundings):
        def __init__(self, seed, underflow="gradual", row=None, **options):
            super().__init__(seed, underflow, row, **options)
            seen.roundings.append((seed, underflow, row))

        largest = property(lambda self: seen.largest[len(seen.roundings) - 1], lambda self, value: None)

    def moved(problem, floats):
        """The answer with the loss of every computation moved by a known number."""
        seen.floats.append((floats.leading, floats.fused))
        answer = differentiate(problem, measurement.Floats(floats.dtype, leading=floats.leading))
        if not floats.leading:
            return answer
        return replace(answer, loss=answer.loss + np.array(seen.moved_by[floats.fused]))

    monkeypatch.setattr(measurement, "Roundings", Recorded)
    monkeypatch.setattr(measurement, "differentiate", moved)
    return seen


def test_four_probes_of_the_textbooks_writing_and_four_of_the_kernels_run_and_the_last_of_each_underflows(runs):
    runs.moved_by = {False: [1.0, -3.0, 2.0, 16.0], True: [0.0, 0.0, 5.0, -8.0]}
    done = []
    tolerance = measure_tolerance(PROBLEM, progress=done.append)
    assert runs.floats == [((), False), ((4,), False), ((4,), True)]
    assert runs.roundings == [(0, "flushed", 3), (4, "reordered", 3)]
    assert done == [4, 8]
    assert (PROBES, len(WRITINGS), NUMBER_OF_PROBES) == (4, 2, 8)
    spreads = {source: float(tolerance.spread_by_source[source]["loss"][0]) for source in SOURCES}
    assert spreads == pytest.approx(dict(zip(SOURCES, (3.0, 0.0, 16.0, 5.0, 0.0), strict=True)))
    assert not tolerance.spread["dW1"]


def test_of_a_large_answer_each_probe_runs_by_itself(runs, monkeypatch):
    monkeypatch.setattr(measurement, "LARGE", 0)
    runs.largest = [0.0] * 8
    runs.moved_by = {False: [2.0], True: [3.0]}
    tolerance = measure_tolerance(PROBLEM)
    assert runs.floats == [((), False), *[((1,), False)] * 4, *[((1,), True)] * 4]
    kinds = ["gradual"] * 3
    assert runs.roundings == [(seed, kind, 0) for seed, kind in enumerate([*kinds, "flushed", *kinds, "reordered"])]
    spreads = {source: float(tolerance.spread_by_source[source]["loss"][0]) for source in SOURCES}
    assert spreads == pytest.approx(dict(zip(SOURCES, (2.0, 0.0, 3.0, 3.0, 0.0), strict=True)))


@pytest.mark.parametrize(("largest", "overflows"), [([0, 0], False), ([1e307, 0], True), ([0, 1e307], True)])
def test_the_largest_number_of_any_probe_is_an_overflow(runs, largest, overflows):
    runs.moved_by, runs.largest = {False: [0.0] * 4, True: [0.0] * 4}, largest
    assert measure_tolerance(PROBLEM).overflows == overflows


def test_where_a_relu_has_a_kink_both_of_its_slopes_are_tried():
    """The hidden unit's argument 0.1 + 0.2 − 0.3 is 0 up to rounding; its derivative is 2 (0.25 − 1) or 0."""
    params = {"W1": [[0.1, 0.2]], "b1": [-0.3], "W2": [[2.0]], "b2": [0.25]}
    arrays = {name: np.array(values) for name, values in params.items()}
    problem = Problem(FeedForward((2, 1, 1), "relu", loss="squared_error"), arrays, np.ones((1, 2)), np.ones((1, 1)))
    tolerance = measure_tolerance(problem)
    assert tolerance.spread_by_source["kink"]["db1"] == pytest.approx(1.5)
    assert tolerance.spread_by_source["kink"]["loss"] == 0
    assert (tolerance.undecidable["db1"], tolerance.reason("db1", 0)) == (True, "kink")


@pytest.mark.parametrize("probes", [0, 1, 5])
def test_a_given_function_runs_once_plain_and_then_as_often_as_asked_for(runs, probes):
    runs.largest = [0.0] * 5
    kinds = []

    def computed(problem):
        kinds.append([type(array) for array in (problem.params["W"], problem.inputs, problem.h0, problem.targets)])
        assert problem.c0 is None
        return quantities(get_backend("manual").evaluate(PROBLEM), PROBLEM)

    problem = Problem.from_seed(Recurrent("rnn", 2, 3, 2), seq_len=2, batch_size=2, seed=0)
    tolerance = measure_rounding(problem, computed, probes)
    assert kinds == [[np.ndarray] * 4] + [[RandomlyRounded] * 3 + [np.ndarray]] * probes
    underflows = ["gradual", "flushed", "reordered", "gradual", "flushed"]
    assert runs.roundings == [(number, underflows[number], None) for number in range(probes)]
    assert not tolerance.overflows


def test_the_spread_of_a_given_function_is_its_largest_deviation_and_its_largest_number_counts(runs):
    losses = iter([1.0, 1.5, 0.25, 1.125])

    def computed(problem):
        answer = get_backend("manual").evaluate(PROBLEM)
        return quantities(replace(answer, loss=next(losses)), PROBLEM)

    runs.largest = [0.0, 1e307, 0.0]
    tolerance = measure_rounding(PROBLEM, computed, 3)
    assert (tolerance.scale["loss"], tolerance.spread_by_source["rounding"]["loss"]) == (1.0, 0.75)
    assert tolerance.overflows


def test_a_given_function_runs_eight_times_if_nothing_else_is_asked_for():
    count = []

    def computed(problem):
        count.append(problem)
        return quantities(get_backend("manual").evaluate(PROBLEM), PROBLEM)

    measure_rounding(PROBLEM, computed)
    assert len(count) == 1 + 8


# Along a trajectory


def test_the_trajectory_descends_by_the_learning_rate_from_the_problems_parameters():
    training = Training(0.5, 3)
    tolerance = measure_tolerance(PROBLEM, training)
    params, manual = dict(PROBLEM.params), get_backend("manual")
    for step in range(3):
        answer = manual.evaluate(PROBLEM.with_unchecked(params=params))
        assert tolerance.scale["loss"][step] == pytest.approx(answer.loss, rel=1e-13)
        params = {name: theta - 0.5 * answer.gradients[name] for name, theta in params.items()}
        for name, theta in params.items():
            assert tolerance.scale[name][step] == pytest.approx(np.abs(theta).max(), rel=1e-13)
    assert all(0 < spread < 1e-13 for spread in tolerance.spread["W1"])
    assert {name: len(blocks) for name, blocks in tolerance.scale.items()} == dict.fromkeys(tolerance.scale, 3)
    assert tolerance.scale.keys() == {"loss", *PROBLEM.params}


def test_every_probe_of_a_trajectory_is_a_trajectory():
    training, dtype = Training(0.5, 2), PROBLEM.dtype
    rounded = measurement.Floats(dtype, leading=(3,), leaf=Roundings(0).array)
    (alone,) = measurement._trajectories(PROBLEM, training, measurement.Floats(dtype))
    paths = measurement._trajectories(PROBLEM, training, rounded)
    assert len(paths) == 3
    assert len({path.losses.tobytes() for path in paths}) == 3
    for path in paths:
        for name, quantity in training_quantities(path).items():
            np.testing.assert_allclose(quantity.values, training_quantities(alone)[name].values, rtol=1e-12)


def test_the_steps_until_the_loss_settles_are_counted():
    assert steps_to_settle(PROBLEM, Training(1e-12, 50, until=0.1)) == 2
    assert steps_to_settle(PROBLEM, Training(1e-12, 5)) == 5
