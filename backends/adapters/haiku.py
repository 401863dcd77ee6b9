"""Haiku: `dynamic_unroll` over its cores."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import haiku as hk
from jax import Array

from ..interface import Evaluation
from ..layouts import get_layout
from ..model import Model
from ..problem import Problem
from ..recurrent import Recurrent
from .over_jax import Call, Library, States, Weights

CORES = {"rnn": hk.VanillaRNN, "lstm": hk.LSTM, "gru": hk.GRU}


class HaikuBackend:
    """Haiku's `VanillaRNN`, `LSTM` and `GRU` under `dynamic_unroll`."""

    name = "haiku"

    def supports(self, model: Model, dtype: str) -> str:
        return LIBRARY.refusal(model)

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        return LIBRARY.evaluate(problem, trace=trace)

    def prepare(self, problem: Problem) -> Callable[[], tuple[Array, dict[str, Any]]]:
        return LIBRARY.prepare(problem)


def make(model: Recurrent, input_size: int) -> Call:
    """The layer of a model. Its dtype is that of the inputs."""
    return partial(call, partial(CORES[model.cell], model.hidden_size, name="core"))


def call(core: Callable[[], hk.RNNCore], weights: Weights, x: Array, states: States) -> Array:
    """h_1 … h_T (T, B, H)."""
    params: dict[str, dict[str, Array]] = {}
    for name, array in weights.items():
        module, _, own = f"core.{name}".rpartition(".")
        params.setdefault(module.replace(".", "/"), {})[own] = array
    unroll: Any = hk.without_apply_rng(hk.transform(lambda x, state: hk.dynamic_unroll(core(), x, state)))
    return unroll.apply(params, x, hk.LSTMState(*states) if len(states) > 1 else states[0])[0]


LIBRARY = Library(get_layout("haiku"), make)
