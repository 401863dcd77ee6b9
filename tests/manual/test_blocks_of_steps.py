"""The steps are taken back in blocks whose factors fit into the cache: what comes out does not depend on their size."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.backends import Chunks, LastSteps, Problem, Recurrent, Window
from gradparity.backends.references.manual_backend import answer
from gradparity.manual import rnn, through_time
from gradparity.manual.through_time import FACTORS_AT_ONCE, blocks_of_steps

T, B, H = 7, 3, 4
SIZES = [1, B * H, 2 * B * H, 3 * B * H + 1, (T - 1) * B * H]  # blocks of 1, 1, 2, 3 and T − 1 steps


def covered(T, numbers_per_step):
    return [(block.start, block.stop) for block in blocks_of_steps(T, numbers_per_step)]


@pytest.mark.parametrize(
    ("numbers_per_step", "blocks"),
    [
        (1, [(0, 7)]),
        (FACTORS_AT_ONCE // 7, [(0, 7)]),
        (FACTORS_AT_ONCE // 7 + 1, [(0, 6), (6, 7)]),
        (FACTORS_AT_ONCE // 3, [(0, 3), (3, 6), (6, 7)]),
        (FACTORS_AT_ONCE // 2, [(0, 2), (2, 4), (4, 6), (6, 7)]),
        (FACTORS_AT_ONCE // 2 + 1, [(t, t + 1) for t in range(7)]),
        (FACTORS_AT_ONCE, [(t, t + 1) for t in range(7)]),
        (FACTORS_AT_ONCE + 1, [(t, t + 1) for t in range(7)]),
        (10 * FACTORS_AT_ONCE, [(t, t + 1) for t in range(7)]),
    ],
)
def test_a_block_has_as_many_steps_as_stay_in_the_cache_and_one_at_least(numbers_per_step, blocks):
    assert covered(7, numbers_per_step) == blocks


def arrays(found):
    return {"loss": np.array(found.loss), **found.gradients, **{f"d{name}": a for name, a in found.adjoints.items()}}


def in_blocks(monkeypatch, problem, size):
    monkeypatch.setattr(through_time, "FACTORS_AT_ONCE", size)
    return arrays(answer(problem))


@pytest.mark.parametrize("truncation", [None, Chunks(3), LastSteps(4), Window(2)], ids=str)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_size_of_the_blocks_gives_the_same_to_the_last_bit(monkeypatch, cell, truncation):
    model = Recurrent(cell, 2, H, 3, truncation=truncation)
    problem = Problem.from_seed(model, seq_len=T, batch_size=B, seed=0, lengths=np.array([7, 4, 1]))
    whole = in_blocks(monkeypatch, problem, T * B * H)
    for size in SIZES:
        for name, array in in_blocks(monkeypatch, problem, size).items():
            np.testing.assert_array_equal(array, whole[name], err_msg=f"{name} in blocks of {size}")


@pytest.mark.parametrize("batch_size", [60, 300])
def test_where_a_step_or_a_few_fill_the_cache_the_recursion_is_that_of_the_equations(batch_size):
    """(32): dh_t = dh_above_t + dh_{t+1} ⊙ (1 − h_{t+1}²) W, of 120 units, step by step."""
    T, B, H = 5, batch_size, 120
    assert T * B * H > FACTORS_AT_ONCE
    rng = np.random.default_rng(0)
    params = {"U": rng.standard_normal((H, 1)), "W": rng.standard_normal((H, H)) / H**0.5, "b": np.zeros(H)}
    x, dh_above = rng.standard_normal((T, B, 1)), rng.standard_normal((T, B, H))
    h, cache = rnn.forward(params, x, (np.zeros((B, H)),), np.ones((T, B), dtype=bool))
    found = through_time.backward(rnn, dh_above, cache)
    dh, da = np.zeros((B, H)), np.empty((T, B, H))
    for t in reversed(range(T)):
        dh = dh + dh_above[t]
        da[t] = dh * (1 - h[t] ** 2)
        dh = da[t] @ params["W"]
    np.testing.assert_allclose(found.adjoints["a"], da, rtol=0, atol=1e-13 * np.abs(da).max())
    np.testing.assert_allclose(found.initial[0], dh, rtol=0, atol=1e-13 * np.abs(dh).max())
    np.testing.assert_allclose(
        found.params["b"], da.sum(axis=(0, 1)), rtol=0, atol=1e-12 * np.abs(da).sum(axis=(0, 1)).max()
    )
