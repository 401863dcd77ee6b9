"""The hand derivation against the definition of a derivative, in extended precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawing import problems
from extended import extended_answer, extended_arrays, keywords
from gradparity.backends import Problem, Recurrent
from gradparity.manual import loss_and_gradients, rnn
from hypothesis import given, settings
from jaxtyping import TypeCheckError


@settings(max_examples=60)
@given(problem=problems(most_steps=6))
def test_every_gradient_is_the_slope_along_a_random_direction(problem):
    arrays = extended_arrays(problem)
    gradients = extended_answer(problem).gradients
    rng = np.random.default_rng(0)
    step = np.longdouble(1e-7)
    for name, gradient in gradients.items():
        direction = rng.standard_normal(gradient.shape).astype(np.longdouble)
        ahead, behind = (
            extended_answer(problem, arrays | {name: arrays[name] + distance * direction}).loss
            for distance in (step, -step)
        )
        slope, expected = (ahead - behind) / (2 * step), (gradient * direction).sum()
        # The differences' own error: step² for the curvature, the rounding of the loss over the step, and a relu
        # that switches within a step, which a step of 1e-7 makes rare but not impossible.
        limit = 1e-4 if problem.model.activation == "relu" else 1e-8
        assert abs(slope - expected) <= limit * (1 + abs(expected)), name


def test_the_adjoints_are_the_gradients_of_what_is_added_to_a_step():
    """B enters every a_t, and c every o_t: their gradients are sums of the adjoints."""
    problem = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seq_len=6, batch_size=2, seed=0)
    answer = loss_and_gradients(problem.params, problem.inputs, problem.targets, problem.h0)
    np.testing.assert_array_equal(answer.adjoints["a"].reshape(-1, 5).sum(axis=0), answer.gradients["b"])
    np.testing.assert_array_equal(answer.adjoints["o"].reshape(-1, 4).sum(axis=0), answer.gradients["c"])


def answer(problem):
    arrays = (problem.params, problem.inputs, problem.targets, problem.h0)
    return loss_and_gradients(*arrays, **keywords(problem))


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error"])
def test_a_mean_is_the_sum_over_the_number_of_counted_steps(loss):
    total, mean = (
        answer(
            Problem.from_seed(
                Recurrent("rnn", 3, 5, 4, loss=loss, reduction=reduction),
                seq_len=4,
                batch_size=3,
                seed=0,
                lengths=[4, 1, 3],
            )
        )
        for reduction in ("sum", "mean")
    )
    assert mean.loss == pytest.approx(total.loss / 8, rel=1e-14)  # one division
    np.testing.assert_allclose(mean.gradients["W"], total.gradients["W"] / 8, rtol=1e-12)


def test_a_shorter_length_is_a_shorter_sequence():
    whole = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seq_len=9, batch_size=1, seed=0)
    cut = answer(replace(whole, lengths=np.array([5])))
    short = answer(replace(whole, inputs=whole.inputs[:5], targets=whole.targets[:5]))
    assert cut.loss == pytest.approx(short.loss, rel=1e-14)  # sums of other lengths round in another order
    for name in ("U", "W", "b", "V", "c", "h0"):
        np.testing.assert_allclose(cut.gradients[name], short.gradients[name], rtol=1e-12)
    np.testing.assert_array_equal(cut.gradients["inputs"][5:], 0)


def test_what_lies_past_a_length_does_not_matter_even_where_it_overflows():
    model = Recurrent("rnn", 2, 3, 2, activation="relu", loss="squared_error")
    problem = Problem.from_seed(model, seq_len=6, batch_size=2, seed=1, lengths=[6, 2])
    inputs, targets = problem.inputs.copy(), problem.targets.copy()
    inputs[2:, 1] = 1e200
    targets[2:, 1] = -1e200
    with np.errstate(over="ignore"):
        right, other = answer(problem), answer(replace(problem, inputs=inputs, targets=targets))
    assert right.loss == other.loss
    for field in ("gradients", "adjoints"):
        for name, array in getattr(right, field).items():
            np.testing.assert_array_equal(array, getattr(other, field)[name])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_everything_stays_in_the_dtype_of_the_problem(dtype, reduction):
    model = Recurrent("rnn", 3, 5, 4, reduction=reduction)
    found = answer(Problem.from_seed(model, seq_len=4, batch_size=3, seed=0, dtype=dtype, lengths=[4, 1, 3]))
    arrays = [found.loss, found.outputs, *found.gradients.values(), *found.adjoints.values()]
    assert {array.dtype.name for array in arrays} == {dtype}


def test_shapes_are_checked_in_this_test_run():
    ones = np.ones
    with pytest.raises(TypeCheckError, match="parameter 'W'"):
        rnn.forward(ones((5, 3)), ones((5, 4)), None, ones((2, 1, 3)), ones((1, 5)), ones((2, 1), bool), "tanh")
