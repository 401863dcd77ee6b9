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
from ..layouts.find_layer import prefixes as prefixes_of
from ..models import Recurrent
from .flax_cells import as_carry, by_prefix, scans_in, wrap_cells
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


def wrap(thing: nn.Module, variables: Any, **stated: Any) -> WrappedLayer:
    """A cell, an `nn.RNN` over one, or an `nn.Bidirectional` over two, with its variables (of `init`) as a backend.

    Raises:
        RequestError: the variables are not those of such an object, or it treats them in a way of its own.
    """
    if "params" not in variables:
        raise InvalidProblemError(
            f"the variables are {', '.join(variables) or 'none'}, expected all that init returned"
        )
    if others := [name for name in variables if name != "params"]:
        raise InvalidProblemError(f"the variables have {', '.join(others)} beside params, which is not compared")
    params = nn.meta.unbox(variables["params"])
    flat = {".".join(name): np.asarray(array) for name, array in flatten_dict(dict(params)).items()}
    name = f"flax-linen {type(thing).__name__}"
    wrappers = scans_in(name, thing, nn, ("variable_axes", "variable_broadcast", "variable_carry"))
    prefixes = ("forward_rnn.cell.", "backward_rnn.cell.") if len(wrappers) > 1 else ("cell." if wrappers else "",)
    weights = by_prefix(flat, prefixes)
    runner = thing if wrappers else nn.RNN(thing, time_major=True)  # type: ignore[arg-type]

    def run(weights: Any, x: Array, carry: Any, lengths: Array | None) -> tuple[Any, Array]:
        placed = {
            ("params", *f"{prefix if wrappers else 'cell.'}{name}".split(".")): array
            for prefix, of_cell in zip(prefixes, weights, strict=True)
            for name, array in of_cell.items()
        }
        apply: Any = runner.apply
        return apply(unflatten_dict(placed), x, initial_carry=carry, seq_lengths=lengths, return_carry=True)

    inner = [prefix for prefix in prefixes_of(LAYOUT, flat)[0] if prefix] if not wrappers else []
    if inner:
        keys = "".join(f"[{key!r}]" for key in inner[0].split("."))
        raise InvalidProblemError(
            f"{name} has a layer's weights under {inner[0]}: pass (cell, {{'params': variables['params']{keys}}})"
        )
    cells: list[Any] = [wrapper.cell for wrapper in wrappers] or [thing]
    return wrap_cells(name, LAYOUT, thing, cells, weights, run, stated)


BACKEND = JaxLibrary("flax-linen", LAYOUT, make)
wrap_weights = BACKEND.wrap_weights
