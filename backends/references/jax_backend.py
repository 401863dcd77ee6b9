"""JAX: the forward pass under `jit`, differentiated by `value_and_grad`, or forward by `jacfwd`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from typing import Any

import jax
import numpy as np
from jax import Array

from ..errors import first_line
from ..interface import Evaluation
from ..models import FeedForward, Model, OrderedSystem, Recurrent
from ..problems import Problem
from . import jax_feedforward, jax_recurrent
from .devices import DEVICES, require_device

FORWARD: dict[type[Model], Callable[..., tuple[Array, Array]]] = {
    Recurrent: jax_recurrent.forward,
    FeedForward: jax_feedforward.feedforward,
    OrderedSystem: jax_feedforward.ordered,
}
# Code that runs a few times takes longer to compile than to run. Like this it compiles in a quarter of the time.
QUICKLY: dict[str, bool | int] = {"xla_backend_optimization_level": 0, "xla_cpu_use_fusion_emitters": False}


class JaxBackend:
    """`lax.scan` under `jit`; its adjoints are the gradients of zeros that are added to every step."""

    name = "jax"
    devices = DEVICES

    def supports(self, model: Model, dtype: str) -> str:
        try:
            jax.devices("cpu")
        except RuntimeError as error:
            return f"JAX has no processor to compute on here: {first_line(error)}"
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        model = problem.model
        variables = model.variables(*problem.leading) if trace and not _in_forward_mode(model) else {}
        nudges = {name: np.zeros(variable.shape, problem.dtype) for name, variable in variables.items()}
        wanted = problem.differentiable
        with isolated(problem.dtype):
            compute = _value_and_grad(model, quickly=True)
            (loss, outputs), (gradients, adjoints) = compute((wanted, nudges), {}, _batch(problem))
            return Evaluation(
                loss=float(loss),
                gradients={name: np.array(gradients[name]) for name in wanted},
                outputs=np.array(outputs),
                adjoints={name: np.array(adjoints[name]) for name in nudges},
            )

    def prepare(self, problem: Problem, *, device: str = "cpu") -> Callable[[], tuple[Array, dict[str, Array]]]:
        require_device(self.name, device, has_cuda=_has_cuda())
        others = {name: array for name, array in problem.differentiable.items() if name not in problem.params}
        with isolated(problem.dtype, device):
            compute = _value_and_grad(problem.model)
            wanted, given, batch = jax.device_put((dict(problem.params), others, _batch(problem)))
            jax.block_until_ready(compute((wanted, {}), given, batch))  # compiles

        def run() -> tuple[Array, dict[str, Array]]:
            with isolated(problem.dtype, device):
                (loss, _), (gradients, _) = compute((wanted, {}), given, batch)
                return jax.block_until_ready((loss, gradients))

        return run

    def descend(
        self, params: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], learning_rate: float
    ) -> dict[str, np.ndarray]:
        with isolated(np.dtype("float64")):  # for either dtype: a Python number takes that of the array
            found = _descend(dict(params), {name: gradients[name] for name in params}, learning_rate)
            return {name: np.array(array) for name, array in found.items()}


@contextmanager
def isolated(dtype: np.dtype, device: str = "cpu") -> Iterator[None]:
    """The dtype on the device, in full precision, whatever the host's configuration is."""
    with ExitStack() as stack:
        for context in (
            jax.enable_x64(dtype == np.float64),
            jax.default_device(jax.devices(device)[0]),
            jax.default_matmul_precision("highest"),
            jax.numpy_rank_promotion("allow"),
            jax.numpy_dtype_promotion("standard"),
            jax.transfer_guard("allow"),
            jax.debug_nans(False),
            jax.debug_infs(False),
        ):
            stack.enter_context(context)
        yield


def _has_cuda() -> bool:
    try:
        return bool(jax.devices("cuda"))
    except RuntimeError:
        return False


def _batch(problem: Problem) -> dict[str, np.ndarray]:
    """What is not differentiated."""
    given = {"targets": problem.targets, "lengths": problem.lengths}
    return {name: array for name, array in given.items() if array is not None}


def _in_forward_mode(model: Model) -> bool:
    return isinstance(model, Recurrent) and model.differentiation == "forward"


@lru_cache(maxsize=256)
def _value_and_grad(model: Model, *, quickly: bool = False) -> Callable[..., Any]:
    """Compiled once per model, and by `jit` once per shape and dtype; quickly, or to run fast."""
    options = options_to_compile_quickly() if quickly else {}

    def loss(differentiated: Any, given: Any, batch: Any) -> tuple[Array, Array]:
        wanted, nudges = differentiated
        return FORWARD[type(model)](model, {**wanted, **given}, nudges, batch)

    if not _in_forward_mode(model):
        return jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=options)

    def with_value(*arguments: Any) -> tuple[Array, tuple[Array, Array]]:
        value, outputs = loss(*arguments)
        return value, (value, outputs)

    def value_and_forward_gradient(*arguments: Any) -> Any:
        gradients, found = jax.jacfwd(with_value, has_aux=True)(*arguments)
        return found, gradients

    return jax.jit(value_and_forward_gradient, compiler_options=options)


@cache
def options_to_compile_quickly() -> dict[str, bool | int]:
    """None where this version of XLA does not know them."""
    try:
        jax.jit(lambda: 0, compiler_options=QUICKLY).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return QUICKLY


@jax.jit
def _descend(params: dict[str, Array], gradients: dict[str, Array], learning_rate: float) -> dict[str, Array]:
    return jax.tree.map(lambda theta, gradient: theta - learning_rate * gradient, params, gradients)
