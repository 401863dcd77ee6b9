"""Recurrent networks in autograd.numpy: the forward pass as an explicit loop over time.

A cell takes what the inputs add to a_t, and the state before a step, to the state after it.
"""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as anp
import numpy as np

from ..models import LayerDirection, Recurrent
from ..problems import Problem
from .autograd_activations_losses import ACTIVATION_FUNCTIONS, Array, sigmoid, unreduced_loss, where

Arrays = dict[str, Array]
State = tuple[Array, ...]  # (h,), or (h, c)
CellFunction = Callable[[Recurrent, Arrays, Array, State], State]


def rnn(model: Recurrent, p: Arrays, from_x: Array, state: State) -> State:
    (h,) = state
    return (ACTIVATION_FUNCTIONS[model.activation](from_x + h @ p["W"].T),)


def lstm(model: Recurrent, p: Arrays, from_x: Array, state: State) -> State:
    h, c = state
    i, f, g, o = anp.split(from_x + h @ p["W"].T, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * anp.tanh(g)
    return sigmoid(o) * anp.tanh(c), c


def gru(model: Recurrent, p: Arrays, from_x: Array, state: State) -> State:
    (h,) = state
    x_r, x_z, x_n = anp.split(from_x, 3, axis=-1)
    W_r, W_z, W_n = anp.split(p["W"], 3)
    r, z = sigmoid(x_r + h @ W_r.T), sigmoid(x_z + h @ W_z.T)
    from_h = r * (h @ W_n.T + p.get("b_hn", 0)) if model.reset == "after" else (r * h) @ W_n.T
    return ((1 - z) * anp.tanh(x_n + from_h) + z * h,)


CELL_FUNCTIONS: dict[str, CellFunction] = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
}


def forward(problem: Problem, arrays: Arrays) -> tuple[Array, Array]:
    """The loss, and o_t (T, B, K), zero past a length."""
    model, y = problem.model, problem.targets
    assert isinstance(model, Recurrent)
    assert y is not None
    T, B = problem.leading
    t, lengths = np.arange(1, T + 1)[:, None], problem.sequence_lengths
    in_length = t <= lengths
    with_loss = in_length if model.loss_at == "every_step" else t == lengths
    y = np.where(with_loss.reshape(T, B, *[1] * (y.ndim - 2)), y, 0)  # what does not count must not overflow
    h = _kept(in_length[..., None], arrays["inputs"], 0)
    for layer in model.layers:
        h = anp.concatenate([_direction(model, place, arrays, h, in_length) for place in layer], axis=-1)
    o = h @ arrays["V"].T + arrays.get("c", 0)
    total = anp.sum(_kept(with_loss, unreduced_loss(model.loss, o, y), 0))
    return total if model.reduction == "sum" else total / int(with_loss.sum()), _kept(in_length[..., None], o, 0)


def _direction(model: Recurrent, place: LayerDirection, arrays: Arrays, x: Array, in_length: np.ndarray) -> Array:
    """The states (T, B, H) of one layer in one direction."""
    p = {name: arrays[place.name(name)] for name in ("U", "W", "b", "b_hn", "Wcat") if place.name(name) in arrays}
    if model.concatenated:
        p["U"], p["W"] = anp.split(p["Wcat"], [model.input_size], axis=1)
    T, B, D = x.shape
    state = tuple(arrays[name].reshape((-1, B, model.hidden_size))[place.number] for name in model.state_names)
    from_x = anp.split(x.reshape((T * B, D)) @ p["U"].T + p.get("b", 0), T)
    hs = {}
    for t in reversed(range(T)) if place.is_reverse else range(T):
        new = CELL_FUNCTIONS[model.cell](model, p, from_x[t], state)
        state = tuple(_kept(in_length[t, :, None], *pair) for pair in zip(new, state, strict=True))
        hs[t] = state[0]
    return anp.stack([hs[t] for t in range(T)])


def _kept(where_true: np.ndarray, value: Array, otherwise: Array) -> Array:
    """The value where it counts."""
    return value if where_true.all() else where(where_true, value, otherwise)
