import numpy as np
import pytest
from extended import without_shape_checks
from gradparity.manual import ACTIVATIONS
from gradparity.manual.activations import saturating, sigmoid

POINTS = np.array([-30.0, -2.5, -0.3, 0.4, 1.7, 25.0])


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_both_functions_keep_shape_and_dtype(name, dtype):
    a = POINTS.astype(dtype).reshape(2, 3)
    h = ACTIVATIONS[name].function(a)
    derivative = ACTIVATIONS[name].derivative(h)
    assert (h.dtype, h.shape) == (derivative.dtype, derivative.shape) == (a.dtype, a.shape)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_derivative_is_the_slope(name):
    phi, derivative = ACTIVATIONS[name]
    a, step = POINTS.astype(np.longdouble), np.longdouble(1e-6)
    with without_shape_checks():
        slope, expected = (phi(a + step) - phi(a - step)) / (2 * step), derivative(phi(a))
    # central differences: an error of step²/6 of the third derivative, which is at most 2
    np.testing.assert_allclose(expected, slope, rtol=0, atol=1e-11)


def test_relu_has_the_derivative_zero_at_zero():
    relu = ACTIVATIONS["relu"]
    assert relu.derivative(relu.function(np.zeros(1))) == 0


@pytest.mark.parametrize("magnitude", [1e4, 1e300])
def test_sigmoid_is_finite_at_any_magnitude(magnitude):
    with np.errstate(all="raise", under="ignore"):
        assert list(saturating(sigmoid)(np.array([-magnitude, 0.0, magnitude]))) == [0.0, 0.5, 1.0]
