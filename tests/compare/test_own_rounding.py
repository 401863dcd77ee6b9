"""What rounding does in a function's own formulas is no mistake, and hides none that is larger."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.wording import summary
from gradparity.compare.functions.own_function import OwnFunction
from gradparity.compare.functions.own_rounding import own_rounding

SATURATED = np.array([20.0, 21.0, 22.5])


def sigmoids(a, error=0.0):
    """Its derivative loses half of its digits where y is close to 1."""
    y = 1 / (1 + np.exp(-a))
    return y.sum(), {"a": y * (1 - y) * (1 + error)}


def judged(a, error=0.0, **options):
    return check_gradients(sigmoids, a, error, ordinary_only=True, **options)


@pytest.mark.parametrize("certify", [None, False])
def test_digits_that_its_own_formula_loses_are_no_mistake(certify, monkeypatch):
    check = judged(SATURATED, certify=certify)
    assert (check.verdict, check.comparisons[0].within_own_rounding) == ("agree", ("da",))
    (note,) = check.notes
    assert note.startswith("da: right up to rounding in the formulas of sigmoids, which loses digits: by up to ")
    assert judged(SATURATED / 20, certify=certify).notes == ()
    monkeypatch.setattr(OwnFunction, "rounding", lambda self, setting: {})
    assert judged(SATURATED, certify=certify).verdict == "disagree"


def test_they_are_none_beside_another_definition_either():
    check = check_gradients(sigmoids, SATURATED, ordinary_only=True, of=lambda a: (1 / (1 + np.exp(-a))).sum())
    assert check.verdict == "agree"


@pytest.mark.parametrize("error", [1e-3, -1e-5])
def test_a_mistake_that_is_larger_is_found(error):
    assert judged(SATURATED, error).verdict == "disagree"


def test_a_formula_that_loses_all_digits_cannot_be_decided_and_is_said_to_be_the_reason():
    check = judged(np.array([40.0, 41.0]))
    assert check.verdict == "undecidable"
    assert "It may be no error: rounding in its own formulas moves it by " in summary(check)


def test_whole_numbers_in_the_place_of_gradients_are_refused_and_not_rounded():
    def counts(w):
        return (w * w).sum(), {"w": 3 * w, "b": (w > 0).sum(axis=0, keepdims=True)}

    check = check_gradients(lambda w, b: ((w * w).sum() + b.sum(), counts(w)[1]), SATURATED, np.ones(1))
    assert {row["quantity"]: row["verdict"] for row in check.rows()} == {
        "loss": "right",
        "dw": "wrong",
        "db": "refused",
    }
    assert own_rounding(counts, {"w": SATURATED}, lambda value: value[1], np.dtype("float64")).keys() == {"w"}
    assert own_rounding(lambda w: (w > 0) + 0, {"w": SATURATED}, lambda value: {"w": value}, np.dtype("float64")) == {}


def test_the_roundings_of_what_cannot_be_recorded_are_not_known():
    def read(value):
        return {"y": value}

    assert own_rounding(lambda w: np.fft.rfft(w).real, {"w": SATURATED}, read, np.dtype("float64")) == {}
    assert own_rounding(lambda w: w.tolist()[9], {"w": SATURATED}, read, np.dtype("float64")) == {}
    assert own_rounding(lambda w: 1 - w, {"w": SATURATED}, read, np.dtype("float64"))["y"] > 0
