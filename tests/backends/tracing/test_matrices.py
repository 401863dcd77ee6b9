"""`np.matrix` and `np.asmatrix`: a program with matrices is recorded, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.backends.tracing.recorder import NotRecordableError
from gradparity.compare import certified_gradients

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass")

W, X = np.array([[0.3, -2.0, 3.0], [1.5, 0.2, -0.7]]), np.array([0.4, -1.0, 0.6])
PAIRS = [  # with matrices, and with arrays alone
    (lambda w, x: np.asarray(np.dot(np.asmatrix(x).T, np.asmatrix(x))) @ w.T, lambda w, x: np.outer(x, x) @ w.T),
    (lambda w, x: np.asmatrix(w) * np.asmatrix(x).T, lambda w, x: w @ x),
    (lambda w, x: np.asmatrix(w) * w.T, lambda w, x: w @ w.T),
    (lambda w, x: w * np.asmatrix(x).T, lambda w, x: w @ x),
    (lambda w, x: np.matrix(w) @ x.reshape(3, 1), lambda w, x: w @ x),
    (lambda w, x: 2 * np.matrix(w) / x[0] - w, lambda w, x: 2 * w / x[0] - w),
    (lambda w, x: x[1] * np.matrix(w), lambda w, x: x[1] * w),
    (lambda w, x: w - np.asmatrix(w) * 0.5, lambda w, x: 0.5 * w),
    (lambda w, x: np.multiply(np.asmatrix(w), w), lambda w, x: w * w),
    (lambda w, x: np.multiply(w, np.asmatrix(w)), lambda w, x: w * w),
    (lambda w, x: np.tanh(np.asmatrix(x)) * w.T, lambda w, x: w @ np.tanh(x)),
    (lambda w, x: -np.asmatrix(w)[1] * w.T, lambda w, x: -w @ w[1]),
    (lambda w, x: np.asmatrix(w)[:, 1].T * w, lambda w, x: w[:, 1] @ w),
    (lambda w, x: np.asmatrix(w)[0, 1] * w, lambda w, x: w[0, 1] * w),
    (lambda w, x: np.asmatrix(w).sum(axis=1).T * w, lambda w, x: w.sum(axis=1) @ w),
    (lambda w, x: np.mean(np.asmatrix(w), 0) * w.T, lambda w, x: w @ w.mean(axis=0)),
    (lambda w, x: np.asmatrix(w).sum() * x, lambda w, x: w.sum() * x),
    (lambda w, x: np.asmatrix(w).A * w, lambda w, x: w * w),
    (lambda w, x: np.asmatrix(x).A1 * x, lambda w, x: x * x),
    (lambda w, x: np.asmatrix(w).reshape(3, 2) * w, lambda w, x: w.reshape(3, 2) @ w),
    (lambda w, x: np.vstack([np.asmatrix(w), np.asmatrix(x)]) * w.T, lambda w, x: np.vstack([w, x]) @ w.T),
    (lambda w, x: (np.asmatrix(w) * w.T).I, lambda w, x: np.linalg.inv(w @ w.T)),
    (lambda w, x: np.matrix(np.ones((1, 2))) * w, lambda w, x: w.sum(axis=0)),
    (lambda w, x: sum(row * w.T for row in np.asmatrix(w)), lambda w, x: w.sum(axis=0) @ w.T),
    (lambda w, x: np.asmatrix(w).flatten() * np.asmatrix(w).ravel().T, lambda w, x: (w * w).sum()),
    (lambda w, x: np.asmatrix(np.asmatrix(w)) * w.T, lambda w, x: w @ w.T),
    (lambda w, x: np.where(np.asmatrix(w) > 0, w, 0) * w, lambda w, x: np.where(w > 0, w, 0) * w),
]


def squared(function):
    def loss(w, x):
        made = np.asarray(function(w, x))
        return (made * np.sin(made)).sum()

    return loss


@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_matrices_give_what_arrays_give(number):
    with_matrices, with_arrays = PAIRS[number]
    value, gradients = certified_gradients(squared(with_matrices), W, X)
    right_value, right = certified_gradients(squared(with_arrays), W, X)
    assert value == pytest.approx(right_value, rel=1e-13)
    for name, array in right.items():
        assert np.allclose(gradients[name], array, rtol=1e-12, atol=1e-14)


def written_into_an_array(w, x):
    total = np.zeros((2, 3))
    for row in w:
        total += np.dot(np.asmatrix(row[:2]).transpose(), np.asmatrix(x))
    assert type(total) is np.ndarray
    return total


def changed_in_place(w, x):
    made = np.matrix(w)
    made += 1
    made[0] = x
    view = np.asmatrix(w * 1.0)
    view *= np.eye(3)
    assert isinstance(made, np.matrix)
    assert not isinstance(w, np.matrix)
    return made + view


@pytest.mark.parametrize("function", [written_into_an_array, changed_in_place])
def test_matrices_and_arrays_are_written_into_each_other(function):
    value, gradients = certified_gradients(squared(function), W, X)
    assert value == pytest.approx(squared(function)(W, X), rel=1e-13)
    step = np.array([1e-6, 0.0, 0.0])
    moved = squared(function)(W, X + step) - squared(function)(W, X - step)
    assert gradients["x"][0] == pytest.approx(moved / 2e-6, rel=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda w, x: np.asmatrix(w @ w.T) ** 2,
        lambda w, x: np.linalg.matrix_power(np.asmatrix(w @ w.T), 2),
        lambda w, x: np.kron(np.asmatrix(w), w),
        lambda w, x: np.add.reduce(np.asmatrix(w)),
    ],
)
def test_what_is_not_known_of_matrices_is_refused(function):
    with pytest.raises(NotRecordableError, match=r"np\.matrix cannot be followed"):
        certified_gradients(squared(function), W, X)
