"""The mistakes of the tutorial documents (`docs/errata.md`), each shown on numbers.

What a document prints is compared with the slope of an independent forward pass of a few lines, and so is what
`gradparity.manual` computes. Slopes are complex steps: for an analytic f, Im f(v + iε) / ε is f′(v) up to ε², and
nothing is subtracted, so that the step can be as small as one likes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import pytest
from gradparity.manual import LOSSES, loss_and_gradients

STEP = 1e-30
# A complex step has no error but rounding: a few hundred operations on numbers of order 1, with 2e-16 each. The
# mistakes are of order 1 as well, so nothing lies in between.
ROUNDING = 1e-12


def slope(function: Callable[[np.ndarray], complex], at: np.ndarray) -> np.ndarray:
    """The gradient, entry by entry."""
    found = np.empty(at.shape)
    for index in np.ndindex(at.shape):
        moved = at.astype(complex)
        moved[index] += STEP * 1j
        found[index] = np.imag(function(moved)) / STEP
    return found


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool(np.abs(one - other).max() <= ROUNDING)


def softmax(o: np.ndarray) -> np.ndarray:
    return np.exp(o) / np.exp(o).sum()


def sigmoid(o: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-o))


def softmax_loss(p: np.ndarray, y: np.ndarray) -> complex:
    return -(y * np.log(p)).sum()


def sigmoid_loss(p: np.ndarray, y: np.ndarray) -> complex:
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum()


def by_hand(name: str, o: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The derivative of a read-out, from `gradparity.manual`."""
    _, derivative = LOSSES[name](o[None], y[None])
    return derivative[0]


OUTPUT = np.random.default_rng(0).standard_normal(4)
LABEL = 2
ONE_HOT = np.eye(4)[LABEL]


# 1. Document 000: a softmax with the sigmoid's derivative and the sigmoid's loss.


def test_the_softmax_has_a_full_jacobian_and_not_the_sigmoids_diagonal():
    p = softmax(OUTPUT)
    jacobian = np.array([slope(lambda o, k=k: softmax(o)[k], OUTPUT) for k in range(4)])
    assert same(jacobian, np.diag(p) - np.outer(p, p))
    assert not same(jacobian, np.diag(p * (1 - p)))
    assert same(jacobian.T @ (-ONE_HOT / p), by_hand("softmax_cross_entropy", OUTPUT, np.array(LABEL)))


@pytest.mark.parametrize(
    ("name", "prediction", "loss", "target"),
    [
        ("softmax_cross_entropy", softmax, softmax_loss, np.array(LABEL)),
        ("sigmoid_cross_entropy", sigmoid, sigmoid_loss, ONE_HOT),
    ],
)
def test_with_its_own_cross_entropy_each_gives_prediction_minus_target(name, prediction, loss, target):
    expected = slope(lambda o: loss(prediction(o), ONE_HOT), OUTPUT)
    assert same(expected, prediction(OUTPUT) - ONE_HOT)
    assert same(expected, by_hand(name, OUTPUT, target))


@pytest.mark.parametrize(("prediction", "loss"), [(softmax, sigmoid_loss), (sigmoid, softmax_loss)])
def test_with_the_others_cross_entropy_neither_does(prediction, loss):
    assert not same(slope(lambda o: loss(prediction(o), ONE_HOT), OUTPUT), prediction(OUTPUT) - ONE_HOT)


def test_the_entrywise_derivative_with_the_softmaxs_loss_is_right_at_the_label_alone():
    p = softmax(OUTPUT)
    printed = -ONE_HOT / p * (p * (1 - p))
    right = by_hand("softmax_cross_entropy", OUTPUT, np.array(LABEL))
    assert [k for k in range(4) if same(printed[k : k + 1], right[k : k + 1])] == [LABEL]


def test_the_entrywise_derivative_with_the_sigmoids_loss_looks_right_and_is_not_the_slope():
    p = softmax(OUTPUT)
    v = (p - ONE_HOT) / (p * (1 - p))
    printed = v * (p * (1 - p))
    assert same(printed, p - ONE_HOT)
    expected = slope(lambda o: sigmoid_loss(softmax(o), ONE_HOT), OUTPUT)
    assert not same(expected, printed)
    assert same(expected, p * (v - p @ v))


def test_for_two_outputs_the_sigmoids_loss_of_a_softmax_has_twice_that_slope():
    o, y = OUTPUT[:2], np.array([0.0, 1.0])
    assert same(slope(lambda o: sigmoid_loss(softmax(o), y), o), 2 * (softmax(o) - y))


# 2. Document 000: (y − 1) ln(1 − O) for (1 − y) ln(1 − O).


@pytest.mark.parametrize("y", [0.0, 0.3, 1.0])
def test_with_y_minus_one_the_slope_is_right_for_targets_of_one_alone(y):
    p, target = sigmoid(OUTPUT), np.full(4, y)
    printed = slope(lambda o: -(y * np.log(sigmoid(o)) + (y - 1) * np.log(1 - sigmoid(o))).sum(), OUTPUT)
    right = by_hand("sigmoid_cross_entropy", OUTPUT, target)
    assert same(right, slope(lambda o: sigmoid_loss(sigmoid(o), target), OUTPUT))
    assert same(printed, 2 * y * p - y - p)
    assert same(printed, right) == (y == 1)


def test_with_y_minus_one_descent_drives_outputs_up_whose_target_is_zero():
    printed = slope(lambda o: -((0 - 1) * np.log(1 - sigmoid(o))).sum(), OUTPUT)
    assert (printed < 0).all()
    assert same(printed, -by_hand("sigmoid_cross_entropy", OUTPUT, np.zeros(4)))


# 3 and 4 need a network: tanh and sigmoids. All its sizes are equal, so that a dropped transpose still fits.

T, N = 4, 3
RNG = np.random.default_rng(1)
PARAMS = {name: RNG.standard_normal((N, N)) for name in "UWV"} | {name: RNG.standard_normal(N) for name in "bc"}
X, H0, Y = RNG.standard_normal((T, N)), RNG.standard_normal(N), RNG.random((T, N))


def forward(params: dict[str, np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """The linear states, the states from h_0 on, and the predictions."""
    a, h, p = [], [H0], []
    for x in X:
        a.append(params["U"] @ x + params["W"] @ h[-1] + params["b"])
        h.append(np.tanh(a[-1]))
        p.append(sigmoid(params["V"] @ h[-1] + params["c"]))
    return a, h, p


def network_slope(name: str) -> np.ndarray:
    def loss(array: np.ndarray) -> complex:
        _, _, p = forward({**PARAMS, name: array})
        return sum(sigmoid_loss(p[t], Y[t]) for t in range(T))

    return slope(loss, PARAMS[name])


def network_by_hand(name: str, **options: object) -> np.ndarray:
    """A gradient of the same network, from `gradparity.manual`."""
    arrays = (PARAMS, X[:, None], Y[:, None], H0[None])
    return loss_and_gradients(*arrays, loss="sigmoid_cross_entropy", **options).gradients[name]


def recursion(
    from_output: np.ndarray, from_later: np.ndarray, *, steps_with_output: Collection[int] = range(T)
) -> np.ndarray:
    """dW by the documents' recursion, with these matrices for the two ways into a state."""
    _, h, p = forward(PARAMS)
    dW, later = np.zeros((N, N)), np.zeros(N)
    for t in reversed(range(T)):
        above = from_output @ (p[t] - Y[t]) if t in steps_with_output else 0
        da = (above + later) * (1 - h[t + 1] ** 2)
        dW += np.outer(da, h[t])
        later = from_later @ da
    return dW


# 3. Document 000: V (O − y) for Vᵀ (O − y), W for Wᵀ, and one path into h_t for two.


def test_with_both_transposes_and_both_paths_the_recursion_is_the_slope():
    right = recursion(PARAMS["V"].T, PARAMS["W"].T)
    assert same(right, network_slope("W"))
    assert same(right, network_by_hand("W"))


@pytest.mark.parametrize("dropped", ["V", "W", "VW"])
def test_without_a_transpose_the_shapes_fit_but_it_is_not_the_slope(dropped):
    V, W = (PARAMS[name] if name in dropped else PARAMS[name].T for name in "VW")
    assert not same(recursion(V, W), network_slope("W"))


def test_without_the_path_through_the_next_state_each_loss_stays_within_its_step():
    printed = recursion(PARAMS["V"].T, np.zeros((N, N)))
    assert not same(printed, network_slope("W"))
    assert same(printed, network_by_hand("W", truncation=("window", 1)))


def test_without_the_path_through_its_own_output_a_state_hears_of_the_last_loss_alone():
    printed = recursion(PARAMS["V"].T, PARAMS["W"].T, steps_with_output=[T - 1])
    assert not same(printed, network_slope("W"))
    assert same(printed, network_by_hand("W", loss_at="last_step"))


# 4. Document 003: z_h, the linear state, for h_t in the gradient of the output weights.


def test_the_output_weights_need_the_state_and_not_the_linear_state():
    a, h, p = forward(PARAMS)
    right = sum(np.outer(p[t] - Y[t], h[t + 1]) for t in range(T))
    printed = sum(np.outer(p[t] - Y[t], a[t]) for t in range(T))
    assert same(right, network_slope("V"))
    assert same(right, network_by_hand("V"))
    assert not same(printed, right)


# 5. Document 004: ½‖y − o‖ for ½‖y − o‖².

NUMBERS = np.random.default_rng(2).standard_normal(4)


def test_half_the_square_of_the_norm_has_the_derivative_output_minus_target():
    expected = slope(lambda o: 0.5 * ((NUMBERS - o) ** 2).sum(), OUTPUT)
    assert same(expected, OUTPUT - NUMBERS)
    assert same(expected, by_hand("squared_error", OUTPUT, NUMBERS))


def test_half_the_norm_has_a_derivative_of_length_one_half_whatever_the_error():
    printed = slope(lambda o: 0.5 * np.sqrt(((NUMBERS - o) ** 2).sum()), OUTPUT)
    assert not same(printed, by_hand("squared_error", OUTPUT, NUMBERS))
    assert same(np.linalg.norm(printed, keepdims=True), np.array([0.5]))
