"""Flax NNX: `nnx.RNN` over its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from flax import nnx
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import Array

from ..layouts import NO_B_HN, get_layout
from ..models import Model, Recurrent
from .flax_cells import as_carry, by_prefix, scans_in, wrap_cells
from .layers_on_jax import JaxLibrary, States, Weights, on_jax, wrap_on_jax
from .supported_networks import layer_sizes
from .wrapped_layer import WrappedLayer

LAYOUT = get_layout("flax-nnx")
CELL_CLASSES = {"rnn": nnx.SimpleCell, "lstm": nnx.OptimizedLSTMCell, "gru": nnx.GRUCell}
ACTIVATION_FUNCTIONS = {"tanh": nnx.tanh, "relu": nnx.relu, "sigmoid": nnx.sigmoid, "identity": lambda a: a}


def make(model: Recurrent, input_size: int, *, by_gate: bool = False) -> partial[tuple[Array, States]]:
    """The layer of a model; with a kernel for each gate, `LSTMCell`.

    `SimpleCell` computes in float32 unless it is stated not to.
    """
    options = {"activation_fn": ACTIVATION_FUNCTIONS[model.activation], "dtype": None} if model.cell == "rnn" else {}
    cell = nnx.LSTMCell if by_gate else CELL_CLASSES[model.cell]
    shapes = nnx.eval_shape(lambda: cell(input_size, model.hidden_size, rngs=nnx.Rngs(0), **options))
    return partial(call, *nnx.split(shapes))


def call(
    graph: Any, state: Any, weights: Weights, x: Array, states: States | None, lengths: Array | None = None
) -> tuple[Array, States]:
    """h_1 … h_T (T, B, H), and the last state. Flax carries (c, h)."""
    run: Any = nnx.RNN(_cell(graph, state, weights), time_major=True, return_carry=True)
    carry, h = run(x, initial_carry=as_carry(states), seq_lengths=lengths)
    return h, carry[::-1] if isinstance(carry, tuple) else (carry,)


def build(model: Recurrent, weights: Mapping[str, np.ndarray]) -> nnx.Module:
    """The cell of a model, with these weights."""
    graph, state = make(model, model.input_size).args
    cell = _cell(graph, state, on_jax(weights))
    cell.param_dtype = next(iter(weights.values())).dtype  # of its own state too
    return cell


def _cell(graph: Any, state: Any, weights: Weights) -> Any:
    """The cell, or what runs it, with these weights in its state."""
    state = jax.tree.map(lambda leaf: leaf, state)  # variables of this trace, such as the counts of random numbers
    nnx.replace_by_pure_dict(state, unflatten_dict({tuple(name.split(".")): array for name, array in weights.items()}))
    return nnx.merge(graph, state)


def wrap(thing: nnx.Module, **stated: Any) -> WrappedLayer:
    """A cell, an `nnx.RNN` over one, or an `nnx.Bidirectional` over two, as a backend.

    Raises:
        RequestError: its weights are not those of a cell that is known, or it treats them in a way of its own.
    """
    name = f"flax-nnx {type(thing).__name__}"
    wrappers = scans_in(name, thing, nnx, ("state_axes", "broadcast_rngs"))
    prefixes = ("forward_rnn.cell.", "backward_rnn.cell.") if len(wrappers) > 1 else ("cell.",)
    runner = thing if wrappers else nnx.RNN(thing, time_major=True)  # type: ignore[arg-type]
    params = nnx.to_pure_dict(nnx.state(runner, nnx.Param))
    flat = {".".join(map(str, name)): np.asarray(array) for name, array in flatten_dict(params).items()}
    weights = by_prefix(flat, prefixes)
    graph, state = nnx.split(runner)

    def run(weights: Any, x: Array, carry: Any, lengths: Array | None) -> tuple[Any, Array]:
        placed = {
            f"{prefix}{name}": array
            for prefix, of_cell in zip(prefixes, weights, strict=True)
            for name, array in of_cell.items()
        }
        merged = _cell(graph, state, placed)
        after, h = merged(x, initial_carry=carry, seq_lengths=lengths, return_carry=True)
        return after, h

    cells = [wrapper.cell for wrapper in wrappers] or [thing]
    return wrap_cells(name, LAYOUT, thing, cells, weights, run, stated)


class FlaxNnx(JaxLibrary):
    """The library, whose GRU has no b_hn, so that only a GRU without biases is compared."""

    def supports(self, model: Model, dtype: str) -> str:
        no_b_hn = isinstance(model, Recurrent) and model.cell == "gru" and model.bias
        return super().supports(model, dtype) or (
            f"{NO_B_HN}: only a GRU without biases is compared" if no_b_hn else ""
        )

    def wrap_weights(self, model: Recurrent, weights: Sequence[Mapping[str, np.ndarray]]) -> WrappedLayer:
        """New layers with these weights as a backend, of the cells that have such weights."""
        sized = zip(layer_sizes(model), weights, strict=True)
        calls = [make(model, size, by_gate=set(of_layer) <= set(LAYOUT.other_names)) for size, of_layer in sized]
        return wrap_on_jax(self.name, self.layout, model, weights, calls)


BACKEND = FlaxNnx("flax-nnx", LAYOUT, make)
wrap_weights = BACKEND.wrap_weights
