"""Haiku: `dynamic_unroll` over its cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import haiku as hk
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..errors import InvalidProblemError, UnsupportedProblemError, first_line
from ..layouts import get_layout
from ..models import Recurrent
from .cell_functions import require_activation
from .layers_on_jax import JaxLibrary, States, Weights, on_jax, wrap_network_on_jax
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
) -> tuple[Array, States]:
    """h_1 … h_T (T, B, H) of the core, and its last state."""
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
    h, after = transformed.apply(_nested(weights, "core"), x)
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
    """A core, or a `DeepRNN` of cores, by the function that makes it, and its parameters (of `init`) as a backend.

    Raises:
        InvalidProblemError: the parameters are not those of such a core.
    """
    if not params or not all(isinstance(arrays, Mapping) for arrays in params.values()):
        raise InvalidProblemError("haiku's parameters are no arrays by module and name, expected what init returned")
    made = _made(core)
    shown_name = f"haiku {getattr(getattr(core, 'func', core), '__name__', 'core')}"
    cores = _cores_of(shown_name, made)
    names = [one.module_name for one in cores]
    weights: list[dict[str, np.ndarray]] = [{} for _ in cores]
    for module, arrays in params.items():
        k = next((k for k, name in enumerate(names) if f"{module}/".startswith(f"{name}/")), None)
        if k is None:
            held = " and ".join(sorted({module.partition("/")[0] for module in params}))
            raise InvalidProblemError(
                f"haiku's parameters belong to {held}, but the function makes {' and '.join(names)}"
            )
        inner = module.removeprefix(names[k]).removeprefix("/").replace("/", ".")
        weights[k] |= {f"{inner}.{name}" if inner else name: np.asarray(array) for name, array in arrays.items()}
    if LAYOUT.model_fields(weights[0])["cell"] == "rnn":
        if all(type(one) is hk.VanillaRNN for one in cores):
            stated["activation"] = "relu"  # it has no other
        require_activation(shown_name, stated.get("activation"))
    model = infer_model(LAYOUT, weights, **stated | {"num_layers": len(cores)})
    is_deep = isinstance(made, hk.DeepRNN)

    def network(
        weights: Sequence[Weights], x: Array, states: States | None, lengths: Array | None
    ) -> tuple[Array, States]:
        def unroll(x: Array) -> Any:
            core_here: Any = core()
            if states is None:
                state: Any = core_here.initial_state(x.shape[1])
            else:
                by_core = [tuple(state[k] for state in states) for k in range(len(names))]
                sized = [hk.LSTMState(*of_core) if len(of_core) > 1 else of_core[0] for of_core in by_core]
                state = tuple(sized) if is_deep else sized[0]
            return hk.dynamic_unroll(core_here, x, state)

        nested: dict[str, dict[str, Array]] = {}
        for of_core, name in zip(weights, names, strict=True):
            nested |= _nested(of_core, name)
        transformed: Any = hk.without_apply_rng(hk.transform(unroll))
        h, after = transformed.apply(nested, x)
        by_core = [tuple(of_core) if isinstance(of_core, tuple) else (of_core,) for of_core in _apart(after, is_deep)]
        return h, tuple(jnp.stack(state) for state in zip(*by_core, strict=True))

    described: dict[str, Any] = {"has_own_state": True, "gives_final_states": True}
    return wrap_network_on_jax(shown_name, LAYOUT, model, weights, network, **described)


def _apart(state: Any, is_deep: bool) -> Sequence[Any]:
    return state if is_deep else [state]


def _made(core: Callable[[], hk.RNNCore]) -> Any:
    """What the function makes."""
    made: list[Any] = []
    run: Any = hk.transform(lambda: made.append(core()))
    try:
        run.apply({}, None)
    except Exception as error:  # whatever a function raises that is none that makes a core
        raise InvalidProblemError(
            f"the function of haiku raised {first_line(error)}: expected one without arguments that makes a core"
        ) from error
    return made[0]


def _cores_of(shown: str, made: Any) -> list[Any]:
    """The cores of a `DeepRNN` in their order; a core alone."""
    if not isinstance(made, hk.RNNCore):
        raise InvalidProblemError(f"the function of {shown} makes a {type(made).__name__}, expected a core of haiku")
    if not hasattr(made, "layers"):
        return [made]
    if type(made) is not hk.DeepRNN or getattr(made, "skip_connections", False):
        raise InvalidProblemError(
            f"{shown} has connections that skip cores, expected a plain DeepRNN, or one of its cores"
        )
    others = [layer for layer in made.layers if not isinstance(layer, hk.RNNCore)]
    if others or not made.layers:
        what = getattr(others[0], "__name__", type(others[0]).__name__) if others else "nothing"
        raise InvalidProblemError(f"{shown} is a DeepRNN with {what} in it, expected cores alone: pass them one by one")
    return list(made.layers)


BACKEND = JaxLibrary("haiku", LAYOUT, make)
wrap_weights = BACKEND.wrap_weights
