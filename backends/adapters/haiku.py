"""Haiku: `dynamic_unroll` over its cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import haiku as hk
import numpy as np
from jax import Array

from ..errors import InvalidProblemError, UnsupportedProblemError
from ..layouts import get_layout
from ..models import Recurrent
from .cell_functions import require_activation
from .layers_on_jax import JaxLibrary, States, Weights, on_jax, wrap_on_jax
from .wrapped_layer import WrappedLayer, infer_model

LAYOUT = get_layout("haiku")
CORE_CLASSES = {"rnn": hk.VanillaRNN, "lstm": hk.LSTM, "gru": hk.GRU}


def make(model: Recurrent, input_size: int) -> partial[tuple[Array, States]]:
    """The layer of a model. Its dtype is that of the inputs."""
    return partial(call, partial(CORE_CLASSES[model.cell], model.hidden_size, name="core"))


def call(
    core: Callable[[], hk.RNNCore],
    weights: Weights,
    x: Array,
    states: States | None,
    lengths: Array | None = None,
    *,
    name: str = "core",
) -> tuple[Array, States]:
    """h_1 … h_T (T, B, H) of the core that makes a module of that name, and its last state."""
    if lengths is not None:
        raise UnsupportedProblemError("haiku.dynamic_unroll cannot be told lengths")

    def unroll(x: Array) -> Any:
        made = core()
        if states is None:
            state: Any = made.initial_state(x.shape[1])
        else:
            state = hk.LSTMState(*states) if len(states) > 1 else states[0]
        return hk.dynamic_unroll(made, x, state)

    transformed: Any = hk.without_apply_rng(hk.transform(unroll))
    h, after = transformed.apply(_nested(weights, name), x)
    return h, tuple(after) if isinstance(after, hk.LSTMState) else (after,)


def build(
    model: Recurrent, weights: Mapping[str, np.ndarray]
) -> tuple[Callable[[], hk.RNNCore], dict[str, dict[str, Array]]]:
    """The function that makes the core of a model, and the parameters with these weights."""
    (core,) = make(model, model.input_size).args
    return core, _nested(on_jax(weights), "core")


def _nested(weights: Weights, core: str) -> dict[str, dict[str, Array]]:
    """The weights by module and name, as Haiku keeps them."""
    params: dict[str, dict[str, Array]] = {}
    for weight, array in weights.items():
        module, _, array_name = f"{core}.{weight}".rpartition(".")
        params.setdefault(module.replace(".", "/"), {})[array_name] = array
    return params


def wrap(core: Callable[[], hk.RNNCore], params: Any, **stated: Any) -> WrappedLayer:
    """A core, by the function that makes it, and its parameters (those of `init`) as a backend.

    Raises:
        InvalidProblemError: the parameters are not those of one core that is known.
    """
    if not params or not all(isinstance(arrays, Mapping) for arrays in params.values()):
        raise InvalidProblemError("haiku's parameters are no arrays by module and name, expected what init returned")
    flat = {
        f"{module}.{array_name}".replace("/", "."): np.asarray(arrays[array_name])
        for module, arrays in params.items()
        for array_name in arrays
    }
    names = {weight.partition(".")[0] for weight in flat}
    if len(names) > 1:
        raise InvalidProblemError(f"haiku's parameters belong to {' and '.join(sorted(names))}, expected one core")
    (name,) = names
    weights = {weight.removeprefix(f"{name}."): array for weight, array in flat.items()}
    shown_name = f"haiku {getattr(getattr(core, 'func', core), '__name__', 'core')}"
    if LAYOUT.model_fields(weights)["cell"] == "rnn":
        if _class_of(core) is hk.VanillaRNN:
            stated["activation"] = "relu"  # it has no other
        require_activation(shown_name, stated.get("activation"))
    model = infer_model(LAYOUT, [weights], **stated)
    can = {"has_own_state": True, "gives_final_states": True}
    return wrap_on_jax(shown_name, LAYOUT, model, [weights], [partial(call, core, name=name)], **can)


def _class_of(core: Callable[[], hk.RNNCore]) -> type:
    """The class of what a function makes."""
    classes = []
    run: Any = hk.transform(lambda: classes.append(type(core())))
    run.apply({}, None)
    return classes[0]


BACKEND = JaxLibrary("haiku", LAYOUT, make)
wrap_weights = BACKEND.wrap_weights
