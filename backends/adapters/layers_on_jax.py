"""What the adapters of JAX's libraries share: a network of a library's layers, differentiated by `jax.value_and_grad`.

The layers are the library's; the read-out and the loss are those of the JAX reference, since no library is asked for
them here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..errors import UnsupportedProblemError
from ..frameworks.jax_compilation import options_to_compile_quickly
from ..frameworks.jax_isolation import isolated
from ..interface import Evaluation
from ..layouts import Layout
from ..models import Model, Recurrent
from ..problems import Problem
from ..references.jax_activations_losses import unreduced_loss
from .half_weights import widened
from .supported_networks import layer_sizes, unsupported_network_reason
from .wrapped_layer import LayerAnswer, Usage, WrappedLayer, require_one_length, require_one_place

Weights = Mapping[str, Array]
States = tuple[Array, ...]  # (h,), or (h, c)
# The weights, x (T, B, ·), the initial state (None: the layer's own) and the lengths (B,) (None: the layer is not told)
# give h (T, B, H) and the state after the last step (empty: the layer does not give it).
Call = Callable[[Weights, Array, States | None, Array | None], tuple[Array, States]]
# The same of all layers and directions, with their (P, B, H) states.
Network = Callable[[Sequence[Weights], Array, States | None, Array | None], tuple[Array, States]]


@dataclass(frozen=True)
class JaxLibrary:
    """A library of recurrent layers for JAX, as a backend.

    Attributes:
        name: the backend's.
        layout: how it lays out its weights.
        make: the call of the layer of a model that has D inputs.
    """

    name: str
    layout: Layout
    make: Callable[[Recurrent, int], Call]

    def supports(self, model: Model, dtype: str) -> str:
        return unsupported_network_reason(model) or (
            self.layout.unsupported(model) if isinstance(model, Recurrent) else ""
        )

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        weights = self.layout.from_params(_recurrent_model(problem), problem.params)
        return evaluate_layers(
            problem, self.layout, weights, _compiled_library(self, problem.model, quickly=True), trace=trace
        ).evaluation

    def prepare(self, problem: Problem) -> Callable[[], tuple[Array, dict[str, Any]]]:
        model, compute = _recurrent_model(problem), _compiled_library(self, problem.model)
        weights = self.layout.from_params(model, problem.params)
        with isolated(problem.dtype):
            differentiated, batch = _arguments(problem, weights)
            leaves = jax.device_put({name: differentiated.pop(name) for name in ("weights", *_readout(problem))})
            constants = jax.device_put(differentiated)
            batch = jax.device_put(batch)
            jax.block_until_ready(compute(leaves, constants, batch))  # compiles

        def run() -> tuple[Array, dict[str, Any]]:
            with isolated(problem.dtype):
                (loss, _), gradients = jax.block_until_ready(compute(leaves, constants, batch))
                return loss, _parameter_gradients(problem, self.layout, gradients)

        return run

    def wrap_weights(self, model: Recurrent, weights: Sequence[Mapping[str, np.ndarray]]) -> WrappedLayer:
        """New layers with these weights as a backend."""
        calls = [self.make(model, size) for size in layer_sizes(model)]
        return wrap_on_jax(self.name, self.layout, model, weights, calls)


def evaluate_layers(
    problem: Problem,
    layout: Layout,
    weights: Sequence[Mapping[str, np.ndarray]],
    compute: Callable[..., Any],
    *,
    trace: bool,
    usage: Usage = Usage(),  # noqa: B008 # frozen
) -> LayerAnswer:
    """The loss and the gradients of layers with these weights; the problem gives the rest."""
    with isolated(problem.dtype):
        differentiated, batch = _arguments(problem, weights)
        (loss, (outputs, final_states)), leaf_gradients = compute(differentiated, {}, batch)
        gradients = _parameter_gradients(problem, layout, leaf_gradients) | {
            name: np.array(leaf_gradients[name])
            for name in problem.model.differentiable
            if not (usage.own_state and name in problem.states)
        }
        evaluation = Evaluation(
            loss=float(loss),
            gradients={name: gradients[name] for name in problem.differentiable if name in gradients},
            outputs=np.array(outputs),
            adjoints={"o": np.array(leaf_gradients["o"])} if trace else {},
        )
        names = ("h_n", "c_n") if usage.final_states else ()
        return LayerAnswer(
            evaluation, {name: np.array(state) for name, state in zip(names, final_states, strict=False)}
        )


def on_jax(weights: Mapping[str, np.ndarray]) -> dict[str, Array]:
    """The weights as JAX's arrays in their own dtype, float64 included, whatever the host's configuration is."""
    with isolated(next(iter(weights.values())).dtype):
        return {name: jnp.asarray(array) for name, array in weights.items()}


def wrap_on_jax(
    name: str,
    layout: Layout,
    model: Recurrent,
    weights: Sequence[Mapping[str, np.ndarray]],
    layers: Sequence[Call] | Network,
    **described: Any,
) -> WrappedLayer:
    """Single layers with these weights, or an object that runs all of them by itself, as a backend.

    `described` are further attributes of it.
    """
    wide, precision = widened(name, weights)
    precision = described.pop("precision", "") or precision
    run = layers
    if precision:
        run = _in_half(layers, precision) if callable(layers) else [_in_half(call, precision) for call in layers]

    @cache
    def compiled(network: Recurrent, usage: Usage) -> Callable[..., Any]:
        return compile_network(network, run, quickly=True, usage=usage)

    def evaluate(problem: Problem, trace: bool, usage: Usage) -> LayerAnswer:
        if callable(layers):
            require_one_length(problem, usage)
        compute = compiled(_recurrent_model(problem), usage)
        return evaluate_layers(problem, layout, wide, compute, trace=trace, usage=usage)

    return WrappedLayer(name, layout, model, wide, evaluate, precision=precision, **described)


def _in_half(run: Callable[..., Any], precision: str) -> Callable[..., Any]:
    """A call or a network in half precision: what goes in is rounded, and what comes out is widened."""

    def in_half(weights: Any, x: Array, states: States | None, lengths: Array | None) -> Any:
        rounded = jax.tree.map(lambda array: array.astype(precision), (weights, x, states))
        return jax.tree.map(lambda array: array.astype(x.dtype), run(*rounded, lengths))

    return in_half


def wrap_network_on_jax(
    name: str,
    layout: Layout,
    model: Recurrent,
    weights: Sequence[Mapping[str, np.ndarray]],
    network: Network,
    **described: Any,
) -> WrappedLayer:
    """An object that runs all its layers by itself as a backend; of one layer, as a call that others may be beside."""

    def call(weights: Weights, x: Array, states: States | None, lengths: Array | None) -> tuple[Array, States]:
        h, after = network([weights], x, states and tuple(state[None] for state in states), lengths)
        return h, tuple(state[0] for state in after)

    return wrap_on_jax(name, layout, model, weights, [call] if len(model.places) == 1 else network, **described)


def compile_network(
    model: Recurrent,
    layers: Sequence[Call] | Network,
    *,
    quickly: bool = False,
    usage: Usage = Usage(),  # noqa: B008 # frozen
) -> Callable[..., Any]:
    """The loss and its gradients with respect to the first argument, compiled once per shape and dtype."""
    if not callable(layers):
        require_one_place(model, usage)

    def loss(differentiated: Any, constants: Any, batch: Any) -> tuple[Array, tuple[Array, States]]:
        return _forward(model, layers, {**differentiated, **constants}, batch, usage)

    options = options_to_compile_quickly() if quickly else {}
    return jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=options)


@lru_cache(maxsize=256)
def _compiled_library(library: JaxLibrary, model: Recurrent, *, quickly: bool = False) -> Callable[..., Any]:
    calls = [library.make(model, size) for size in layer_sizes(model)]
    return compile_network(model, calls, quickly=quickly)


def _recurrent_model(problem: Problem) -> Recurrent:
    assert isinstance(problem.model, Recurrent)
    return problem.model


def _readout(problem: Problem) -> list[str]:
    return [name for name in ("V", "c") if name in problem.params]


def _arguments(problem: Problem, weights: Sequence[Mapping[str, np.ndarray]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is differentiated: weights, read-out, initial states, inputs, and zeros added to o_t; and what is not."""
    zeros = np.zeros(problem.model.output_spec(*problem.leading).shape, problem.dtype)
    differentiated = {
        "weights": [dict(layer_weights) for layer_weights in weights],
        "o": zeros,
        "inputs": problem.inputs,
        **problem.states,
    }
    differentiated |= {name: problem.params[name] for name in _readout(problem)}
    return differentiated, {"targets": problem.targets, "lengths": problem.sequence_lengths}


def _parameter_gradients(problem: Problem, layout: Layout, leaf_gradients: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters' gradients."""
    weight_gradients = [
        {name: np.asarray(array) for name, array in layer_gradients.items()}
        for layer_gradients in leaf_gradients["weights"]
    ]
    gradients = layout.gradients(_recurrent_model(problem), weight_gradients)
    return gradients | {name: np.array(leaf_gradients[name]) for name in _readout(problem)}


def _forward(
    model: Recurrent,
    layers: Sequence[Call] | Network,
    arrays: Mapping[str, Any],
    batch: Mapping[str, Array],
    usage: Usage,
) -> tuple[Array, tuple[Array, States]]:
    """The loss, o_t (T, B, K), zero past a length, and the states after the last step, if they are asked for."""
    T, B = arrays["inputs"].shape[:2]
    t = jnp.arange(T)[:, None]
    in_length = t < batch["lengths"]
    with_loss = in_length if model.loss_at == "every_step" else t == batch["lengths"] - 1
    states = None
    if not usage.own_state:
        states = tuple(arrays[name].reshape(-1, B, model.hidden_size) for name in model.state_names)
    if callable(layers) or usage.own_lengths or usage.hand_over_after:
        h, final_states = _by_itself(layers if callable(layers) else _alone(layers[0]), arrays, states, batch, usage)
    else:
        h, final_states = _all_layers(model, layers, arrays, states, batch["lengths"])
    o = h @ arrays["V"].T + arrays.get("c", 0) + arrays["o"]
    y = batch["targets"]
    y = jnp.where(with_loss.reshape(T, B, *[1] * (y.ndim - 2)), y, 0)
    total = jnp.where(with_loss, unreduced_loss(model.loss, o, y), 0).sum()
    count = with_loss.sum().astype(total.dtype) if model.reduction == "mean" else 1
    outputs = jnp.where(in_length[..., None], o, 0)
    return total / count, (outputs, final_states if usage.final_states else ())


def _all_layers(
    model: Recurrent, calls: Sequence[Call], arrays: Mapping[str, Any], states: States | None, lengths: Array
) -> tuple[Array, States]:
    """h (T, B, ·) of the topmost layer, and the states of all layers; what lies past a length is kept from them."""
    t = jnp.arange(len(arrays["inputs"]))[:, None]
    in_length = t < lengths
    backwards = jnp.where(in_length, lengths - 1 - t, t)[..., None]  # each sequence reversed within its length
    h = jnp.where(in_length[..., None], arrays["inputs"], 0)
    final_states = []
    for layer in model.layers:
        directions = []
        for place in layer:
            initial = states and tuple(state[place.number] for state in states)
            x = jnp.take_along_axis(h, backwards, axis=0) if place.is_reverse else h
            states_of_direction, after = calls[place.number](arrays["weights"][place.number], x, initial, None)
            directions.append(
                jnp.take_along_axis(states_of_direction, backwards, axis=0) if place.is_reverse else states_of_direction
            )
            final_states.append(after)
        h = jnp.concatenate(directions, axis=-1)
    return h, tuple(jnp.stack(state) for state in zip(*final_states, strict=True))


def _alone(call: Call) -> Network:
    """A network of one layer in one direction."""

    def network(
        weights: Sequence[Weights], x: Array, states: States | None, lengths: Array | None
    ) -> tuple[Array, States]:
        h, after = call(weights[0], x, states and tuple(state[0] for state in states), lengths)
        return h, tuple(state[None] for state in after)

    return network


def _by_itself(
    network: Network, arrays: Mapping[str, Any], states: States | None, batch: Mapping[str, Array], usage: Usage
) -> tuple[Array, States]:
    """h (T, B, ·) of what runs all its layers by itself, and its states (P, B, H).

    It is told the lengths, or called on two parts.
    """
    lengths = batch["lengths"] if usage.own_lengths else None
    parts: list[Array] = []
    for x in jnp.split(arrays["inputs"], [usage.hand_over_after] if usage.hand_over_after else []):
        if parts and not states:
            raise UnsupportedProblemError("the layer does not return its states, so that they cannot be handed over")
        h, states = network(arrays["weights"], x, states, lengths)
        parts.append(h)
    assert states is not None
    return jnp.concatenate(parts), states
