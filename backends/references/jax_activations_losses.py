"""Activations and losses in JAX."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

ACTIVATION_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,  # jnp.maximum(a, 0) would have the derivative one half at 0
    "sigmoid": jax.nn.sigmoid,
    "identity": lambda a: a,
}


def unreduced_loss(loss: str, o: Array, y: Array) -> Array:
    """ℓ(o, y) for outputs (..., K): a number for each step or sample."""
    match loss:
        case "softmax_cross_entropy":
            return -jnp.take_along_axis(jax.nn.log_softmax(o), y[..., None], axis=-1)[..., 0]
        case "sigmoid_cross_entropy":
            # Not by log_sigmoid: its derivative, exp(o − softplus(o)), loses digits where o is large. And |o| not
            # by jnp.abs, whose derivative at 0 is 1: that of max(o, −o) is 0, the slope of the even term there.
            magnitude = jnp.maximum(o, -o)
            return (jnp.maximum(o, 0) - o * y + jnp.log1p(jnp.exp(-magnitude))).sum(axis=-1)
        case _:
            return 0.5 * ((o - y) ** 2).sum(axis=-1)
