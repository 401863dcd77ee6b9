"""Flax Linen: `nn.RNN` over its cells."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
from flax.traverse_util import unflatten_dict
from jax import Array

from ..interface import Evaluation
from ..layouts import get_layout
from ..model import Model
from ..problem import Problem
from ..recurrent import Recurrent
from .over_jax import Call, Library, States, Weights

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


def make(model: Recurrent, input_size: int) -> Call:
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


LIBRARY = Library(get_layout("flax-linen"), make)
