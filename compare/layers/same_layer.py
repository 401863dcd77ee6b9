"""Layers of different libraries that should be the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...backends import Problem
from ...backends.adapters import wrap_layer
from ...backends.adapters.wrapped_layer import WrappedLayer
from ...backends.errors import RequestError
from ..referee import Comparison, DisagreementError, compare

OUTPUTS = 3  # of the read-out that makes a loss of the states


def assert_same_layer(
    *layers: object, seq_len: int = 7, batch_size: int = 3, seed: int = 0, activation: str = "tanh"
) -> Comparison:
    """Passes if layers of any libraries, with the weights that they wrap, have the same outputs and gradients.

    Each is asked on a random sequence, from random initial states, by its own forward pass and its own autograd: for
    the states through a random read-out and the squared error, and for the gradients of the weights (mapped to U, W, b
    and b_hn, as far as the layers have them), of the initial states and of the inputs.

    Args:
        layers: two or more objects: a torch.nn layer or cell; a flax.nnx cell or RNN (of the LSTM, OptimizedLSTMCell);
            `(cell or RNN, variables)` of flax.linen; an equinox cell; `(function that makes a core, parameters)` of
            haiku; a built keras layer with return_sequences=True.
        seq_len: T.
        batch_size: B.
        seed: from which the sequence is drawn.
        activation: of plain cells that do not tell theirs (flax's); of others it has no effect.

    Raises:
        DisagreementError: they differ; with the first step and block, and whether their weights differ already.
        AssertionError: they are not layers of one kind, size and dtype.
        RequestError: an object is no layer that is known.
    """
    if len(layers) < 2:
        raise RequestError(f"{len(layers)} layers were given, expected at least two")
    held = _with_different_names([wrap_layer(layer, activation=activation) for layer in layers])
    for what in ("kind", "dtype"):
        told = {each.name: _kind(each) if what == "kind" else each.dtype for each in held}
        if len(set(told.values())) > 1:
            raise AssertionError(
                "not the same layer: " + "; ".join(f"{name} is {value}" for name, value in told.items())
            )
    comparison = compare_wrapped(held, seq_len=seq_len, batch_size=batch_size, seed=seed)
    if comparison.verdict != "agree":
        raise DisagreementError(comparison, next_step="" if comparison.failures else _about_the_weights(held))
    return comparison


def compare_wrapped(
    held: Sequence[WrappedLayer], *, seq_len: int = 7, batch_size: int = 3, seed: int = 0
) -> Comparison:
    """Layers on a random batch; by the weights of the first it is measured how far rounding reaches."""
    model = replace(held[0].model, bias=any(each.model.bias for each in held), output_size=OUTPUTS)
    drawn = Problem.from_seed(model, seq_len=seq_len, batch_size=batch_size, seed=seed, dtype=held[0].dtype)
    zeros = {name: np.zeros_like(array) for name, array in drawn.params.items() if array.ndim == 1}
    own = {name: array for name, array in drawn.params.items() if name in ("V", "c")}
    return compare(replace(drawn, params=zeros | held[0].params | own), held)


def _kind(layer: WrappedLayer) -> str:
    model = layer.model
    options = [f"reset {model.reset}"] if model.cell == "gru" else []
    options += [f"{model.num_layers} layers"] if model.num_layers > 1 else []
    options += ["both directions"] if model.bidirectional else []
    words = f"{model.cell} ({', '.join(options)})" if options else model.cell
    return f"{words} of D={model.input_size} H={model.hidden_size}"


def _with_different_names(held: Sequence[WrappedLayer]) -> list[WrappedLayer]:
    names = [each.name for each in held]
    return [
        replace(each, name=f"{each.name} {names[: i + 1].count(each.name)}") if names.count(each.name) > 1 else each
        for i, each in enumerate(held)
    ]


def _about_the_weights(held: Sequence[WrappedLayer]) -> str:
    """Whether the weights differ already, once they have the same names."""
    ulp = np.finfo(held[0].dtype).eps  # of 1, which Haiku adds to the forget gate's bias, so that it may round
    differing = []
    for name in dict.fromkeys(name for each in held for name in each.params):
        found = [each.params.get(name, np.zeros(())) for each in held]  # no bias is one of zero
        largest = max(np.abs(array).max() for array in found)
        limit = ulp * max(1, largest) if name.startswith("b") or ".b" in name else ulp * largest
        if any(np.abs(array - found[0]).max() > limit for array in found):
            differing.append(name)
    if not differing:
        return "Mapped to the same names, their weights are the same: the layers compute something else."
    return f"Mapped to the same names, their weights differ in {', '.join(differing)}."
