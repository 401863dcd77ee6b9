"""Activations φ, elementwise, each with its derivative φ′ written in terms of h = φ(a).

Written in h, the derivative costs no second transcendental function, and the backward pass needs no a.

Each function writes its result into `out`, if that is given, and returns it. `out` receives the partial results too,
such as e^{−a} on the way to σ(a), in one nested expression: it may be in the processor's cache, where a second array
would have to be fetched. A function's `out` may be a itself.

Example:
    >>> import numpy as np
    >>> from gradparity.manual import ACTIVATIONS
    >>> {name: phi.function(np.array([-1.0, 2.0])).round(3).tolist() for name, phi in ACTIVATIONS.items()}
    {'tanh': [-0.762, 0.964], 'relu': [0.0, 2.0], 'sigmoid': [0.269, 0.881], 'identity': [-1.0, 2.0]}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


saturating = np.errstate(over="ignore")  # decorates what calls `sigmoid`: overflow of e^{−a} is no error there


class Elementwise(Protocol):
    """A function of each entry on its own; it writes into `out`, if that is given, and returns what it wrote."""

    def __call__(
        self, a: Float[np.ndarray, "*S"], /, out: Float[np.ndarray, "*S"] | None = None
    ) -> Float[np.ndarray, "*S"]: ...


class Activation(NamedTuple):
    """An activation and its derivative; both keep shape and dtype.

    Attributes:
        function: φ(a).
        derivative: φ′(a) as a function of h = φ(a), not of a.

    Example:
        >>> import numpy as np
        >>> from gradparity.manual import Activation
        >>> square = Activation(function=np.square, derivative=lambda h, out=None: 2 * np.sqrt(h))  # for a ≥ 0
        >>> h = square.function(np.array([0.0, 3.0]))
        >>> h.tolist(), square.derivative(h).tolist()
        ([0.0, 9.0], [0.0, 6.0])
    """

    function: Elementwise
    derivative: Elementwise


def tanh(a: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    """The hyperbolic tangent."""
    return np.tanh(a, out=out)  # (5)


def tanh_derivative(h: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    """1 − h²."""
    return np.subtract(1, np.multiply(h, h, out=out), out=out)  # (6)


def relu(a: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    """The larger of a and 0."""
    return np.maximum(a, 0, out=out)  # (7)


def relu_derivative(h: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    """1 where h > 0, else 0: so it is 0 at a = 0, as in PyTorch and JAX."""
    return np.greater(h, 0, out=np.empty_like(h) if out is None else out)  # (8)


def sigmoid(a: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    """1 / (1 + e^{−a}), which is 0 where e^{−a} overflows.

    Callers are `saturating`: to ignore the overflow at every call would cost too much.
    """
    return np.reciprocal(np.add(np.exp(np.negative(a, out=out), out=out), 1, out=out), out=out)  # (9)


def sigmoid_derivative(
    h: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None
) -> Float[np.ndarray, "*S"]:
    """h (1 − h)."""
    return np.multiply(h, np.subtract(1, h, out=out), out=out)  # (10)


def identity(a: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    """A copy of a."""
    return np.positive(a, out=out)  # (11)


def identity_derivative(
    h: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None
) -> Float[np.ndarray, "*S"]:
    """Ones of the shape of h."""
    ones = np.empty_like(h) if out is None else out
    ones[...] = 1  # (12)
    return ones


ACTIVATIONS = {
    "tanh": Activation(tanh, tanh_derivative),
    "relu": Activation(relu, relu_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "identity": Activation(identity, identity_derivative),
}
