"""Where large numbers overflow on the way back of every engine, a right function is not accused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.wording import summary

W, X = np.array([-1.0, 2.0]), np.array([30.0, 1.0])


def sigmoid(w, x):
    """e^900 overflows: the sigmoid is 0 all the same, and its derivative by the rules of every engine 0 · ∞."""
    s = 1 / (1 + np.exp(-w * x))
    return s.sum(), {"w": s * (1 - s) * x}


def softmax(W, x):
    y = np.exp(W @ x)
    p = y / y.sum()
    error = p.copy()
    error[0] -= 1
    return -np.log(p[0]), {"W": np.outer(error, x)}


def notes_on(check, setting):
    return [note for note in check.notes if note.startswith(f"with {setting} ")]


def test_a_right_sigmoid_is_right_where_no_engine_is_finite():
    check = check_gradients(sigmoid, W, X)
    assert check.verdict == "agree"
    assert {row["quantity"]: row["verdict"] for row in check.rows()} == {"loss": "right", "dw": "right"}
    (note,) = notes_on(check, "times 30")
    assert note.startswith("with times 30 not everything can be decided: dw: sigmoid is off by ")


def test_a_right_answer_is_certified_where_no_engine_is_finite():
    check = check_gradients(softmax, np.array([[-12.0, 0], [12.0, 0]]), np.array([1.0, 1.0]))
    assert [(asked.name, asked.verdict) for asked in check.asked][-1] == ("times 30", "agree")
    engines = {failure.backend for failure in check.comparisons[-1].failures}
    assert {"tape", "torch"} <= engines, "this is no example of what it is for"


def test_an_answer_that_is_not_finite_either_is_undecided():
    def product(w, x):
        e = np.exp(-w * x)
        s = 1 / (1 + e)
        return s.sum(), {"w": s * s * e * x}

    check = check_gradients(product, W, X)
    assert check.verdict == "agree"
    expected = "with times 30 not everything can be decided: gradients['w'][0] is nan, and so is that of every engine"
    assert notes_on(check, "times 30") == [expected]


def test_an_answer_that_is_not_finite_where_engines_are_is_refused():
    def divided(w):
        return (w * w).sum(), {"w": 2 * w * np.where(w > 3, np.inf, 1.0)}

    check = check_gradients(divided, np.array([-1.0, 2.0]))
    assert check.verdict == "disagree"
    assert {row["verdict"] for row in check.rows() if row["quantity"] == "dw"} == {"refused"}
    assert "divided: non-finite: gradients['w']" in summary(check)


@pytest.mark.parametrize("factor", [1.001, 3.0])
def test_a_wrong_function_stays_wrong(factor):
    def wrong(w, x):
        loss, gradients = sigmoid(w, x)
        return loss, {"w": factor * gradients["w"]}

    check = check_gradients(wrong, W, X)
    assert check.verdict == "disagree"
    assert {row["quantity"]: row["verdict"] for row in check.rows()} == {"loss": "right", "dw": "wrong"}


def test_the_overflow_of_a_function_is_not_warned_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check_gradients(sigmoid, W, X).verdict == "agree"
