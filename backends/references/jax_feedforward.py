"""Feed-forward networks and ordered systems in JAX. The perturbations are zeros added to the variables."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

from ..models import FeedForward, OrderedSystem
from .jax_activations_losses import ACTIVATION_FUNCTIONS, unreduced_loss
from .jax_recurrent import Arrays


def feedforward(model: FeedForward, arrays: Arrays, perturbations: Arrays, batch: Arrays) -> tuple[Array, Array]:
    """The loss, and z^L (B, K)."""
    a = z = arrays["inputs"]
    for layer in range(1, len(model.sizes)):
        z = jnp.einsum("ij,bj->bi", arrays[f"W{layer}"], a) + arrays[f"b{layer}"] + perturbations.get(f"z{layer}", 0)
        a = ACTIVATION_FUNCTIONS[model.activation](z)
    sample_loss = unreduced_loss(model.loss, a if model.loss == "squared_error" else z, batch["targets"])
    return sample_loss.sum() if model.reduction == "sum" else sample_loss.mean(), z


def ordered(model: OrderedSystem, arrays: Arrays, perturbations: Arrays, batch: Arrays) -> tuple[Array, Array]:
    """E, and all z_i (N,)."""
    A, perturbation = jnp.tril(arrays["A"], -1), perturbations.get("z", jnp.zeros(model.size, arrays["A"].dtype))
    initial = jnp.zeros(model.size, A.dtype).at[0].set(arrays["inputs"][0] + perturbation[0])

    def step(z: Array, i: Array) -> tuple[Array, None]:
        return z.at[i].set(A[i] @ z + perturbation[i]), None

    z, _ = lax.scan(step, initial, jnp.arange(1, model.size))
    return jnp.array(model.objective, A.dtype) @ z, z
