"""JAX's programs: a model's loss and gradients, compiled once for each model, shape and dtype."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
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


MOST_TRIALS = 20  # of each way to write a program, before the fastest is taken
TRIAL_SECONDS = 1.0  # after which there is no further trial
CLEARLY = 0.9  # of the first one's time, from which on another is taken: noise of the machine decides nothing


def in_forward_mode(model: Model) -> bool:
    return isinstance(model, Recurrent) and model.differentiation == "forward"


@lru_cache(maxsize=256)
def value_and_grad(model: Model, *, quickly: bool = False, **written: bool) -> Callable[..., Any]:
    """Compiled once per model, and by `jit` once per shape and dtype; quickly, or to run fast.

    `written` are the options of the forward pass that say how it is written, see `ways_to_write`.
    """
    options = options_to_compile_quickly() if quickly else {}

    def loss(differentiated: Any, constants: Any, batch: Any) -> tuple[Array, Array]:
        arrays, perturbations = differentiated
        return FORWARD[type(model)](model, {**arrays, **constants}, perturbations, batch, **written)

    if not in_forward_mode(model):
        return jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=options)

    def with_value(*arguments: Any) -> tuple[Array, tuple[Array, Array]]:
        value, outputs = loss(*arguments)
        return value, (value, outputs)

    def value_and_forward_gradient(*arguments: Any) -> Any:
        gradients, value_and_outputs = jax.jacfwd(with_value, has_aux=True)(*arguments)
        return value_and_outputs, gradients

    return jax.jit(value_and_forward_gradient, compiler_options=options)


def ways_to_write(model: Model) -> list[dict[str, bool]]:
    """The options of the forward pass by which it may be fast: which of them is depends on sizes and the machine.

    Of a recurrent network, whether the inputs are multiplied by U at once. That is one large product, but with an array
    of all a_t, which is allocated and released at every call, and from some size on page by page.
    """
    if isinstance(model, Recurrent) and not model.concatenated and not in_forward_mode(model):
        return [{"at_once": True}, {"at_once": False}]
    return [{}]


def compiled_loss_and_gradients(model: Model, params: Any, constants: Any, batch: Any) -> Callable[..., Any]:
    """Compiled ahead of time for these shapes, dtypes and this device; the host's later configuration changes nothing.

    Args:
        model: what is computed.
        params: what is differentiated.
        constants: the other arrays of the forward pass.
        batch: targets, and lengths if there are any.

    Returns:
        A function of the same three that returns the loss and the gradients, written in a way that is fast here.
    """

    def compiled(written: dict[str, bool]) -> Callable[..., Any]:
        def loss_and_gradients(params: Any, constants: Any, batch: Any) -> tuple[Array, Any]:
            (loss, _), (gradients, _) = value_and_grad(model, **written)((params, {}), constants, batch)
            return loss, gradients

        return jax.jit(loss_and_gradients).lower(params, constants, batch).compile()

    ways = [compiled(written) for written in ways_to_write(model)]
    for way in ways:
        jax.block_until_ready(way(params, constants, batch))  # whether it looks for NaN is settled in the first call
    return ways[0] if len(ways) == 1 else fastest(ways, params, constants, batch)


def fastest(ways: Sequence[Callable[..., Any]], *arguments: Any) -> Callable[..., Any]:
    """The first function, or one whose shortest of some calls, which alternate, is clearly shorter than the first's."""
    shortest = [math.inf] * len(ways)
    started = time.perf_counter()
    for _ in range(MOST_TRIALS):
        for number, way in enumerate(ways):
            before = time.perf_counter()
            jax.block_until_ready(way(*arguments))
            shortest[number] = min(shortest[number], time.perf_counter() - before)
        if time.perf_counter() - started > TRIAL_SECONDS:
            break
    return ways[shortest.index(min(shortest))] if min(shortest) < CLEARLY * shortest[0] else ways[0]
