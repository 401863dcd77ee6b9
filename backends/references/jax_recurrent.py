"""Recurrent networks in JAX: the forward pass as a `lax.scan` over time.

A cell is made of its parameters, before the scan: what is cut out of them is cut once, and not at every step. It takes
what the inputs add to a_t, the state before a step, and zeros (perturbations) that are added to the step's variables,
to the state after it. Where there are no perturbations, lengths or truncation, nothing is computed for them.
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
Step = Callable[[Array, State, Arrays], State]
CellFunction = Callable[[Recurrent, Arrays], Step]


def plus(value: Array, arrays: Arrays, name: str) -> Array:
    """The value, plus the bias or the perturbation of this name if there is one."""
    return value + arrays[name] if name in arrays else value


def rnn(model: Recurrent, p: Arrays) -> Step:
    def step(from_x: Array, state: State, perturbation: Arrays) -> State:
        (h,) = state
        return (plus(ACTIVATION_FUNCTIONS[model.activation](from_x + h @ p["W"].T), perturbation, "h"),)

    return step


def concatenated_rnn(model: Recurrent, p: Arrays) -> Step:
    """One matrix on [x ; h]: here x is the input itself."""

    def step(x: Array, state: State, perturbation: Arrays) -> State:
        (h,) = state
        a = plus(plus(jnp.concatenate([x, h], axis=-1) @ p["Wcat"].T, p, "b"), perturbation, "a")
        return (plus(ACTIVATION_FUNCTIONS[model.activation](a), perturbation, "h"),)

    return step


def lstm(model: Recurrent, p: Arrays) -> Step:
    def step(from_x: Array, state: State, perturbation: Arrays) -> State:
        h, c = state
        i, f, g, o = jnp.split(from_x + h @ p["W"].T, 4, axis=-1)
        c = plus(jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g), perturbation, "c")
        return plus(jax.nn.sigmoid(o) * jnp.tanh(c), perturbation, "h"), c

    return step


def gru(model: Recurrent, p: Arrays) -> Step:
    H = model.hidden_size
    W_rz, W_n = p["W"][: 2 * H], p["W"][2 * H :]

    def step(from_x: Array, state: State, perturbation: Arrays) -> State:
        (h,) = state
        x_r, x_z, x_n = jnp.split(from_x, 3, axis=-1)
        if model.reset == "after":
            h_r, h_z, h_n = jnp.split(h @ p["W"].T, 3, axis=-1)
            r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
            from_h = r * plus(h_n, p, "b_hn")
        else:
            h_r, h_z = jnp.split(h @ W_rz.T, 2, axis=-1)
            r, z = jax.nn.sigmoid(x_r + h_r), jax.nn.sigmoid(x_z + h_z)
            from_h = (r * h) @ W_n.T
        return (plus((1 - z) * jnp.tanh(x_n + from_h) + z * h, perturbation, "h"),)

    return step


CELL_FUNCTIONS: dict[str, CellFunction] = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
}


def forward(
    model: Recurrent, arrays: Arrays, perturbations: Arrays, batch: Arrays, *, at_once: bool = True
) -> tuple[Array, Array]:
    """The loss, and o_t (T, B, K), zero past a length.

    Args:
        model: what is computed.
        arrays: parameters, initial states and inputs.
        perturbations: zeros that are added at every step.
        batch: targets, and lengths if there are any.
        at_once: whether the inputs are multiplied by U for all steps at once, or step by step, within the scan.
            Both are the same numbers, rounded alike but for the order of sums.
    """
    h, in_length = arrays["inputs"], None
    if "lengths" in batch:
        in_length = jnp.arange(1, len(h) + 1)[:, None] <= batch["lengths"]
        # What lies past a length must not even overflow: where() passes a gradient of zero, but zero times NaN is NaN.
        h = jnp.where(in_length[..., None], h, 0)
    for layer in model.layers:
        directions = []
        for place in layer:
            layer_params = {name: arrays[place.name(name)] for name in PARAMETERS if place.name(name) in arrays}
            layer_perturbations = {
                name: perturbations[place.name(name)] for name in "ahc" if place.name(name) in perturbations
            }
            initial = tuple(arrays[s].reshape(-1, *arrays[s].shape[-2:])[place.number] for s in model.state_names)
            cell = _cell(model, layer_params, at_once)
            from_x = h
            if at_once and not model.concatenated:
                from_x = _from_inputs(layer_params, h, layer_perturbations)
            states = _states(model, cell, from_x, initial, in_length, layer_perturbations, place.is_reverse)
            directions.append(states)
        h = jnp.concatenate(directions, axis=-1)
    o = plus(plus(h @ arrays["V"].T, arrays, "c"), perturbations, "o")
    outputs = o if in_length is None else jnp.where(in_length[..., None], o, 0)
    return _loss(model, o, batch), outputs


def _loss(model: Recurrent, o: Array, batch: Arrays) -> Array:
    y, at_last_step = batch["targets"], model.loss_at == "last_step"
    if "lengths" not in batch:
        o, y = (o[-1], y[-1]) if at_last_step else (o, y)
        step_loss = unreduced_loss(model.loss, o, y)
        return step_loss.sum() if model.reduction == "sum" else step_loss.mean()
    t = jnp.arange(1, len(o) + 1)[:, None]
    with_loss = t == batch["lengths"] if at_last_step else t <= batch["lengths"]
    y = jnp.where(with_loss.reshape(*with_loss.shape, *[1] * (y.ndim - 2)), y, 0)
    total = jnp.where(with_loss, unreduced_loss(model.loss, o, y), 0).sum()
    return total if model.reduction == "sum" else total / with_loss.sum().astype(total.dtype)


def _from_inputs(p: Arrays, x: Array, perturbation: Arrays) -> Array:
    """What the inputs add to a_t, of one step or of all."""
    return plus(plus(x @ p["U"].T, p, "b"), perturbation, "a")


def _cell(model: Recurrent, p: Arrays, at_once: bool) -> Step:
    """The cell; if not at once, it takes x_t itself in the place of what that adds to a_t."""
    if model.concatenated:
        return concatenated_rnn(model, p)
    if at_once:
        return CELL_FUNCTIONS[model.cell](model, p)
    # Uᵀ and Wᵀ laid out anew once, before the scan, as those have them who multiply from the right.
    laid_out = {name: lax.optimization_barrier(p[name].T).T for name in ("U", "W")}
    cell = CELL_FUNCTIONS[model.cell](model, p | laid_out)

    def step(x: Array, state: State, perturbation: Arrays) -> State:
        return cell(_from_inputs(p | laid_out, x, perturbation), state, perturbation)

    return step


def _states(
    model: Recurrent,
    cell: Step,
    from_x: Array,
    initial: State,
    in_length: Array | None,
    perturbations: Arrays,
    is_reverse: bool,
) -> Array:
    """h_1 … h_T of one layer in one direction; the gradient stops where a truncation stops it."""
    T, cut = len(from_x), model.truncation
    t = jnp.arange(T)
    # The gradient is stopped before a step in chunks and windows, and after it where only last steps count.
    stop_before = (t % cut.steps == 0) & (t > 0) if isinstance(cut, Chunks) else None
    stop_after = _steps_left(T, in_length) > cut.steps if isinstance(cut, LastSteps) else None

    def step(state: State, at_t: Any) -> tuple[State, Array]:
        from_x_t, in_length_t, perturbation, before, after = at_t
        if before is not None:
            state = _stopped(before, state)
        new = cell(from_x_t, state, perturbation)
        if after is not None:
            new = _stopped(after, new)
        if in_length_t is not None:
            new = tuple(jnp.where(in_length_t[:, None], *pair) for pair in zip(new, state, strict=True))
        return new, new[0]

    def run(stop_before: Array | None) -> Array:
        steps = (from_x, in_length, perturbations, stop_before, stop_after)
        return lax.scan(step, initial, steps, reverse=is_reverse)[1]

    if not isinstance(cut, Window):
        return run(stop_before)
    # Row t: the run in which only the steps t−n+1 … t are differentiated, of which h_t is taken.
    return jax.vmap(run)((t == t[:, None] - cut.steps + 1) & (t > 0))[t, t]


def _steps_left(T: int, in_length: Array | None) -> Array:
    """(T, B, 1), or (T, 1, 1) for all alike: how many steps of its sequence there are from each step on."""
    counted = jnp.ones((T, 1), bool) if in_length is None else in_length
    return jnp.cumsum(counted[::-1], axis=0)[::-1][..., None]


def _stopped(where: Array, state: State) -> State:
    return tuple(jnp.where(where, lax.stop_gradient(value), value) for value in state)
