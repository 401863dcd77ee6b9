"""The sum over pairs of steps: its terms, its factors, and that it is what the recursion computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from extended import without_shape_checks
from gradparity.backends import Problem, Recurrent, Window
from gradparity.backends.references.manual_backend import answer
from gradparity.manual import jacobians, rnn
from gradparity.manual.activations import ACTIVATIONS
from gradparity.manual.losses import length_mask

T, B, H = 6, 2, 5
LENGTHS = np.array([6, 4])
PAIRS = [(t, k) for t in range(1, T + 1) for k in range(1, t + 1)]


def make(activation="tanh", *, lengths=LENGTHS, **options):
    model = Recurrent("rnn", 3, H, 4, activation=activation, **options)
    return Problem.from_seed(model, seq_len=T, batch_size=B, seed=0, lengths=lengths)


def after_forward(problem, dtype="float64"):
    """The cache of the forward pass, and what each state receives from above."""
    params = {name: array.astype(dtype) for name, array in problem.params.items()}
    x, h0 = problem.inputs.astype(dtype), problem.h0.astype(dtype)
    mask = length_mask(problem.lengths, T)
    _, cache = rnn.forward(params, x, (h0,), mask, activation=problem.model.activation)
    return cache, answer(problem).adjoints["o"] @ problem.params["V"]


def sum_of_terms(problem, pairs):
    cache, dh_above = after_forward(problem)
    terms = [jacobians.weight_terms(dh_above, cache, t, k) for t, k in pairs]
    return {name: sum(term[name] for term in terms) for name in "UWb"}


def assert_same(found, expected, names="UWb", *, part=1e-13):
    """Equal but for the roundings of sums in another order, as a part of the largest entry."""
    for name in names:
        limit = part * np.abs(expected[name]).max()
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=limit, err_msg=name)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_sum_of_all_terms_is_what_the_recursion_gives(activation):
    problem = make(activation)
    assert_same(sum_of_terms(problem, PAIRS), answer(problem).gradients)


@pytest.mark.parametrize("t", [1, 3, 4])
def test_the_terms_of_one_t_are_the_gradient_of_its_loss_alone(t):
    alone = answer(make(lengths=np.array([t, t]), loss_at="last_step"))
    assert_same(sum_of_terms(make(), [(t, k) for k in range(1, t + 1)]), alone.gradients)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_terms_near_the_diagonal_are_a_window(n):
    problem = make()
    window = answer(replace(problem, model=replace(problem.model, truncation=Window(n))))
    assert_same(sum_of_terms(problem, [(t, k) for t, k in PAIRS if t - k < n]), window.gradients)


def test_the_term_of_a_step_with_itself_is_the_immediate_derivative():
    problem = make(lengths=np.array([T, T]))
    cache, dh_above = after_forward(problem)
    da = dh_above[2] * (1 - cache.h[3] ** 2)
    term = jacobians.weight_terms(dh_above, cache, 3, 3)
    assert_same(term, {"U": da.T @ problem.inputs[2], "W": da.T @ cache.h[2], "b": da.sum(axis=0)})


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "identity"])
@pytest.mark.parametrize(("t", "k"), [(3, 2), (5, 4), (5, 1), (6, 0), (2, 2)])
def test_a_state_jacobian_is_the_slope_of_one_state_in_another(activation, t, k):
    step = np.longdouble(1e-6)
    nudges = step * np.eye(H, dtype=np.longdouble)

    problem = make(activation)
    mask = length_mask(problem.lengths, T)[k:t]

    def state(h_k):
        """h_t, if the sequence goes on from another h_k."""
        _, rest = rnn.forward(cache.params, cache.x[k:t], (h_k,), mask, activation=activation)
        return rest.h[-1]

    with without_shape_checks():
        cache, _ = after_forward(problem, np.longdouble)
        found = jacobians.state_jacobian(cache, t, k)
        slopes = [(state(cache.h[k] + nudge) - state(cache.h[k] - nudge)) / (2 * step) for nudge in nudges]
    # central differences: an error of step²/6 of the third derivative
    np.testing.assert_allclose(found, np.stack(slopes, axis=-1), rtol=0, atol=1e-10)


def test_a_state_jacobian_is_the_product_over_the_steps_between():
    cache, _ = after_forward(make())
    expected = np.broadcast_to(np.eye(H), (B, H, H))
    for j in (5, 4, 3):
        expected = expected @ jacobians.step_jacobian(cache, j)
    np.testing.assert_array_equal(jacobians.state_jacobian(cache, 5, 2), expected)


def test_a_step_jacobian_is_the_slope_times_w_and_past_a_length_the_identity():
    problem = make()
    cache, _ = after_forward(problem)
    slope = 1 - cache.h[5] ** 2
    found = jacobians.step_jacobian(cache, 5)
    np.testing.assert_array_equal(found[0], np.diag(slope[0]) @ problem.params["W"])
    np.testing.assert_array_equal(found[1], np.eye(H))


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss_at", ["every_step", "last_step"])
def test_every_derivative_of_the_expanded_sum_is_that_of_the_recursion(activation, loss_at):
    expanded = answer(make(activation, loss_at=loss_at, differentiation="expanded"))
    recursion = answer(make(activation, loss_at=loss_at))
    assert_same(expanded.gradients, recursion.gradients, recursion.gradients)
    assert_same(expanded.adjoints, recursion.adjoints, recursion.adjoints)
