"""Flax Linen: `nn.RNN` over its cells."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import Array

from ..errors import InvalidProblemError
from ..layouts import get_layout
from ..models import Recurrent
from .flax_cells import as_carry, require_forward, require_plain_scan, wrap_cell
from .layers_on_jax import JaxLibrary, States, Weights, on_jax
from .wrapped_layer import WrappedLayer

LAYOUT = get_layout("flax-linen")
ACTIVATION_FUNCTIONS = {"tanh": nn.tanh, "relu": nn.relu, "sigmoid": nn.sigmoid, "identity": lambda a: a}


def make(model: Recurrent, input_size: int) -> partial[tuple[Array, States]]:
    """The layer of a model. Its dtype is that of the weights."""
    match model.cell:
        case "lstm":
            return partial(call, nn.OptimizedLSTMCell(model.hidden_size))
        case "gru":
            return partial(call, nn.GRUCell(model.hidden_size))
        case _:
            return partial(call, nn.SimpleCell(model.hidden_size, activation_fn=ACTIVATION_FUNCTIONS[model.activation]))


def call(
    cell: nn.RNNCellBase, weights: Weights, x: Array, states: States | None, lengths: Array | None = None
) -> tuple[Array, States]:
    """h_1 … h_T (T, B, H), and the last state. Flax carries (c, h)."""
    params = unflatten_dict({("params", "cell", *name.split(".")): array for name, array in weights.items()})
    run: Any = nn.RNN(cell, time_major=True, return_carry=True).apply
    carry, h = run(params, x, initial_carry=as_carry(states), seq_lengths=lengths)
    return h, carry[::-1] if isinstance(carry, tuple) else (carry,)


def build(model: Recurrent, weights: Mapping[str, np.ndarray]) -> tuple[nn.RNNCellBase, dict[str, Any]]:
    """The cell of a model, and its variables with these weights."""
    arrays = {("params", *name.split(".")): array for name, array in on_jax(weights).items()}
    cell = make(model, model.input_size).args[0]
    dtype = next(iter(weights.values())).dtype  # of its own state too
    return cell.clone(param_dtype=dtype), unflatten_dict(arrays)


def wrap(cell: nn.RNNCellBase | nn.RNN, variables: Any, **stated: Any) -> WrappedLayer:
    """A cell, or an `nn.RNN` over one, with its variables (those of `init`) as a backend.

    Raises:
        RequestError: the variables are not those of such a cell, or the `nn.RNN` is not a plain one.
    """
    if "params" not in variables:
        raise InvalidProblemError(
            f"the variables are {', '.join(variables) or 'none'}, expected all that init returned"
        )
    if others := [name for name in variables if name != "params"]:
        raise InvalidProblemError(f"the variables have {', '.join(others)} beside params, which is not compared")
    params = nn.meta.unbox(variables["params"])
    flat = {".".join(name): np.asarray(array) for name, array in flatten_dict(dict(params)).items()}
    if isinstance(cell, nn.RNN):
        require_forward(cell, nn.RNN)
        require_plain_scan(cell, nn.RNN(cell.cell), ("variable_axes", "variable_broadcast", "variable_carry"))
        cell, flat = cell.cell, {name.removeprefix("cell."): array for name, array in flat.items()}
    name = f"flax-linen {type(cell).__name__}"
    return wrap_cell(name, LAYOUT, cell, flat, partial(call, cell), stated)


BACKEND = JaxLibrary("flax-linen", LAYOUT, make)
wrap_weights = BACKEND.wrap_weights
