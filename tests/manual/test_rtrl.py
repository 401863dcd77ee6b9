"""Forward mode: the same gradient, without a look back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import Problem, Recurrent
from gradparity.backends.references.manual_backend import answer
from gradparity.manual import rnn, rtrl
from gradparity.manual.activations import ACTIVATIONS


def make(**options):
    sizes = {"seq_len": options.pop("seq_len", 7), "lengths": options.pop("lengths", None)}
    return Problem.from_seed(Recurrent("rnn", 3, 5, 4, **options), batch_size=2, seed=0, **sizes)


@pytest.mark.parametrize(
    "options",
    [
        *({"activation": activation} for activation in ACTIVATIONS),
        {"loss": "squared_error", "reduction": "mean"},
        {"loss_at": "last_step", "lengths": [7, 2]},
        {"bias": False},
        {"concatenated": True},
        {"lengths": [7, 2]},
        {"seq_len": 1},
    ],
    ids=str,
)
def test_forward_mode_is_backpropagation_through_time(options):
    problem = make(**options)
    found = answer(replace(problem, model=replace(problem.model, differentiation="forward")))
    expected = answer(problem)
    assert found.loss == expected.loss
    assert found.gradients.keys() == expected.gradients.keys()
    for name, array in expected.gradients.items():
        limit = 1e-13 * np.abs(array).max()  # the same sums in another order
        np.testing.assert_allclose(found.gradients[name], array, rtol=0, atol=limit, err_msg=name)


def test_what_it_knows_after_some_steps_is_the_gradient_of_the_losses_so_far():
    """Each loss is used at its own step: nothing of an earlier step is needed any more."""
    problem = make()
    mask = np.ones((7, 2), dtype=bool)
    _, cache = rnn.forward(problem.params, problem.inputs, (problem.h0,), mask)
    dh_above = answer(problem).adjoints["o"] @ problem.params["V"]
    early = np.where(np.arange(7)[:, None, None] < 4, dh_above, 0)
    found = rtrl.forward_gradients(early, cache).params["W"]
    expected = answer(replace(problem, inputs=problem.inputs[:4], targets=problem.targets[:4])).gradients["W"]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_forward_mode_has_no_adjoints_of_the_states():
    assert answer(make(differentiation="forward")).adjoints.keys() == {"o"}
