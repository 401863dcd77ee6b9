"""Activations φ, elementwise, each with its derivative φ′ written in terms of h = φ(a).

Written in h, the derivative costs no second transcendental function, and the backward pass needs no a. Each writes into
`out` if it is given; a function's `out` may be a itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


saturating = np.errstate(over="ignore")


class Elementwise(Protocol):
    def __call__(
        self, a: Float[np.ndarray, "*S"], /, out: Float[np.ndarray, "*S"] | None = None
    ) -> Float[np.ndarray, "*S"]: ...


class Activation(NamedTuple):
    """φ(a), and φ′(a) as a function of h = φ(a); both keep shape and dtype."""

    function: Elementwise
    derivative: Elementwise


def tanh(a: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    return np.tanh(a, out=out)  # (5)


def tanh_derivative(h: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    square = np.multiply(h, h, out=out)
    return np.subtract(1, square, out=square)  # (6)


def relu(a: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    return np.maximum(a, 0, out=out)  # (7)


def relu_derivative(h: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    return np.greater(h, 0, out=np.empty_like(h) if out is None else out)  # (8)


def sigmoid(a: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    """Where e^{−a} overflows, it is 0. Callers are `saturating`: to say so at every call would cost too much."""
    e = np.negative(a, out=out)
    np.exp(e, out=e)
    np.add(e, 1, out=e)
    return np.reciprocal(e, out=e)  # (9)


def sigmoid_derivative(
    h: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None
) -> Float[np.ndarray, "*S"]:
    other = np.subtract(1, h, out=out)
    return np.multiply(h, other, out=other)  # (10)


def identity(a: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None) -> Float[np.ndarray, "*S"]:
    return np.positive(a, out=out)  # (11)


def identity_derivative(
    h: Float[np.ndarray, "*S"], out: Float[np.ndarray, "*S"] | None = None
) -> Float[np.ndarray, "*S"]:
    ones = np.empty_like(h) if out is None else out
    ones[...] = 1  # (12)
    return ones


ACTIVATIONS = {
    "tanh": Activation(tanh, tanh_derivative),
    "relu": Activation(relu, relu_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "identity": Activation(identity, identity_derivative),
}
