"""What tells somebody's loss from a system's: the arrays that it does not use, its units, a penalty on the weights."""

from __future__ import annotations

import numpy as np
import pytest
from derivations import elman, verdicts
from gradparity.compare import check_derivation
from gradparity.compare.check.loss_convention import loss_convention
from gradparity.compare.check.wording import conclusion


def without(*names, before=0):
    """A derivation of a network that does not have some arrays, and does not give their gradients."""

    def derivation(params, inputs, targets, h0):
        params = {name: 0 * array if name in names else array for name, array in params.items()}
        loss, gradients, _ = elman(params, inputs, targets, 0 * h0 if "h0" in names else h0, before=before)
        return loss, {name: array for name, array in gradients.items() if name not in names}

    return derivation


@pytest.mark.parametrize("names", [("b", "c"), ("c",), ("h0",), ("b", "h0")], ids="+".join)
def test_a_network_without_some_arrays_is_judged_without_them(names):
    check = check_derivation(without(*names), seeds=[0], ordinary_only=True)
    assert (check.verdict, check.unused) == ("agree", names)
    assert conclusion(check, check.rows()).startswith(
        f"derivation is right on elman-softmax without {' and '.join(names)},"
    )
    assert check.notes[0].startswith(f"convention: it does not use {' and '.join(names)}, ")
    assert not set(check.missing) & set(names)


def test_a_slip_in_a_network_without_biases_is_named_all_the_same():
    check = check_derivation(without("b", "c", before=1), seeds=[0], ordinary_only=True)
    assert (check.verdict, verdicts(check)["dW"], verdicts(check)["dU"]) == ("disagree", "wrong", "right")
    assert check.diagnosis.suspects[0].mistakes == ("h_t for h_{t−1} in dW",)


def test_an_array_whose_gradient_is_given_is_not_left_out():
    def forgets_b(params, inputs, targets, h0):
        loss, gradients, _ = elman(dict(params) | {"b": 0 * params["b"]}, inputs, targets, h0)
        return loss, gradients

    check = check_derivation(forgets_b, seeds=[0], diagnosis=False)
    assert (check.verdict, check.unused) == ("disagree", ())


def scaled(factor):
    def derivation(params, inputs, targets, h0):
        loss, gradients, _ = elman(params, inputs, targets, h0)
        return factor(targets) * loss, gradients

    return derivation


def penalised(params, inputs, targets, h0):
    loss, gradients, _ = elman(params, inputs, targets, h0)
    squares = sum((array**2).sum() for array in params.values() if array.ndim > 1)
    return loss / targets.size + 0.01 * squares, gradients


@pytest.mark.parametrize(
    ("derivation", "words"),
    [
        pytest.param(scaled(lambda targets: 1 / targets.size), "divided by T B", id="a mean over all"),
        pytest.param(
            scaled(lambda targets: 1 / len(targets)),
            "divided by T",
            id="a mean over the steps",
            marks=pytest.mark.campaign,
        ),
        pytest.param(
            scaled(lambda targets: 1 / targets.shape[1]),
            "divided by B",
            id="a mean over the batch",
            marks=pytest.mark.campaign,
        ),
        pytest.param(
            scaled(lambda targets: 0.5 / targets.shape[1]),
            "times 1/2, divided by B",
            id="half of a mean",
            marks=pytest.mark.campaign,
        ),
        pytest.param(scaled(lambda targets: 1 / np.log(2)), "times 1/ln 2", id="bits"),
        pytest.param(scaled(lambda targets: 0.3), "times 0.3", id="a number", marks=pytest.mark.campaign),
        pytest.param(penalised, "divided by T B, with 0.01 times the squares of the weights added", id="a penalty"),
        pytest.param(scaled(lambda targets: 1.0), "", id="the same", marks=pytest.mark.campaign),
        pytest.param(scaled(lambda targets: 1 / (targets.size + 1)), "", id="no rule"),
    ],
)
def test_how_a_loss_follows_from_the_right_one(derivation, words):
    check = check_derivation(derivation, seeds=[0, 1], diagnosis=False)
    assert loss_convention(check.comparisons, check.name) == words


def test_a_rule_has_to_hold_on_all_problems():
    check = check_derivation(scaled(lambda targets: 0.5 if len(targets) > 20 else 1 / 3), seeds=[0], diagnosis=False)
    assert loss_convention(check.comparisons, "derivation") == ""
