"""JAX: the forward pass as a `lax.scan`, compiled, and differentiated by `value_and_grad`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from .errors import first_line
from .interface import Evaluation
from .model import Model
from .problem import Problem

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,  # jnp.maximum(a, 0) would have the derivative one half at 0
    "sigmoid": jax.nn.sigmoid,
    "identity": lambda a: a,
}


class JaxBackend:
    """`lax.scan` under `jit`; its adjoints are the gradients of zeros that are added to every step."""

    name = "jax"

    def supports(self, model: Model, dtype: str) -> str:
        try:
            jax.devices("cpu")
        except RuntimeError as error:
            return f"JAX has no processor to compute on here: {first_line(error)}"
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        model, (T, B, _) = problem.model, problem.inputs.shape
        sizes = {"o": model.output_size, "h": model.hidden_size, "a": model.hidden_size}
        nudges = {name: np.zeros((T, B, size), problem.dtype) for name, size in sizes.items()} if trace else {}
        wanted = {**problem.params, "h0": problem.h0, "inputs": problem.inputs}
        with isolated(problem):
            (loss, outputs), (gradients, adjoints) = _value_and_grad(model)(
                (wanted, nudges), {}, problem.targets, problem.lengths
            )
            return Evaluation(
                loss=float(loss),
                gradients={name: np.array(gradients[name]) for name in wanted},
                outputs=np.array(outputs),
                adjoints={name: np.array(adjoints[name]) for name in nudges},
            )

    def prepare(self, problem: Problem) -> Callable[[], Any]:
        with isolated(problem):
            compute = _value_and_grad(problem.model)
            wanted, given, targets, lengths = jax.device_put(
                (dict(problem.params), {"h0": problem.h0, "inputs": problem.inputs}, problem.targets, problem.lengths)
            )
            jax.block_until_ready(compute((wanted, {}), given, targets, lengths))  # compiles

        def run() -> Any:
            with isolated(problem):
                (loss, _), (gradients, _) = compute((wanted, {}), given, targets, lengths)
                return jax.block_until_ready((loss, gradients))

        return run


@contextmanager
def isolated(problem: Problem) -> Iterator[None]:
    """The problem's dtype on the processor, whatever the host's configuration is."""
    with ExitStack() as stack:
        for context in (
            jax.enable_x64(problem.dtype == np.float64),
            jax.default_device(jax.devices("cpu")[0]),
            jax.default_matmul_precision("highest"),
            jax.numpy_rank_promotion("allow"),
            jax.numpy_dtype_promotion("standard"),
            jax.transfer_guard("allow"),
            jax.debug_nans(False),
            jax.debug_infs(False),
        ):
            stack.enter_context(context)
        yield


@lru_cache(maxsize=256)
def _value_and_grad(model: Model) -> Callable[..., Any]:
    """Compiled once per model, and by `jit` once per shape and dtype."""

    def loss(differentiated: Any, given: Any, targets: Array, lengths: Array | None) -> tuple[Array, Array]:
        wanted, nudges = differentiated
        return _loss(model, {**wanted, **given}, nudges, targets, lengths)

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def _loss(
    model: Model, given: dict[str, Array], nudges: dict[str, Array], y: Array, lengths: Array | None
) -> tuple[Array, Array]:
    """The loss, and o_t (T, B, K), zero past a length. The nudges are zeros added to a_t, h_t and o_t."""
    U, W, V, x = (given[name] for name in ("U", "W", "V", "inputs"))
    b, c = given.get("b", 0), given.get("c", 0)
    phi = ACTIVATIONS[model.activation]
    in_length = jnp.broadcast_to(jnp.arange(len(x))[:, None] < (len(x) if lengths is None else lengths), x.shape[:2])
    # What lies past a length must not even overflow: where() passes a gradient of zero, but zero times NaN is NaN.
    x = jnp.where(in_length[..., None], x, 0)
    y = jnp.where(in_length if model.has_labels else in_length[..., None], y, 0)

    def step(h: Array, at_t: tuple[Array, Array, dict[str, Array]]) -> tuple[Array, Array]:
        x_t, in_length_t, nudge = at_t
        a = x_t @ U.T + h @ W.T + b + nudge.get("a", 0)
        h = jnp.where(in_length_t[:, None], phi(a), h) + nudge.get("h", 0)
        return h, h @ V.T + c + nudge.get("o", 0)

    _, o = lax.scan(step, given["h0"], (x, in_length, nudges))
    match model.loss:
        case "softmax_cross_entropy":
            step_loss = -jnp.take_along_axis(jax.nn.log_softmax(o), y[..., None], axis=-1)[..., 0]
        case "sigmoid_cross_entropy":
            # Not by log_sigmoid: its derivative, exp(o − softplus(o)), loses digits where o is large. And |o| not
            # by jnp.abs, whose derivative at 0 is 1: that of max(o, −o) is 0, the slope of the even term there.
            magnitude = jnp.maximum(o, -o)
            step_loss = (jnp.maximum(o, 0) - o * y + jnp.log1p(jnp.exp(-magnitude))).sum(axis=-1)
        case _:
            step_loss = 0.5 * ((o - y) ** 2).sum(axis=-1)
    total = jnp.where(in_length, step_loss, 0).sum()
    outputs = jnp.where(in_length[..., None], o, 0)
    return total if model.reduction == "sum" else total / in_length.sum().astype(total.dtype), outputs
