"""Feed-forward networks and ordered systems in JAX. The perturbations are zeros added to the variables."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax

from ..models import FeedForward, OrderedSystem
from .jax_functions import ACTIVATIONS, each_loss
from .jax_recurrent import Arrays


def feedforward(model: FeedForward, given: Arrays, perturbations: Arrays, batch: Arrays) -> tuple[Array, Array]:
    """The loss, and z^L (B, K)."""
    a = z = given["inputs"]
    for layer in range(1, len(model.sizes)):
        z = jnp.einsum("ij,bj->bi", given[f"W{layer}"], a) + given[f"b{layer}"] + perturbations.get(f"z{layer}", 0)
        a = ACTIVATIONS[model.activation](z)
    sample_loss = each_loss(model.loss, a if model.loss == "squared_error" else z, batch["targets"])
    return sample_loss.sum() if model.reduction == "sum" else sample_loss.mean(), z


def ordered(model: OrderedSystem, given: Arrays, perturbations: Arrays, batch: Arrays) -> tuple[Array, Array]:
    """E, and all z_i (N,)."""
    A, perturbation = jnp.tril(given["A"], -1), perturbations.get("z", jnp.zeros(model.size, given["A"].dtype))
    first = jnp.zeros(model.size, A.dtype).at[0].set(given["inputs"][0] + perturbation[0])

    def step(z: Array, i: Array) -> tuple[Array, None]:
        return z.at[i].set(A[i] @ z + perturbation[i]), None

    z, _ = lax.scan(step, first, jnp.arange(1, model.size))
    return jnp.array(model.objective, A.dtype) @ z, z
