"""Equinox: its cells, which know neither batch nor time, under `jax.vmap` and `lax.scan`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import partial
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax import Array, lax

from ..errors import UnsupportedProblemError
from ..layouts import get_layout
from ..models import Recurrent
from .layers_on_jax import JaxLibrary, States, Weights, on_jax, wrap_on_jax
from .wrapped_layer import WrappedLayer, infer_model

LAYOUT = get_layout("equinox")
CELL_CLASSES = {"lstm": eqx.nn.LSTMCell, "gru": eqx.nn.GRUCell}


def make(model: Recurrent, input_size: int) -> partial[tuple[Array, States]]:
    """The layer of a model. Its dtype is that of the weights."""
    build = partial(CELL_CLASSES[model.cell], input_size, model.hidden_size, key=jax.random.PRNGKey(0))
    return partial(call, eqx.filter_eval_shape(build))


def call(
    cell: Any, weights: Weights, x: Array, states: States | None, lengths: Array | None = None
) -> tuple[Array, States]:
    """h_1 … h_T (T, B, H), and the last state. The LSTM's state is (h, c). A cell has no state of its own."""
    if states is None or lengths is not None:
        raise UnsupportedProblemError("an equinox cell has to be given a state, and cannot be told lengths")
    cell = _with(cell, weights)

    def step(state: Any, x_t: Array) -> tuple[Any, Array]:
        state = jax.vmap(cell)(x_t, state)
        return state, state[0] if isinstance(state, tuple) else state

    after, h = lax.scan(step, states if len(states) > 1 else states[0], x)
    return h, after if isinstance(after, tuple) else (after,)


def build(model: Recurrent, weights: Mapping[str, np.ndarray]) -> Any:
    """The cell of a model, with these weights."""
    (cell,) = make(model, model.input_size).args
    return _with(cell, on_jax(weights))


def _with(cell: Any, weights: Weights) -> Any:
    """The cell with these weights."""
    return eqx.tree_at(lambda tree: [getattr(tree, name) for name in weights], cell, list(weights.values()))


def wrap(cell: Any, **stated: Any) -> WrappedLayer:
    """A cell as a backend.

    Raises:
        InvalidProblemError: its weights do not fit each other.
    """
    held = {field.name: getattr(cell, field.name) for field in dataclasses.fields(cell)}
    weights = {name: np.asarray(array) for name, array in held.items() if eqx.is_array(array)}
    model = infer_model(LAYOUT, [weights], **stated)
    name = f"equinox {type(cell).__name__}"
    return wrap_on_jax(name, LAYOUT, model, [weights], [partial(call, cell)], gives_final_states=True)


BACKEND = JaxLibrary("equinox", LAYOUT, make)
wrap_weights = BACKEND.wrap_weights
