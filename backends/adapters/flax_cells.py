"""What Flax's two interfaces share: the options of their cells, and of the `RNN` that runs a cell over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..errors import UnsupportedProblemError
from ..frameworks.jax_isolation import isolated
from ..layouts import Layout
from .cell_functions import departures_of, function_name, plain_cell_functions
from .layers_on_jax import Call, States, wrap_on_jax
from .wrapped_layer import WrappedLayer, infer_model

OPTIONS = {"gate function": "gate_fn", "activation": "activation_fn"}


def wrap_cell(
    name: str, layout: Layout, cell: Any, weights: Mapping[str, np.ndarray], call: Call, stated: dict[str, Any]
) -> WrappedLayer:
    """A cell with these weights as a backend, with the functions and the options that it has."""
    functions = {
        what: function_name(getattr(cell, option), _applied)
        for what, option in OPTIONS.items()
        if hasattr(cell, option)
    }
    departures = {}
    if layout.model_fields(weights)["cell"] != "rnn":
        departures = departures_of(functions)
    else:
        told = functions.get("activation", stated.get("activation"))
        activation, departures = plain_cell_functions(name, told)
        stated = stated | {"activation": activation}
    if getattr(cell, "residual", False):
        departures["residual"] = "True"
    model = infer_model(layout, [weights], **stated)
    can = {"has_own_state": True, "takes_lengths": True, "gives_final_states": True}
    return wrap_on_jax(name, layout, model, [weights], [call], departures=departures, **can)


def as_carry(states: States | None) -> Any:
    """The state as Flax carries it: (c, h), or h alone; None if there is none."""
    return states[::-1] if states and len(states) > 1 else states and states[0]


def require_forward(wrapper: Any, flax_class: type) -> None:
    """Raises UnsupportedProblemError unless a wrapper that runs a cell over time is Flax's own, and goes forward."""
    if type(wrapper) is not flax_class:
        raise UnsupportedProblemError(f"{type(wrapper).__name__} is a subclass of Flax's RNN: pass its cell instead")
    if getattr(wrapper, "reverse", False):
        raise UnsupportedProblemError("Flax's RNN has reverse=True: pass its cell, which runs forward")


def require_plain_scan(wrapper: Any, plain: Any, options: tuple[str, ...]) -> None:
    """Raises UnsupportedProblemError if a wrapper treats its cell's variables otherwise than a plain one does."""
    for option in options:
        if getattr(wrapper, option) != getattr(plain, option):
            raise UnsupportedProblemError(f"Flax's RNN has a {option} of its own: pass its cell instead")


def _applied(function: Any, arguments: np.ndarray) -> Any:
    with isolated(arguments.dtype):
        return function(jnp.asarray(arguments))
