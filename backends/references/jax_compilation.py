"""JAX's programs: a model's loss and gradients, compiled once for each model, shape and dtype."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
from jax import Array

from ..frameworks.jax_compilation import options_to_compile_quickly
from ..models import FeedForward, Model, OrderedSystem, Recurrent
from . import jax_feedforward, jax_recurrent

FORWARD: dict[type[Model], Callable[..., tuple[Array, Array]]] = {
    Recurrent: jax_recurrent.forward,
    FeedForward: jax_feedforward.feedforward,
    OrderedSystem: jax_feedforward.ordered,
}


def in_forward_mode(model: Model) -> bool:
    return isinstance(model, Recurrent) and model.differentiation == "forward"


@lru_cache(maxsize=256)
def value_and_grad(model: Model, *, quickly: bool = False) -> Callable[..., Any]:
    """Compiled once per model, and by `jit` once per shape and dtype; quickly, or to run fast."""
    options = options_to_compile_quickly() if quickly else {}

    def loss(differentiated: Any, constants: Any, batch: Any) -> tuple[Array, Array]:
        arrays, perturbations = differentiated
        return FORWARD[type(model)](model, {**arrays, **constants}, perturbations, batch)

    if not in_forward_mode(model):
        return jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=options)

    def with_value(*arguments: Any) -> tuple[Array, tuple[Array, Array]]:
        value, outputs = loss(*arguments)
        return value, (value, outputs)

    def value_and_forward_gradient(*arguments: Any) -> Any:
        gradients, value_and_outputs = jax.jacfwd(with_value, has_aux=True)(*arguments)
        return value_and_outputs, gradients

    return jax.jit(value_and_forward_gradient, compiler_options=options)


def compiled_loss_and_gradients(model: Model, params: Any, constants: Any, batch: Any) -> Callable[..., Any]:
    """Compiled ahead of time for these shapes, dtypes and this device; the host's later configuration changes nothing.

    Args:
        model: what is computed.
        params: what is differentiated.
        constants: the other arrays of the forward pass.
        batch: targets, and lengths if there are any.

    Returns:
        A function of the same three that returns the loss and the gradients.
    """

    def loss_and_gradients(params: Any, constants: Any, batch: Any) -> tuple[Array, Any]:
        (loss, _), (gradients, _) = value_and_grad(model)((params, {}), constants, batch)
        return loss, gradients

    return jax.jit(loss_and_gradients).lower(params, constants, batch).compile()
