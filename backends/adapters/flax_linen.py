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
from .layers_on_jax import JaxLibrary, States, Weights, on_jax, wrap_on_jax
from .wrapped_layer import WrappedLayer, infer_model, require_forward

LAYOUT = get_layout("flax-linen")
ACTIVATION_FUNCTIONS = {"tanh": nn.tanh, "relu": nn.relu, "sigmoid": nn.sigmoid, "identity": lambda a: a}


def make(model: Recurrent, input_size: int) -> partial[Array]:
    """The layer of a model. Its dtype is that of the weights."""
    match model.cell:
        case "lstm":
            return partial(call, nn.OptimizedLSTMCell(model.hidden_size))
        case "gru":
            return partial(call, nn.GRUCell(model.hidden_size))
        case _:
            return partial(call, nn.SimpleCell(model.hidden_size, activation_fn=ACTIVATION_FUNCTIONS[model.activation]))


def call(cell: nn.RNNCellBase, weights: Weights, x: Array, states: States) -> Array:
    """h_1 … h_T (T, B, H). Flax carries (c, h)."""
    params = unflatten_dict({("params", "cell", *name.split(".")): array for name, array in weights.items()})
    carry = states[::-1] if len(states) > 1 else states[0]
    h: Any = nn.RNN(cell, time_major=True).apply(params, x, initial_carry=carry)
    return h


def build(model: Recurrent, weights: Mapping[str, np.ndarray]) -> tuple[nn.RNNCellBase, dict[str, Any]]:
    """The cell of a model, and its variables with these weights."""
    arrays = {("params", *name.split(".")): array for name, array in on_jax(weights).items()}
    return make(model, model.input_size).args[0], unflatten_dict(arrays)


def wrap(cell: nn.RNNCellBase | nn.RNN, variables: Any, **stated: Any) -> WrappedLayer:
    """A cell, or an `nn.RNN` over one, with its variables (those of `init`) as a backend.

    Raises:
        RequestError: the variables are not those of such a cell, or the `nn.RNN` is not a plain one.
    """
    if "params" not in variables:
        raise InvalidProblemError(
            f"the variables are {', '.join(variables) or 'none'}, expected all that init returned"
        )
    params = nn.meta.unbox(variables["params"])
    flat = {".".join(name): np.asarray(array) for name, array in flatten_dict(dict(params)).items()}
    if isinstance(cell, nn.RNN):
        require_forward(cell, nn.RNN)
        cell, flat = cell.cell, {name.removeprefix("cell."): array for name, array in flat.items()}
    model = infer_model(LAYOUT, [flat], **stated)
    return wrap_on_jax(f"flax-linen {type(cell).__name__}", LAYOUT, model, [flat], [partial(call, cell)])


BACKEND = JaxLibrary("flax-linen", LAYOUT, make)
wrap_weights = BACKEND.wrap_weights
