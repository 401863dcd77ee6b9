"""What single gates of long short-term memory do, where they are open or closed."""

from __future__ import annotations

import math

import numpy as np
from gradparity.manual import lstm

T, B, D, H = 6, 2, 3, 4
OPEN, CLOSED = 1e4, -1e4  # σ is exactly 1 and exactly 0 there
MASK = np.ones((T, B), dtype=bool)


def run(**biases):
    """The states with weights of zero but for those of the input in g, and the given biases of the gates."""
    rng = np.random.default_rng(0)
    params = {"U": np.zeros((4 * H, D)), "W": np.zeros((4 * H, H))}
    params["U"][2 * H : 3 * H] = rng.standard_normal((H, D))
    params["b"] = np.repeat([biases.get(gate, 0.3) for gate in "ifgo"], H).astype(float)
    x, h0, c0 = (rng.standard_normal(shape) for shape in ((T, B, D), (B, H), (B, H)))
    return lstm.forward(params, x, (h0, c0), MASK)


def step_backward(cache, t, *after):
    """The derivatives of the states after a step, made total, and of those before it."""
    after = tuple(each.copy() for each in after)
    before = tuple(np.empty((B, H)) for _ in after)
    factors = lstm.factors(cache, slice(t, t + 1))[:, 0]
    lstm.step_backward(cache, factors, after, np.empty((4, B, H)), before)
    return after, before


def test_an_open_forget_gate_and_a_closed_input_gate_carry_c_unchanged():
    _, cache = run(f=OPEN, i=CLOSED)
    for c in cache.c[1:]:
        np.testing.assert_array_equal(c, cache.c[0])


def test_and_carry_its_derivative_unchanged_over_any_distance():
    _, cache = run(f=OPEN, i=CLOSED)
    dc = given = np.random.default_rng(1).standard_normal((B, H))
    for t in reversed(range(T)):
        _, (dh, dc) = step_backward(cache, t, np.zeros((B, H)), dc)
        np.testing.assert_array_equal(dh, 0)
    np.testing.assert_array_equal(dc, given)


def test_a_closed_forget_gate_forgets_all_that_was():
    _, cache = run(f=CLOSED)
    _, (_, dc_before) = step_backward(cache, 3, np.ones((B, H)), np.ones((B, H)))
    np.testing.assert_array_equal(cache.c[1:], cache.gates[:, 0] * cache.gates[:, 3])
    np.testing.assert_array_equal(dc_before, 0)


def test_a_closed_output_gate_shows_nothing_and_passes_nothing_to_c():
    h, cache = run(o=CLOSED)
    np.testing.assert_array_equal(h, 0)
    (_, dc), _ = step_backward(cache, 3, np.ones((B, H)), np.zeros((B, H)))
    np.testing.assert_array_equal(dc, 0)


def test_one_step_of_numbers_worked_out_apart():
    """Each gate has an input weight, a recurrent weight and a bias of its own, so that no two can be exchanged."""
    U, W, b = ([0.1, -0.2, 0.3, 0.4], [0.5, 0.6, -0.7, 0.8], [0.9, -1.0, 1.1, 1.2])
    params = {"U": np.array(U)[:, None], "W": np.array(W)[:, None], "b": np.array(b)}
    x, h0, c0 = (np.full(shape, number) for shape, number in (((1, 1, 1), 1.5), ((1, 1), -0.4), ((1, 1), 0.7)))
    h, cache = lstm.forward(params, x, (h0, c0), np.ones((1, 1), dtype=bool))

    a_i, a_f, a_g, a_o = (u * 1.5 + w * -0.4 + bias for u, w, bias in zip(U, W, b, strict=True))
    i, f, o = (1 / (1 + math.exp(-a)) for a in (a_i, a_f, a_o))
    c = f * 0.7 + i * math.tanh(a_g)
    np.testing.assert_allclose(cache.c[1].item(), c, rtol=1e-15)
    np.testing.assert_allclose(h.item(), o * math.tanh(c), rtol=1e-15)
