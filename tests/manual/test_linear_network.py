"""The linear network: powers of W in the place of a recursion, and what they do over long distances."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import Problem, Recurrent
from gradparity.backends.references.manual_backend import answer

T, H = 8, 5
MODEL = Recurrent("rnn", 3, H, 4, activation="identity", loss="squared_error", reduction="mean", bias=False)


def make(model=MODEL, **options):
    return Problem.from_seed(model, **{"seq_len": T, "batch_size": 2, "seed": 0, **options})


def by_powers(problem):
    return answer(replace(problem, model=replace(problem.model, differentiation="closed_form")))


@pytest.mark.parametrize("lengths", [None, [8, 3]])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
@pytest.mark.parametrize("bias", [True, False])
def test_the_closed_form_is_what_the_recursion_gives(lengths, loss, bias):
    problem = make(replace(MODEL, loss=loss, bias=bias), lengths=lengths)
    found, expected = by_powers(problem), answer(problem)
    for field in ("gradients", "adjoints"):
        assert getattr(found, field).keys() == getattr(expected, field).keys()
        for name, array in getattr(expected, field).items():
            limit = 1e-13 * np.abs(array).max()  # sums of up to 8 products, in two orders
            np.testing.assert_allclose(getattr(found, field)[name], array, rtol=0, atol=limit, err_msg=name)


def test_it_is_the_sum_of_powers_as_the_document_writes_it():
    """dh_t = Σ_{i=t..T} (Wᵀ)^{T−i} Vᵀ do_{T+t−i}, for column vectors."""
    problem = make()
    W, V = problem.params["W"], problem.params["V"]
    found = by_powers(problem).adjoints
    for t in range(1, T + 1):
        terms = (np.linalg.matrix_power(W.T, T - i) @ V.T @ found["o"][T + t - i - 1].T for i in range(t, T + 1))
        np.testing.assert_allclose(found["h"][t - 1], sum(terms).T, rtol=0, atol=1e-13 * np.abs(found["h"]).max())


@pytest.mark.parametrize("size", [0.5, 1.0, 2.0])
def test_the_size_of_the_eigenvalues_decides_whether_gradients_vanish_or_explode(size):
    """All eigenvalues of a rotation times `size` have that magnitude, so each step changes dh by this factor."""
    rotation, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((H, H)))
    problem = make(replace(MODEL, loss_at="last_step"))
    problem = replace(problem, params={**problem.params, "W": size * rotation})
    magnitudes = np.linalg.norm(by_powers(problem).adjoints["h"], axis=-1)
    np.testing.assert_allclose(magnitudes[:-1] / magnitudes[1:], size, rtol=1e-13)
