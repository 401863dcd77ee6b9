"""Convolutions of `scipy.signal`, and `as_strided`: networks from scratch convolve with them."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
from gradparity.backends.tracing.recorder import NotRecordableError
from gradparity.compare import certified_gradients
from numpy.lib.stride_tricks import as_strided
from scipy import signal
from scipy.signal import convolve2d, correlate2d

RNG = np.random.default_rng(0)
SHAPES = [((5, 6), (2, 3)), ((4, 4), (3, 3)), ((2, 2), (3, 4)), ((3, 5), (2, 1))]


def slope_agrees(loss, arrays):
    """Whether the certified gradients are the slopes of the loss along one direction."""
    value, gradients = certified_gradients(loss, *arrays)
    assert value == pytest.approx(float(loss(*arrays)), rel=1e-13)
    step = [1e-6 * RNG.normal(size=array.shape) for array in arrays]
    ahead, behind = (loss(*(a + sign * s for a, s in zip(arrays, step, strict=True))) for sign in (1, -1))
    along = sum((g * s).sum() for g, s in zip(gradients.values(), step, strict=True))
    return along == pytest.approx((ahead - behind) / 2, rel=1e-6)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("function", [correlate2d, convolve2d, scipy.signal.correlate, signal.convolve])
@pytest.mark.parametrize("shapes", SHAPES)
def test_convolutions_of_images(function, mode, shapes):
    weights = RNG.normal(size=(9, 9))

    def loss(x, k):
        made = function(x, k, mode)
        return (made * made * weights[: len(made), : made.shape[1]]).sum()

    assert slope_agrees(loss, [RNG.normal(size=shape) for shape in shapes])


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("function", ["correlate", "convolve", "fftconvolve"])
def test_convolutions_along_one_axis_and_three(function, mode):
    def loss(x, k, y):
        flat = getattr(signal, function)(x[0], k[0], mode=mode)
        deep = getattr(signal, function)(y, k[None], mode=mode)
        return (flat**2 * np.arange(len(flat))).sum() + (deep**3).sum()

    assert slope_agrees(loss, [RNG.normal(size=shape) for shape in ((2, 5), (2, 2), (3, 4, 3))])


def test_a_boundary_that_is_not_zero_is_refused():
    for options in ({"boundary": "symm"}, {"boundary": "wrap"}, {"fillvalue": 1.0}):

        def loss(x, options=options):
            return correlate2d(x, np.ones((2, 2)), "same", **options).sum()

        with pytest.raises(NotRecordableError, match="cannot be followed"):
            certified_gradients(loss, RNG.normal(size=(3, 3)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_windows_over_the_memory_of_an_array(dtype):
    def loss(x, k):
        x, k = x.astype(dtype), k.astype(dtype)
        part = x[1:, ::2]
        rows, columns = part.strides
        windows = as_strided(part, (3, 2, 2, 2), (rows, columns, rows, columns))
        return (np.einsum("ijkl,kl->ij", windows, k) ** 2).sum()

    x, k = RNG.normal(size=(5, 6)), RNG.normal(size=(2, 2))
    value, gradients = certified_gradients(loss, x, k)
    assert value == pytest.approx(float(loss(x, k)), rel=1e-12 if dtype == "float64" else 1e-5)
    assert not gradients["x"][0].any()
    assert not gradients["x"][:, 1::2].any()
    assert dtype == "float32" or slope_agrees(loss, [x, k])


def test_what_is_written_through_a_strided_view_is_in_the_array():
    def loss(x):
        y = np.zeros((3, 3))
        diagonal = as_strided(y, (3,), (sum(y.strides),))
        diagonal[:] = x
        return (y @ np.arange(9.0).reshape(3, 3) @ y).sum()

    assert slope_agrees(loss, [RNG.normal(size=3)])
