import numpy as np
import pytest
from extended import without_shape_checks
from gradparity.manual import LOSSES

T, B, K = 3, 2, 4
RNG = np.random.default_rng(0)
TARGETS = {
    "softmax_cross_entropy": RNG.integers(0, K, (T, B)),
    "sigmoid_cross_entropy": RNG.random((T, B, K)),
    "squared_error": RNG.standard_normal((T, B, K)),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_the_derivative_is_the_slope_in_every_output(name, scale):
    o = scale * np.random.default_rng(1).standard_normal((T, B, K)).astype(np.longdouble)
    y = TARGETS[name] if name == "softmax_cross_entropy" else TARGETS[name].astype(np.longdouble)
    step = np.longdouble(1e-6)
    with without_shape_checks():
        _, do = LOSSES[name](o, y)
        for k in range(K):
            perturbation = step * (np.arange(K) == k)
            slope = (LOSSES[name](o + perturbation, y)[0] - LOSSES[name](o - perturbation, y)[0]) / (2 * step)
            np.testing.assert_allclose(do[..., k], slope, rtol=0, atol=1e-10)  # a loss of 1e3, rounded, over the step


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", LOSSES)
def test_huge_outputs_give_finite_losses_and_derivatives(name, dtype):
    o = (1e4 * np.random.default_rng(2).choice([-1, 0, 1], (T, B, K))).astype(dtype)
    y = TARGETS[name] if name == "softmax_cross_entropy" else TARGETS[name].astype(dtype)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss, do = LOSSES[name](o, y)
    assert loss.dtype == do.dtype == dtype
    assert np.isfinite(loss).all()
    assert np.isfinite(do).all()


def test_a_confident_wrong_label_costs_the_whole_margin():
    o = np.array([[[1e4, -1e4]]])
    loss, do = LOSSES["softmax_cross_entropy"](o, np.array([[1]]))
    assert loss == 2e4
    assert do.tolist() == [[[1.0, -1.0]]]


def test_the_softmax_derivative_sums_to_zero_over_the_outputs():
    o = np.random.default_rng(3).standard_normal((T, B, K))
    _, do = LOSSES["softmax_cross_entropy"](o, TARGETS["softmax_cross_entropy"])
    assert np.abs(do.sum(axis=-1)).max() <= 4 * np.finfo(float).eps  # K terms of at most 1


def test_sigmoid_cross_entropy_is_zero_where_the_target_is_met():
    o = np.array([[[1e4, -1e4]]])
    loss, _ = LOSSES["sigmoid_cross_entropy"](o, np.array([[[1.0, 0.0]]]))
    assert loss == 0
