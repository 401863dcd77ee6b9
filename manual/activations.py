"""Activations φ, elementwise, each with its derivative φ′ written in terms of h = φ(a).

Written in h, the derivative costs no second transcendental function, and the backward pass needs no a.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


class Activation(NamedTuple):
    """φ(a), and φ′(a) as a function of h = φ(a); both keep shape and dtype."""

    function: Callable[[np.ndarray], np.ndarray]
    derivative: Callable[[np.ndarray], np.ndarray]


def tanh(a: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    return np.tanh(a)  # (5)


def tanh_derivative(h: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    return 1 - h * h  # (6)


def relu(a: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    return np.maximum(a, 0)  # (7)


def relu_derivative(h: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    return (h > 0).astype(h.dtype)  # (8)


def sigmoid(a: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    e = np.exp(-np.abs(a))  # at most 1: never overflows
    return np.where(a >= 0, 1, e) / (1 + e)  # (9)


def sigmoid_derivative(h: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    return h * (1 - h)  # (10)


def identity(a: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    return a  # (11)


def identity_derivative(h: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    return np.ones_like(h)  # (12)


ACTIVATIONS = {
    "tanh": Activation(tanh, tanh_derivative),
    "relu": Activation(relu, relu_derivative),
    "sigmoid": Activation(sigmoid, sigmoid_derivative),
    "identity": Activation(identity, identity_derivative),
}
