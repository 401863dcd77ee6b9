"""Activations and losses in autograd.numpy, and two functions that it lacks in single precision or without SciPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval

Array = Any  # an array, or autograd's box around one

# Its own where() passes back a gradient in float64, whatever the dtype. Here yes and no have the result's shape,
# or are constants.
where: Callable[..., Array] = primitive(np.where)
defvjp(
    where,
    None,
    lambda ans, condition, yes, no: lambda g: np.where(condition, g, 0),
    lambda ans, condition, yes, no: lambda g: np.where(condition, 0, g),
)


@primitive  # type: ignore[untyped-decorator]
def sigmoid(a: np.ndarray) -> np.ndarray:
    """What autograd.scipy.special.expit is, which needs SciPy."""
    e = np.exp(-np.abs(a))
    return np.where(a < 0, e, 1) / (1 + e)


defvjp(sigmoid, lambda s, a: lambda g: g * s * (1 - s))


def relu(a: Array) -> Array:
    """Not by maximum(), which has the derivative one half at 0."""
    return where(a > 0, a, 0)


ACTIVATION_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": anp.tanh,
    "relu": relu,
    "sigmoid": sigmoid,
    "identity": lambda a: a,
}


def unreduced_loss(loss: str, o: Array, y: np.ndarray) -> Array:
    """ℓ(o, y) for outputs (..., K): a number for each step or sample."""
    match loss:
        case "softmax_cross_entropy":
            shifted = o - getval(o).max(axis=-1, keepdims=True)
            is_label = np.eye(o.shape[-1], dtype=o.dtype)[y]
            return anp.log(anp.sum(anp.exp(shifted), axis=-1)) - anp.sum(shifted * is_label, axis=-1)
        case "sigmoid_cross_entropy":
            positive = o > 0
            e = anp.exp(where(positive, -o, o))  # at most 1, with a slope at 0 that abs() does not have
            return anp.sum(where(positive, o, 0) - o * y + anp.log1p(e), axis=-1)
        case _:
            return 0.5 * anp.sum((o - y) ** 2, axis=-1)
