"""Flax Linen: `nn.RNN` over its cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import flax.linen as nn
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import Array

from ..interface import Evaluation
from ..layouts import get_layout
from ..model import Model
from ..problem import Problem
from ..recurrent import Recurrent
from .held import HeldLayers, model_of
from .over_jax import Library, States, Weights, on_jax
from .over_jax import hold as hold_on_jax

ACTIVATIONS = {"tanh": nn.tanh, "relu": nn.relu, "sigmoid": nn.sigmoid, "identity": lambda a: a}


class FlaxLinenBackend:
    """Flax Linen's `SimpleCell`, `OptimizedLSTMCell` and `GRUCell` under `nn.RNN`."""

    name = "flax-linen"

    def supports(self, model: Model, dtype: str) -> str:
        return LIBRARY.refusal(model)

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        return LIBRARY.evaluate(problem, trace=trace)

    def prepare(self, problem: Problem) -> Callable[[], tuple[Array, dict[str, Any]]]:
        return LIBRARY.prepare(problem)


def make(model: Recurrent, input_size: int) -> partial[Array]:
    """The layer of a model. Its dtype is that of the weights."""
    match model.cell:
        case "lstm":
            return partial(call, nn.OptimizedLSTMCell(model.hidden_size))
        case "gru":
            return partial(call, nn.GRUCell(model.hidden_size))
        case _:
            return partial(call, nn.SimpleCell(model.hidden_size, activation_fn=ACTIVATIONS[model.activation]))


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


def hold(cell: nn.RNNCellBase | nn.RNN, variables: Any, **told: Any) -> HeldLayers:
    """A cell, or an `nn.RNN` over one, with its variables (those of `init`) as a backend."""
    flat = {".".join(name): np.asarray(array) for name, array in flatten_dict(dict(variables["params"])).items()}
    if isinstance(cell, nn.RNN):
        cell, flat = cell.cell, {name.removeprefix("cell."): array for name, array in flat.items()}
    model = model_of(LIBRARY.layout, [flat], **told)
    return hold_on_jax(f"flax-linen {type(cell).__name__}", LIBRARY.layout, model, [flat], [partial(call, cell)])


LIBRARY = Library(get_layout("flax-linen"), make)
