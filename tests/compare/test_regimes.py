"""Special numbers and other sizes: what they are, and that a right derivation stays right and decidable on them."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.backends import InvalidProblemError, get_backend
from gradparity.compare import SYSTEMS, compare
from gradparity.compare.systems.regimes import REGIMES, confident, large_gradients, scaled, zeros_and_ties
from gradparity.compare.systems.sizes import resized, with_batch_size, with_seq_len
from sampling import case

SINGLE = {name: system for name, system in SYSTEMS.items() if not system.training}
IN_EVERY_RUN = {
    ("elman-lengths", "float64"),
    ("logistic-regression", "float32"),
    ("mlp", "float64"),
    ("ordered-derivatives", "float32"),
}


def problem(name, dtype="float64"):
    return SYSTEMS[name].problem(seed=0, dtype=dtype)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        case(name, dtype, campaign=(name, dtype) not in IN_EVERY_RUN)
        for name in SINGLE
        for dtype in ("float64", "float32")
    ],
)
def test_every_regime_is_decided_without_a_certificate_and_the_references_agree(name, dtype):
    for regime in REGIMES.values():
        changed = regime(problem(name, dtype))
        assert changed is None or compare(changed, ["manual", "torch"]).verdict == "agree"


@pytest.mark.parametrize("name", SINGLE)
def test_a_regime_leaves_the_problem_as_it_was_and_keeps_the_dtype(name):
    asked = problem(name, "float32")
    before = asked.fingerprint
    changed = [regime(asked) for regime in REGIMES.values()]
    assert asked.fingerprint == before
    assert {regime.dtype.name for regime in changed if regime} == {"float32"}
    assert all(regime.fingerprint != before for regime in changed if regime)


def outputs(asked):
    return get_backend("manual").evaluate(asked).outputs


def test_confident_predictions_are_certain_and_some_are_wrong():
    asked = confident(problem("elman-softmax"))
    o = outputs(asked)
    assert np.abs(o).max() > 700  # where e^o overflows
    right = np.take_along_axis(o, asked.targets[..., np.newaxis], axis=-1)[..., 0]
    assert (o.max(axis=-1) - right > 100).any()
    assert confident(problem("elman-squared-error")) is None
    assert confident(problem("ordered-derivatives")) is None


def test_zeros_and_ties_have_pre_activations_of_exactly_zero_at_every_step():
    asked = zeros_and_ties(problem("elman-relu"))
    U, W, b, *_ = asked.params.values()
    h, at_zero = asked.h0, []
    for x in asked.inputs:
        a = x @ U.T + h @ W.T + b
        h = np.maximum(a, 0)
        at_zero.append((a == 0).sum())
    assert min(at_zero) >= asked.batch_size
    assert at_zero[0] > asked.batch_size
    asked = zeros_and_ties(problem("mlp"))
    assert (asked.inputs @ asked.params["W1"].T + asked.params["b1"] == 0).any()


def test_zeros_and_ties_have_equal_outputs_and_exact_probabilities():
    o = outputs(zeros_and_ties(problem("elman-softmax")))
    assert (o[..., 0] == o[..., 1]).all()
    assert not o[..., -1].any()
    y = zeros_and_ties(problem("elman-sigmoid")).targets
    assert (y == 0).any()
    assert (y == 1).any()


@pytest.mark.parametrize("name", SINGLE)
def test_large_gradients_are_beyond_what_is_usually_clipped(name):
    gradients = get_backend("manual").evaluate(large_gradients(problem(name))).gradients
    is_mean = getattr(SYSTEMS[name].model, "reduction", "") == "mean" and not name.startswith("linear")
    bounded = {"V", "c", "b1"} if is_mean else set()  # a mean of numbers between -1 and 1
    small = {key for key in SYSTEMS[name].model.parameter_shapes if np.abs(gradients[key]).max() < 40}
    assert small <= bounded


def test_a_scale_multiplies_everything_but_probabilities_labels_and_the_weights_of_an_ordered_system():
    asked = problem("elman-sigmoid")
    changed = scaled(asked, 0.5)
    assert np.array_equal(changed.params["U"], asked.params["U"] / 2)
    assert np.array_equal(changed.h0, asked.h0 / 2)
    assert np.array_equal(changed.targets, asked.targets)
    assert np.array_equal(scaled(problem("elman-squared-error"), 2).targets, 2 * problem("elman-squared-error").targets)
    assert np.array_equal(
        scaled(problem("ordered-derivatives"), 2).params["A"], problem("ordered-derivatives").params["A"]
    )


@pytest.mark.parametrize("factor", [0.0, float("nan"), float("inf"), 1e308])
def test_a_scale_that_leaves_no_numbers_is_refused(factor):
    with pytest.raises(InvalidProblemError):
        scaled(problem("elman-squared-error"), factor)


def test_sizes_are_those_of_the_model():
    assert resized(SYSTEMS["lstm"], (5, 2, 1, 3, 4)).problem(seed=0).summary.endswith("T=5 B=2 D=1 H=3 K=4")
    assert resized(SYSTEMS["mlp"], (9, 2, 3)).problem(seed=0).summary.endswith("B=9 2-3")
    assert with_seq_len(SYSTEMS["elman-lengths"], 3).lengths == (3, 1, 1)
    assert with_batch_size(SYSTEMS["elman-lengths"], 2).lengths == (12, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: resized(SYSTEMS["lstm"], (5, 2)), "sizes = 5,2, expected T, B, D, H and K"),
        (lambda: resized(SYSTEMS["mlp"], (5, 2)), "sizes = 5,2, expected B and the sizes of at least two layers"),
        (lambda: resized(SYSTEMS["ordered-derivatives"], (5,)), "sizes: those of ordered-derivatives are its model's"),
        (lambda: resized(SYSTEMS["lstm"], (5, 2, 1, 0, 4)), "hidden_size = 0, expected "),
        (lambda: with_seq_len(SYSTEMS["mlp"], 5), "seq_len = 5 was given, but mlp has no time"),
        (lambda: with_batch_size(SYSTEMS["ordered-derivatives"], 5), "batch_size = 5 was given, but ordered-derivat"),
    ],
)
def test_sizes_that_a_model_does_not_have_are_refused(change, message):
    with pytest.raises(InvalidProblemError) as error:
        change()
    assert str(error.value).startswith(message)
