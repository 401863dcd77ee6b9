"""JAX: the forward pass under `jit`, differentiated by `value_and_grad`, or forward by `jacfwd`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jax
import numpy as np
from jax import Array

from ..errors import first_line
from ..frameworks.jax_isolation import isolated
from ..interface import Evaluation
from ..models import Model, Traced
from ..problems import Problem
from ..tracing.replay_jax import differentiate
from .devices import DEVICES, require_device
from .jax_compilation import compiled_loss_and_gradients, in_forward_mode, value_and_grad


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
        if isinstance(model, Traced):
            return differentiate(problem)
        variables = model.variables(*problem.leading) if trace and not in_forward_mode(model) else {}
        perturbations = {name: np.zeros(variable.shape, problem.dtype) for name, variable in variables.items()}
        differentiated = problem.differentiable
        with isolated(problem.dtype):
            compute = value_and_grad(model, quickly=True)
            (loss, outputs), (gradients, adjoints) = compute((differentiated, perturbations), {}, _batch(problem))
            return Evaluation(
                loss=float(loss),
                gradients={name: np.array(gradients[name]) for name in differentiated},
                outputs=np.array(outputs),
                adjoints={name: np.array(adjoints[name]) for name in perturbations},
            )

    def prepare(self, problem: Problem, *, device: str = "cpu") -> Callable[[], tuple[Array, dict[str, Array]]]:
        require_device(self.name, device, has_cuda=_has_cuda())
        constants = {name: array for name, array in problem.differentiable.items() if name not in problem.params}
        with isolated(problem.dtype, device):
            on_device = jax.device_put((dict(problem.params), constants, _batch(problem)))
            compiled = compiled_loss_and_gradients(problem.model, *on_device)

        def run() -> tuple[Array, dict[str, Array]]:
            if jax.config.jax_disable_jit:  # type: ignore[attr-defined]  # what is compiled would refuse to run
                with jax.disable_jit(False):
                    return jax.block_until_ready(compiled(*on_device))
            return jax.block_until_ready(compiled(*on_device))

        return run

    def descend(
        self, params: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], learning_rate: float
    ) -> dict[str, np.ndarray]:
        with isolated(np.dtype("float64")):  # for either dtype: a Python number takes that of the array
            updated = _descend(dict(params), {name: gradients[name] for name in params}, learning_rate)
            return {name: np.array(array) for name, array in updated.items()}


def _has_cuda() -> bool:
    try:
        return bool(jax.devices("cuda"))
    except RuntimeError:
        return False


def _batch(problem: Problem) -> dict[str, np.ndarray]:
    """What is not differentiated."""
    arrays = {"targets": problem.targets, "lengths": problem.lengths}
    return {name: array for name, array in arrays.items() if array is not None}


@jax.jit
def _descend(params: dict[str, Array], gradients: dict[str, Array], learning_rate: float) -> dict[str, Array]:
    return jax.tree.map(lambda theta, gradient: theta - learning_rate * gradient, params, gradients)
