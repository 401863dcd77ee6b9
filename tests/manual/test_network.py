"""The hand derivation against the definition of a derivative, in extended precision."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from extended import assert_gradients_are_slopes
from gradparity.backends import Chunks, LastSteps, Problem, Recurrent, Window
from gradparity.backends.references.manual_backend import answer
from gradparity.compare.testing.strategies import problems
from gradparity.manual import LOSSES, affine, feedforward, loss_and_gradients
from gradparity.manual.losses import length_mask
from gradparity.manual.stack import CELLS
from hypothesis import given, settings
from jaxtyping import TypeCheckError
from sampling import examples

MODELS = {
    "rnn": Recurrent("rnn", 3, 5, 4),
    "concatenated": Recurrent("rnn", 3, 5, 4, concatenated=True),
    "expanded": Recurrent("rnn", 3, 5, 4, differentiation="expanded"),
    "closed form": Recurrent("rnn", 3, 5, 4, activation="identity", differentiation="closed_form"),
    "forward": Recurrent("rnn", 3, 5, 4, differentiation="forward"),
    "lstm": Recurrent("lstm", 3, 5, 4),
    "gru": Recurrent("gru", 3, 5, 4),
    "gru, reset before": Recurrent("gru", 3, 5, 4, reset="before"),
    "stack": Recurrent("gru", 3, 5, 4, num_layers=2),
    "both directions": Recurrent("lstm", 3, 5, 4, bidirectional=True),
    "stack of both": Recurrent("rnn", 3, 5, 4, num_layers=2, bidirectional=True),
    "window": Recurrent("lstm", 3, 5, 4, truncation=Window(2)),
    "chunks": Recurrent("gru", 3, 5, 4, truncation=Chunks(2)),
    "last steps": Recurrent("rnn", 3, 5, 4, truncation=LastSteps(2)),
}
of_every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
of_every_cell = pytest.mark.parametrize("cell", CELLS)


def make(model, **options):
    return Problem.from_seed(model, **{"seq_len": 6, "batch_size": 2, "seed": 0, **options})


def assert_same(found, expected, *, part=1e-12):
    """Equal but for the roundings of sums in another order, as a part of the largest entry."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=part * np.abs(expected).max(initial=0))


def test_what_is_not_said_is_one_plain_layer_in_one_direction():
    problem = make(MODELS["rnn"])
    said = answer(problem)
    unsaid = loss_and_gradients(problem.params, problem.inputs, problem.targets, problem.h0)
    assert unsaid.loss == said.loss
    assert all(np.array_equal(unsaid.gradients[name], said.gradients[name]) for name in problem.params)


@pytest.mark.hypothesis
@of_every_cell
def test_every_gradient_is_the_slope_along_a_random_direction(cell):
    @settings(max_examples=examples(120))
    @given(problem=problems(most_steps=5, cell=cell, truncated=False))
    def check(problem):
        kinks = problem.model.activation == "relu"
        assert_gradients_are_slopes(problem, limit=1e-4 if kinks else 1e-8)

    check()


@of_every_model
def test_the_adjoints_are_the_gradients_of_what_is_added_to_a_step(model):
    """B enters every a_t, and c every o_t: their gradients are sums of the adjoints."""
    found = answer(make(model))
    np.testing.assert_array_equal(found.adjoints["o"].sum(axis=(0, 1)), found.gradients["c"])
    if model.differentiation == "forward":
        assert list(found.adjoints) == ["o"]
        return
    for place in model.places:
        assert_same(found.adjoints[place.name("a")].sum(axis=(0, 1)), found.gradients[place.name("b")])


@of_every_cell
def test_the_adjoints_of_a_state_are_the_gradients_of_what_the_rest_begins_with(cell):
    """h_t and c_t reach the loss through the steps after t, of which they are the initial state, and through o_t."""
    problem = make(Recurrent(cell, 3, 5, 4), lengths=[6, 4])
    adjoints = answer(problem).adjoints
    _, cache = CELLS[cell].forward(
        problem.params, problem.inputs, tuple(problem.states.values()), length_mask(problem.lengths, 6)
    )
    for t in range(1, 4):
        states = {name: getattr(cache, name[0])[t] for name in problem.states}
        arrays = {"inputs": problem.inputs[t:], "targets": problem.targets[t:], "lengths": problem.lengths - t}
        rest = answer(replace(problem, **arrays, **states)).gradients
        assert_same(adjoints["h"][t - 1], adjoints["o"][t - 1] @ problem.params["V"] + rest["h0"])
        if cell == "lstm":
            o, tanh_c = cache.gates[t - 1, 2], np.tanh(cache.c[t])
            assert_same(adjoints["c"][t - 1], rest["c0"] + adjoints["h"][t - 1] * o * (1 - tanh_c**2))


def test_the_gradient_of_the_joined_matrix_is_that_of_its_parts_side_by_side():
    parts = make(MODELS["rnn"])
    joined = {"Wcat": np.hstack([parts.params["U"], parts.params["W"]])} | {n: parts.params[n] for n in "bVc"}
    whole, apart = answer(replace(parts, model=MODELS["concatenated"], params=joined)), answer(parts)
    np.testing.assert_array_equal(whole.gradients["Wcat"], np.hstack([apart.gradients["U"], apart.gradients["W"]]))
    assert whole.loss == apart.loss


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error"])
@pytest.mark.parametrize(("loss_at", "losses"), [("every_step", 8), ("last_step", 3)])
def test_a_mean_is_the_sum_over_the_number_of_losses(loss, loss_at, losses):
    total, mean = (
        answer(
            make(
                Recurrent("rnn", 3, 5, 4, loss=loss, reduction=reduction, loss_at=loss_at),
                seq_len=4,
                batch_size=3,
                lengths=[4, 1, 3],
            )
        )
        for reduction in ("sum", "mean")
    )
    assert mean.loss == pytest.approx(total.loss / losses, rel=1e-14)  # one division
    assert_same(mean.gradients["W"], total.gradients["W"] / losses)


def test_a_loss_at_the_last_step_is_what_a_further_step_adds():
    problem = make(MODELS["lstm"], batch_size=1)
    every, shorter = (answer(replace(problem, lengths=np.array([length]))) for length in (5, 4))
    last = answer(replace(problem, model=replace(problem.model, loss_at="last_step"), lengths=np.array([5])))
    assert last.loss == pytest.approx(every.loss - shorter.loss, rel=1e-13)  # a difference of sums
    for name, gradient in last.gradients.items():
        assert_same(every.gradients[name] - shorter.gradients[name], gradient)
    assert np.flatnonzero(last.adjoints["o"].any(axis=(1, 2))).tolist() == [4]


@of_every_model
@pytest.mark.parametrize("loss_at", ["every_step", "last_step"])
def test_a_shorter_length_is_a_shorter_sequence(model, loss_at):
    whole = make(replace(model, loss_at=loss_at), seq_len=9, batch_size=1)
    cut = answer(replace(whole, lengths=np.array([5])))
    short = answer(replace(whole, inputs=whole.inputs[:5], targets=whole.targets[:5]))
    assert cut.loss == pytest.approx(short.loss, rel=1e-14)  # sums of other lengths round in another order
    padding = [(0, 4), (0, 0), (0, 0)]
    for name, gradient in short.gradients.items():
        assert_same(cut.gradients[name], np.pad(gradient, padding) if name == "inputs" else gradient)
    for name, adjoint in short.adjoints.items():
        assert_same(cut.adjoints[name], np.pad(adjoint, padding))
    assert_same(cut.outputs, np.pad(short.outputs, padding))


@of_every_model
def test_sequences_do_not_see_each_other(model):
    both = make(model, lengths=[6, 3])
    alone = [
        answer(
            replace(
                both,
                inputs=both.inputs[:, i : i + 1],
                targets=both.targets[:, i : i + 1],
                lengths=both.lengths[i : i + 1],
                **{name: state[..., i : i + 1, :] for name, state in both.states.items()},
            )
        )
        for i in range(2)
    ]
    together = answer(both)
    for name in both.params:
        assert_same(together.gradients[name], sum(each.gradients[name] for each in alone))
    for name in both.states:
        assert_same(together.gradients[name], np.concatenate([each.gradients[name] for each in alone], axis=-2))
    for name, adjoint in together.adjoints.items():
        assert_same(adjoint, np.concatenate([each.adjoints[name] for each in alone], axis=1))


@of_every_model
def test_what_lies_past_a_length_does_not_matter_even_where_it_overflows(model):
    problem = make(replace(model, loss="squared_error"), seed=1, lengths=[6, 2])
    inputs, targets = problem.inputs.copy(), problem.targets.copy()
    inputs[2:, 1] = 1e200
    targets[2:, 1] = -1e200
    right, other = answer(problem), answer(replace(problem, inputs=inputs, targets=targets))
    assert right.loss == other.loss
    for field in ("gradients", "adjoints"):
        for name, array in getattr(right, field).items():
            np.testing.assert_array_equal(array, getattr(other, field)[name])


@of_every_model
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_everything_stays_in_the_dtype_of_the_problem(model, dtype, reduction):
    found = answer(make(replace(model, reduction=reduction), dtype=dtype, lengths=[6, 2]))
    arrays = [found.loss, found.outputs, *found.gradients.values(), *found.adjoints.values()]
    assert {array.dtype.name for array in arrays} == {dtype}


@pytest.mark.parametrize("bias", [-1e4, 1e4])
@of_every_cell
def test_a_sigmoid_that_is_0_warns_of_no_overflow_on_the_way(cell, bias):
    problem = make(Recurrent(cell, 3, 5, 4))
    params = problem.params | {"b": problem.params["b"] + bias}
    options = {"activation": "sigmoid"} if cell == "rnn" else {}
    mask = np.ones(problem.leading, dtype=bool)
    h, _ = CELLS[cell].forward(params, problem.inputs, tuple(problem.states.values()), mask, **options)
    assert np.isfinite(h).all()


def test_nor_do_a_network_without_time_and_the_cross_entropy_of_a_sigmoid():
    params = {"W1": np.full((2, 1), -1e4), "b1": np.zeros(2), "W2": np.ones((2, 2)), "b2": np.zeros(2)}
    found = feedforward.loss_and_gradients(params, np.ones((1, 1)), np.ones((1, 2)))
    assert found.loss == 0.25  # of two outputs ½ that should be 1
    losses, do = LOSSES["sigmoid_cross_entropy"](np.array([[-1e4, 1e4]]), np.array([[0.0, 1.0]]))
    assert (losses.tolist(), do.tolist()) == ([0], [[0, 0]])


def test_shapes_are_checked_in_this_test_run():
    with pytest.raises(TypeCheckError, match="parameter 'x'"):
        affine.forward(np.ones((5, 3)), None, np.ones((2, 1, 4)), (0,), np.empty((1, 2, 1, 5)))
