"""Exactly at a tie a recorded function's derivative is a choice, and nobody is right or wrong."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.backends import stopped
from gradparity.compare import check_gradients
from sampling import case, chequered

# A loss of w at a tie, the tie, and what its two sides have for derivatives: every right program has one of them

RAMP = np.array([0.0, 1.0, -2.0])
TWICE = np.array([3.0, 1.0, 3.0])
TIES = {
    "np.maximum": (lambda w: np.maximum(w, 0).sum(), RAMP, [0, 1, 0], [1, 1, 0]),
    "np.maximum of two arrays": (lambda w: np.maximum(w, w[::-1]).sum(), TWICE, [2, 1, 0], [0, 1, 2]),
    "np.minimum": (lambda w: np.minimum(w, 0).sum(), RAMP, [0, 0, 1], [1, 0, 1]),
    "np.fmax": (lambda w: np.fmax(w, 0.0).sum(), RAMP, [0, 1, 0], [1, 1, 0]),
    "abs": (lambda w: abs(w).sum(), RAMP, [1, 1, -1], [-1, 1, -1]),
    "np.abs": (lambda w: np.abs(w).sum(), RAMP, [1, 1, -1], [-1, 1, -1]),
    "np.sign": (lambda w: (np.sign(w) * w).sum(), RAMP, [1, 1, -1], [-1, 1, -1]),
    "norm of order 1": (lambda w: np.linalg.norm(w, 1), RAMP, [1, 1, -1], [-1, 1, -1]),
    "relu by a mask": (lambda w: (w * (w > 0)).sum(), RAMP, [0, 1, 0], [1, 1, 0]),
    "relu by np.where": (lambda w: np.where(w >= 0, w, 0).sum(), RAMP, [0, 1, 0], [1, 1, 0]),
    "relu by an index": (lambda w: w[w > 0].sum(), RAMP, [0, 1, 0], [1, 1, 0]),
    "leaky relu": (lambda w: np.where(w > 0, w, w / 2).sum(), RAMP, [0.5, 1, 0.5], [1, 1, 0.5]),
    "relu of Python": (lambda w: sum(max(0.0, float(one)) for one in w), RAMP, [0, 1, 0], [1, 1, 0]),
    "a branch": (lambda w: w[0] * 2 + w[1] if w[0] > 0 else w[0] * 3 + w[1], RAMP, [2, 1, 0], [3, 1, 0]),
    "np.clip": (lambda w: np.clip(w, 0, 5).sum(), RAMP, [0, 1, 0], [1, 1, 0]),
    "clip": (lambda w: w.clip(-5, 0).sum(), RAMP, [0, 0, 1], [1, 0, 1]),
    "np.max": (lambda w: np.max(w), TWICE, [1, 0, 0], [0, 0, 1]),
    "max over an axis": (lambda w: w[None].max(axis=1).sum(), TWICE, [1, 0, 0], [0, 0, 1]),
    "max of Python": (lambda w: max(w) * 2, TWICE, [2, 0, 0], [0, 0, 2]),
    "np.min": (lambda w: (-w).min(), TWICE, [-1, 0, 0], [0, 0, -1]),
    "np.argmax": (lambda w: w[np.argmax(w)] * 2, TWICE, [2, 0, 0], [0, 0, 2]),
    "np.sort": (lambda w: np.sort(w) @ np.array([1.0, 2.0, 4.0]), TWICE, [2, 1, 4], [4, 1, 2]),
    "np.argsort": (lambda w: w[np.argsort(w)] @ np.array([1.0, 2.0, 4.0]), TWICE, [2, 1, 4], [4, 1, 2]),
    "np.partition": (lambda w: np.partition(w, 2)[2] * 2, TWICE, [2, 0, 0], [0, 0, 2]),
    "np.median": (lambda w: np.median(w), TWICE, [1, 0, 0], [0, 0, 1]),
    "np.percentile": (lambda w: np.percentile(w, 100), TWICE, [1, 0, 0], [0, 0, 1]),
    "np.ptp": (lambda w: np.ptp(w), TWICE, [1, -1, 0], [0, -1, 1]),
}


def judged(loss, w, gradient):
    slopes = np.array(gradient, dtype=float)
    return check_gradients(lambda w: (loss(w), slopes), w, ordinary_only=True).verdict


@pytest.mark.parametrize(("name", "side"), chequered(TIES, [0, 1]))
def test_at_a_tie_the_slope_of_either_side_is_neither_right_nor_wrong(name, side):
    loss, w, *sides = TIES[name]
    assert judged(loss, w, sides[side]) == "undecidable"


@pytest.mark.parametrize("name", [case(name, campaign=number % 3 > 0) for number, name in enumerate(TIES)])
def test_beside_the_tie_one_side_is_right_and_the_other_wrong(name):
    loss, w, *sides = TIES[name]
    beside = w + np.array([0.25, 0, 0]) * (1 if w is not TWICE else 0.5)
    right = np.array([(loss(beside + step) - loss(beside - step)) / 2e-6 for step in 1e-6 * np.eye(3)])
    given = [np.array(side, dtype=float) for side in sides]
    verdicts = [judged(loss, beside, side) for side in given]
    assert verdicts == ["agree" if np.allclose(side, right, atol=1e-6) else "disagree" for side in given]
    assert "agree" in verdicts
    assert "disagree" in verdicts


# A tie that does not matter


@pytest.mark.parametrize(
    ("loss", "w", "gradient"),
    [
        (lambda w: (np.maximum(w, 0) ** 2).sum(), RAMP, [0, 2, 0]),
        (lambda w: (np.abs(w) * w).sum(), RAMP, [0, 2, 4]),
        (lambda w: np.log(np.exp(w - w.max()).sum()) + w.max(), np.array([2.0, 2.0]), [0.5, 0.5]),
        (lambda w: (w - w.max()).sum() + 2 * w.max(), np.array([1.0, 1.0]), [1, 1]),
    ],
)
def test_a_tie_with_one_derivative_on_both_sides_is_judged(loss, w, gradient):
    assert judged(loss, w, gradient) == "agree"
    assert judged(loss, w, np.array(gradient) + 0.125) == "disagree"


# A tie behind which the gradient stops


def test_a_tie_of_what_is_stopped_is_judged():
    def definition(w):
        return (stopped(np.maximum(w, 0)) * w + w * w).sum()

    def own(w, error=0.0):
        return {"w": np.maximum(w, 0) + 2 * w + error}

    assert check_gradients(own, RAMP, of=definition, ordinary_only=True).verdict == "agree"
    wrong = check_gradients(lambda w: own(w, 0.125), RAMP, of=definition, ordinary_only=True)
    assert wrong.verdict == "disagree"


def test_a_tie_beside_what_is_stopped_is_neither_right_nor_wrong():
    def definition(w):
        return (stopped(w) * w + np.abs(w)).sum()

    def own(w, side):
        return {"w": w + np.where(w > 0, 1, np.where(w < 0, -1, side))}

    for side in (-1.0, 1.0):
        check = check_gradients(lambda w, side=side: own(w, side), RAMP, of=definition, ordinary_only=True)
        assert check.verdict == "undecidable"
