"""What single gates of the gated recurrent unit do, where they are open or closed, and its two resets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import Problem, Recurrent
from gradparity.backends.references.manual_backend import answer
from gradparity.manual import gru

H = 5
OPEN, CLOSED = 1e4, -1e4  # σ is exactly 1 and exactly 0 there
RESETS = ("after", "before")
of_both_resets = pytest.mark.parametrize("reset", RESETS)


def make(reset, *, r=None, z=None, b_hn=None):
    """A problem whose gates r and z are as if their linear states were given numbers, whatever the input is."""
    problem = Problem.from_seed(Recurrent("gru", 3, H, 4), seq_len=6, batch_size=2, seed=0)
    params = {name: array.copy() for name, array in problem.params.items()}
    for gate, rows in ((r, slice(H)), (z, slice(H, 2 * H))):
        if gate is not None:
            params["U"][rows] = params["W"][rows] = 0
            params["b"][rows] = gate
    if b_hn is not None:
        params["b_hn"][:] = b_hn
    if reset == "before":
        del params["b_hn"]  # all other numbers are the same with both
    return replace(problem, model=Recurrent("gru", 3, H, 4, reset=reset), params=params)


def forward(problem):
    mask = np.ones(problem.leading, dtype=bool)
    return gru.forward(problem.params, problem.inputs, (problem.h0,), mask, reset=problem.model.reset)


@of_both_resets
def test_an_open_update_gate_keeps_the_state(reset):
    h, _ = forward(make(reset, z=OPEN))
    for h_t in h:
        np.testing.assert_array_equal(h_t, make(reset).h0)


@of_both_resets
def test_and_keeps_its_derivative(reset):
    """What h_0 gets is then the plain sum of what all states get from above."""
    problem = make(reset, z=OPEN)
    found = answer(problem)
    expected = (found.adjoints["o"] @ problem.params["V"]).sum(axis=0)
    np.testing.assert_allclose(found.gradients["h0"], expected, rtol=0, atol=1e-14)  # a sum of six terms of about 1
    np.testing.assert_array_equal(found.adjoints["a"], 0)


@of_both_resets
def test_with_a_closed_update_gate_and_an_open_reset_gate_it_is_the_plain_cell(reset):
    problem = make(reset, r=OPEN, z=CLOSED)
    rows = {"U": problem.params["U"][2 * H :], "W": problem.params["W"][2 * H :]}
    rows |= {"b": problem.params["b"][2 * H :] + problem.params.get("b_hn", 0)}
    plain = replace(problem, model=Recurrent("rnn", 3, H, 4), params={**rows, **{n: problem.params[n] for n in "Vc"}})
    found, expected = answer(problem), answer(plain)
    assert found.loss == pytest.approx(expected.loss, rel=1e-14)
    for name in "UWb":
        np.testing.assert_allclose(found.gradients[name][2 * H :], expected.gradients[name], rtol=0, atol=1e-13)
    np.testing.assert_allclose(found.gradients["h0"], expected.gradients["h0"], rtol=0, atol=1e-13)
    if reset == "after":
        np.testing.assert_array_equal(found.gradients["b_hn"], found.gradients["b"][2 * H :])


@of_both_resets
def test_a_closed_reset_gate_keeps_the_state_out_of_n(reset):
    _, one = forward(make(reset, r=CLOSED))
    _, other = forward(replace(make(reset, r=CLOSED), h0=np.zeros((2, H))))
    np.testing.assert_array_equal(one.gates[:, 2], other.gates[:, 2])


def test_reset_after_and_before_coincide_where_the_gate_is_open_and_there_is_no_second_bias():
    after, before = (answer(make(reset, r=OPEN, b_hn=0.0)) for reset in RESETS)
    assert after.loss == pytest.approx(before.loss, rel=1e-14)
    for name, gradient in before.gradients.items():
        np.testing.assert_allclose(after.gradients[name], gradient, rtol=0, atol=1e-13)


@pytest.mark.parametrize("options", [{"b_hn": 0.0}, {"r": OPEN, "b_hn": 0.5}], ids=["half open", "second bias"])
def test_and_differ_elsewhere(options):
    after, before = (answer(make(reset, **options)).loss for reset in RESETS)
    assert abs(after - before) > 1e-3
