"""`np.heaviside`, the derivative of a relu in many a program, is a decision by a sign: it can be enclosed."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare import certified_gradients, check_gradients
from gradparity.compare.certificate.enclosure import UncertifiableError


def through_a_step(x):
    return (np.heaviside(x, 0) * x * x).sum()


def test_a_step_is_certified_away_from_0():
    value, gradients = certified_gradients(through_a_step, np.array([1.0, -2.0, 3.0]))
    assert (value, gradients["x"].tolist()) == (10.0, [2.0, 0.0, 6.0])


def test_a_step_at_0_is_not():
    with pytest.raises(UncertifiableError, match="between two branches"):
        certified_gradients(through_a_step, np.array([1.0, 0.0]))


def test_a_relu_with_its_derivative_by_a_step_is_right_and_certified():
    def gradients(w, x):
        z = x @ w
        dz = np.maximum(z, 0) * np.heaviside(z, 0)
        return 0.5 * (np.maximum(z, 0) ** 2).sum(), {"w": x.T @ dz, "x": dz @ w.T}

    rng = np.random.default_rng(0)
    arguments = rng.normal(size=(3, 2)), rng.normal(size=(4, 3))
    check = check_gradients(gradients, *arguments, ordinary_only=True, certify=True)
    assert check.verdict == "agree"
    assert [comparison.bits is not None for comparison in check.comparisons] == [True]
