"""Recurrent networks in JAX: the forward pass as a `lax.scan` over time.

A cell takes what the inputs add to a_t, the state before a step, and zeros (perturbations) that are added to the step's
variables, to the state after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from ..models import Chunks, LastSteps, Recurrent, Window
from .jax_activations_losses import ACTIVATION_FUNCTIONS, unreduced_loss

PARAMETERS = ("U", "W", "Wcat", "b", "b_hn")
Arrays = dict[str, Array]
State = tuple[Array, ...]  # (h,), or (h, c)
CellFunction = Callable[[Recurrent, Arrays, Array, State, Arrays], State]


def rnn(model: Recurrent, p: Arrays, from_x: Array, state: State, perturbation: Arrays) -> State:
    (h,) = state
    return (ACTIVATION_FUNCTIONS[model.activation](from_x + h @ p["W"].T) + perturbation.get("h", 0),)


def concatenated_rnn(model: Recurrent, p: Arrays, x: Array, state: State, perturbation: Arrays) -> State:
    """One matrix on [x ; h]: here x is the input itself."""
    (h,) = state
    a = jnp.concatenate([x, h], axis=-1) @ p["Wcat"].T + p.get("b", 0) + perturbation.get("a", 0)
    return (ACTIVATION_FUNCTIONS[model.activation](a) + perturbation.get("h", 0),)


def lstm(model: Recurrent, p: Arrays, from_x: Array, state: State, perturbation: Arrays) -> State:
    h, c = state
    i, f, g, o = jnp.split(from_x + h @ p["W"].T, 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g) + perturbation.get("c", 0)
    return jax.nn.sigmoid(o) * jnp.tanh(c) + perturbation.get("h", 0), c


def gru(model: Recurrent, p: Arrays, from_x: Array, state: State, perturbation: Arrays) -> State:
    (h,) = state
    H = h.shape[-1]
    rz = jax.nn.sigmoid(from_x[:, : 2 * H] + h @ p["W"][: 2 * H].T)
    r, z, W_n = rz[:, :H], rz[:, H:], p["W"][2 * H :]
    from_h = r * (h @ W_n.T + p.get("b_hn", 0)) if model.reset == "after" else (r * h) @ W_n.T
    return ((1 - z) * jnp.tanh(from_x[:, 2 * H :] + from_h) + z * h + perturbation.get("h", 0),)


CELL_FUNCTIONS: dict[str, CellFunction] = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
}


def forward(model: Recurrent, arrays: Arrays, perturbations: Arrays, batch: Arrays) -> tuple[Array, Array]:
    """The loss, and o_t (T, B, K), zero past a length. `perturbations` are zeros that are added at every step."""
    h, y = arrays["inputs"], batch["targets"]
    T, B = h.shape[:2]
    lengths = batch.get("lengths", jnp.full(B, T))
    t = jnp.arange(1, T + 1)[:, None]
    in_length = t <= lengths
    with_loss = in_length if model.loss_at == "every_step" else t == lengths
    # What lies past a length must not even overflow: where() passes a gradient of zero, but zero times NaN is NaN.
    h = jnp.where(in_length[..., None], h, 0)
    y = jnp.where(with_loss.reshape(T, B, *[1] * (y.ndim - 2)), y, 0)
    for layer in model.layers:
        directions = []
        for place in layer:
            turned = slice(None, None, -1 if place.is_reverse else 1)
            layer_params = {name: arrays[place.name(name)] for name in PARAMETERS if place.name(name) in arrays}
            layer_perturbations = {
                name: perturbations[place.name(name)][turned] for name in "ahc" if place.name(name) in perturbations
            }
            initial = tuple(arrays[s].reshape(-1, *arrays[s].shape[-2:])[place.number] for s in model.state_names)
            states = _states(model, layer_params, h[turned], initial, in_length[turned], layer_perturbations)
            directions.append(states[turned])
        h = jnp.concatenate(directions, axis=-1)
    o = h @ arrays["V"].T + arrays.get("c", 0) + perturbations.get("o", 0)
    total = jnp.where(with_loss, unreduced_loss(model.loss, o, y), 0).sum()
    outputs = jnp.where(in_length[..., None], o, 0)
    return total if model.reduction == "sum" else total / with_loss.sum().astype(total.dtype), outputs


def _states(model: Recurrent, p: Arrays, x: Array, initial: State, in_length: Array, perturbations: Arrays) -> Array:
    """h_1 … h_T of one layer in one direction; the gradient stops where a truncation stops it."""
    cell = concatenated_rnn if model.concatenated else CELL_FUNCTIONS[model.cell]
    from_x = x if model.concatenated else x @ p["U"].T + p.get("b", 0) + perturbations.get("a", 0)
    T, cut = len(x), model.truncation
    t = jnp.arange(T)
    # The gradient is stopped before a step in chunks and windows, and after it where only last steps count.
    stop_before = (t % cut.steps == 0) & (t > 0) if isinstance(cut, Chunks) else jnp.zeros(T, bool)
    steps_left = jnp.cumsum(in_length[::-1], axis=0)[::-1]
    stop_after = steps_left > cut.steps if isinstance(cut, LastSteps) else jnp.zeros_like(in_length)

    def step(state: State, at_t: Any) -> tuple[State, Array]:
        from_x_t, in_length_t, perturbation, before, after = at_t
        if isinstance(cut, Chunks | Window):
            state = _stopped(before, state)
        new = cell(model, p, from_x_t, state, perturbation)
        if isinstance(cut, LastSteps):
            new = _stopped(after[:, None], new)
        state = tuple(jnp.where(in_length_t[:, None], *pair) for pair in zip(new, state, strict=True))
        return state, state[0]

    def run(stop_before: Array) -> Array:
        return lax.scan(step, initial, (from_x, in_length, perturbations, stop_before, stop_after))[1]

    if not isinstance(cut, Window):
        return run(stop_before)
    # Row t: the run in which only the steps t−n+1 … t are differentiated, of which h_t is taken.
    return jax.vmap(run)((t == t[:, None] - cut.steps + 1) & (t > 0))[t, t]


def _stopped(where: Array, state: State) -> State:
    return tuple(jnp.where(where, lax.stop_gradient(value), value) for value in state)
