"""A result that is written into an array which is given by position is recorded as with `out=`."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare import certified_gradients

X = np.array([[0.3, -2.0, 3.0], [1.5, 0.2, -0.7]])
FUNCTIONS = {  # each writes into `out`, and gives what it would return
    "clip": (lambda x, out: np.clip(x, -1, 1, out), lambda x: np.clip(x, -1, 1)),
    "clip, the method": (lambda x, out: x.clip(-1, 1, out), lambda x: np.clip(x, -1, 1)),
    "cumsum": (lambda x, out: np.cumsum(x, 1, None, out), lambda x: np.cumsum(x, 1)),
    "cumsum, the method": (lambda x, out: x.cumsum(1, None, out), lambda x: np.cumsum(x, 1)),
    "dot": (lambda x, out: np.dot(x, x.T @ x, out), lambda x: x @ (x.T @ x)),
    "dot, the method": (lambda x, out: x.dot(x.T @ x, out), lambda x: x @ (x.T @ x)),
    "concatenate": (lambda x, out: np.concatenate([x[1:], x[:1]], 0, out), lambda x: x[::-1]),
    "stack": (lambda x, out: np.stack([x[1], x[0]], 0, out), lambda x: x[::-1]),
    "take": (lambda x, out: np.take(x, [1, 0], 0, out), lambda x: x[::-1]),
    "take, and what follows": (lambda x, out: np.take(x, [1, 2], 0, out, "wrap"), lambda x: x[::-1]),
    "sum": (lambda x, out: np.sum(x, 0, None, out[0]), lambda x: np.array([x.sum(0), [0, 0, 0]])),
    "mean, the method": (lambda x, out: x.mean(0, None, out[0]), lambda x: np.array([x.mean(0), [0, 0, 0]])),
    "prod": (lambda x, out: np.prod(x, 0, None, out[0]), lambda x: np.array([x[0] * x[1], [0, 0, 0]])),
    "max": (lambda x, out: np.max(x, 0, out[0]), lambda x: np.array([x.max(0), [0, 0, 0]])),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_written_into_an_array_given_by_position_keeps_its_derivative(name):
    write, expected = FUNCTIONS[name]

    def written(x):
        out = np.zeros((2, 3))
        write(x, out)
        return (out * np.sin(out)).sum()

    def returned(x):
        return (expected(x) * np.sin(expected(x))).sum()

    value, gradients = certified_gradients(written, X)
    right_value, right = certified_gradients(returned, X)
    assert value == pytest.approx(right_value, rel=1e-14)
    assert np.allclose(gradients["x"], right["x"], rtol=1e-13)
    assert np.isfinite(value)
    assert gradients["x"].any()


def test_an_array_is_clipped_into_itself():
    def clipped(x):
        y = x * 1.0
        np.clip(y, -1, 1, y)
        return (y * y).sum()

    _, gradients = certified_gradients(clipped, X)
    assert gradients["x"].tolist() == [[0.6, 0.0, 0.0], [0.0, 0.4, -1.4]]
