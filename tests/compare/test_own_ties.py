"""Where a derivative is a choice, a function of one's own is neither right nor wrong; and what is no such place."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.wording import summary

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("function", "slope"),
    [
        (lambda w: np.maximum(w, 0).sum(), lambda w: 1.0 * (w > 0)),
        (lambda w: np.maximum(w, 0).sum(), lambda w: 1.0 * (w >= 0)),
        (lambda w: (w * (w > 0)).sum(), lambda w: 1.0 * (w >= 0)),
        (lambda w: np.abs(w).sum(), lambda w: np.where(w > 0, 1.0, -1.0)),
        (lambda w: np.where(w > 0, w, 0.0).sum(), lambda w: 1.0 * (w >= 0)),
    ],
)
def test_a_choice_at_a_tie_is_neither_right_nor_wrong(function, slope):
    check = check_gradients(lambda w: (function(w), slope(w)), np.array([0.0, 1.0]), ordinary_only=True)
    assert check.verdict == "undecidable"
    assert "at its border" in summary(check)
    assert "The derivative there is a choice: at [0] of dw, <lambda> " in summary(check)


def test_a_mask_of_a_maximum_is_no_tie():
    def pool(w):
        largest = w.max()
        return largest**2, {"w": 2 * largest * (w == largest)}

    assert check_gradients(pool, np.array([1.0, 3.0, 2.0])).verdict == "agree"


def test_a_gradient_that_is_exactly_zero_is_right_up_to_roundings_and_no_further():
    def normalized(b, x, error=0.0):
        a = x + b
        c = a - a.mean(0)
        return np.sin(c).sum(), {"b": (np.cos(c) - np.cos(c).mean(0)).sum(0) + error}

    x = RNG.normal(size=(6, 3))
    b = RNG.normal(size=3)
    assert check_gradients(normalized, b, x, ordinary_only=True).verdict == "agree"
    assert check_gradients(lambda b, x: normalized(b, x, 1e-9), b, x, ordinary_only=True).verdict == "disagree"


# Beside a tie, the other entries are judged


def dead_unit(W, x, y, error=0.0):
    """A layer of which one unit is exactly at its kink in one sample, with an error in an entry of another unit."""
    a = x @ W
    e = np.maximum(a, 0).sum(axis=1) - y
    loss = 0.5 * (e @ e)
    dW = x.T @ (e[:, None] * (a > 0))
    dW[1, 2] += error
    return loss, {"W": dW}


X, Y = RNG.normal(size=(5, 3)), RNG.normal(size=5)
W = RNG.normal(size=(3, 4))
W[:, 0] = np.cross(X[2], [1.0, 2.0, 3.0])
W[:, 0] -= X[2] * (X[2] @ W[:, 0]) / (X[2] @ X[2])


@pytest.mark.parametrize("certify", [None, False])
def test_an_error_beside_a_choice_is_an_error_and_the_choice_is_said_to_be_one(certify):
    right = check_gradients(dead_unit, W, X, Y, ordinary_only=True, certify=certify)
    assert right.verdict == "undecidable"
    assert "moves 3 entries of it by up to " in summary(right)
    assert ", and the others agree" in summary(right)
    wrong = check_gradients(dead_unit, W, X, Y, 1e-6, ordinary_only=True, certify=certify)
    assert wrong.verdict == "disagree"
    block = next(block for block in wrong.first_wrong.blocks if block.label == "dW")
    assert (block.index, block.choices) == ((1, 2), (0, 4, 8))
    assert "3 other entries are a choice at a kink, and not judged." in summary(wrong)
