"""A layer of any cell of one's own on JAX, differentiated by `jax.value_and_grad`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..errors import DerivationError, InvalidProblemError, UnsupportedProblemError
from ..frameworks.jax_compilation import options_to_compile_quickly
from ..frameworks.jax_isolation import isolated
from .sequence_task import SequenceAnswer, SequenceTask, names_after
from .wrapped_layer import Usage

States = tuple[Array, ...]


def answer(
    task: SequenceTask,
    weights: Mapping[str, np.ndarray],
    function: Callable[..., Any],
    usage: Usage,
    *,
    whole: bool = False,
) -> SequenceAnswer:
    """The loss of a task, and its gradients.

    Args:
        task: what is asked.
        weights: of the layer.
        function: `step(weights, x, *states) -> states`; or, of a whole layer,
            `layer(weights, x, *states) -> (h_1 … h_T, states after the last step)`.
        usage: how it is called.
        whole: whether it is a whole layer.

    Returns:
        The answer.

    Raises:
        UnsupportedProblemError: it would have to take a state of its own, or be called in parts.
    """
    if usage.own_state or (whole and task.lengths is not None):
        raise UnsupportedProblemError(
            "a function on JAX has to be given a state, and a whole layer is not told lengths"
        )

    def loss(differentiated: Any, batch: Any) -> tuple[Array, tuple[Array, States]]:
        arrays = differentiated["arrays"]
        states = tuple(arrays[name] for name in task.states)
        in_length = batch["in_length"][..., None]
        if whole:
            h, after = function(differentiated["weights"], arrays["inputs"], *states)
            after = _as_tuple(after)
        else:
            h, after = _run(function, differentiated["weights"], arrays["inputs"], states, in_length)
        outputs = jnp.where(in_length, h @ arrays["V"].T, 0)
        error = outputs - jnp.where(in_length, batch["targets"], 0)
        return (error * error).sum() / 2, (outputs, after)

    T, B = task.inputs.shape[:2]
    in_length = np.arange(T)[:, None] < (np.full(B, T) if task.lengths is None else task.lengths)
    with isolated(task.inputs.dtype):
        compute = jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=options_to_compile_quickly())
        differentiated = {"weights": dict(weights), "arrays": task.arrays}
        (value, (outputs, after)), gradients = compute(
            differentiated, {"targets": task.targets, "in_length": in_length}
        )
        states = dict(zip(names_after(task.states), after, strict=False))
        return SequenceAnswer(
            float(value),
            {name: np.array(array) for part in gradients.values() for name, array in part.items()},
            np.array(outputs),
            {name: np.array(state) for name, state in states.items()},
        )


def function_of_module(module: Any, *, whole: bool) -> tuple[Callable[..., Any], dict[str, Any]]:
    """A cell of Flax as a function of its parameters: it takes (c, h), or h alone, and x.

    Args:
        module: of `flax.nnx`; or `(module, variables)` of `flax.linen`.
        whole: of a whole layer, which is no cell.

    Returns:
        The function of weights, x and the states; and the parameters, their names joined by points.

    Raises:
        InvalidProblemError: it is a whole layer.
    """
    from flax.core import meta
    from flax.traverse_util import flatten_dict, unflatten_dict

    if whole:
        raise InvalidProblemError(
            "an OwnLayer holds cells of Flax, and no whole layers: give a function of the weights"
        )
    if isinstance(module, tuple):
        linen_module, variables = module
        held = flatten_dict(dict(meta.unbox(variables["params"])), sep=".")

        def run(weights: Mapping[str, Any], carry: Any, x: Array) -> Any:
            params = {"params": unflatten_dict(dict(weights), sep=".")}
            return linen_module.apply({**variables, **params}, carry, x)
    else:
        from flax import nnx

        graph, *parts = nnx.split(module, nnx.Param, ...)
        state, *rest = parts
        by_path = flatten_dict(nnx.to_pure_dict(state))
        named = {".".join(map(str, path)): path for path in by_path}
        held = {name: by_path[path] for name, path in named.items()}

        def run(weights: Mapping[str, Any], carry: Any, x: Array) -> Any:
            of_call = jax.tree.map(lambda leaf: leaf, state)
            nnx.replace_by_pure_dict(of_call, unflatten_dict({named[name]: one for name, one in weights.items()}))
            return nnx.merge(graph, of_call, *rest)(carry, x)

    def function(weights: Mapping[str, Any], x: Array, *states: Array) -> States:
        carry, _ = run(weights, states[::-1] if len(states) > 1 else states[0], x)
        return carry[::-1] if isinstance(carry, tuple) else (carry,)

    return function, held


def arrays_of(weights: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """JAX's arrays as NumPy's.

    Raises:
        InvalidProblemError: one is of another dtype than float64 and float32.
    """
    arrays = {name: np.array(array) for name, array in weights.items()}
    for name, array in arrays.items():
        if array.dtype not in (np.dtype("float64"), np.dtype("float32")):
            raise InvalidProblemError(f"the JAX weight {name} is {array.dtype}, expected float64 or float32")
    return arrays


def _run(
    step: Callable[..., Any], weights: Mapping[str, Array], x: Array, states: States, in_length: Array
) -> tuple[Array, States]:
    """h_1 … h_T and the last states; past a length the states stay as they are."""
    steps = []
    for t in range(len(x)):
        new = _as_tuple(step(dict(weights), x[t], *states))
        if len(new) != len(states):
            raise DerivationError(f"it returned {len(new)} states, expected {len(states)}")
        steps.append(new[0])
        states = tuple(jnp.where(in_length[t], *pair) for pair in zip(new, states, strict=True))
    return jnp.stack(steps), states


def _as_tuple(states: Any) -> States:
    return tuple(states) if isinstance(states, (tuple, list)) else (states,)
