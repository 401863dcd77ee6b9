"""Layers of different libraries that should be the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

import numpy as np

from ...backends import Problem
from ...backends.adapters import wrap_layer
from ...backends.adapters.wrapped_layer import WrappedLayer
from ...backends.errors import RequestError
from ..referee import Comparison, DisagreementError, compare

READOUT_SIZE = 3  # K of the read-out that makes a loss of the states


def assert_same_layer(
    *layers: object, seq_len: int = 7, batch_size: int = 3, seed: int = 0, activation: str = "tanh"
) -> Comparison:
    """Passes if layers of any libraries, with the weights that they hold, have the same outputs and gradients.

    Each layer computes on a random sequence (T, B, D), from random initial states, by its own forward pass and its own
    autograd. Compared are its states through a random read-out, the squared error, and the gradients of the weights
    (mapped to U, W, b and b_hn, as far as the layers have them), of the initial states and of the inputs.

    Args:
        layers: two or more objects: a torch.nn layer or cell; a flax.nnx cell or RNN (of the LSTM, OptimizedLSTMCell);
            `(cell or RNN, variables)` of flax.linen; an equinox cell; `(function that makes a core, parameters)` of
            haiku; a built keras layer with return_sequences=True.
        seq_len: T.
        batch_size: B.
        seed: of the sequence, the states and the read-out.
        activation: of plain cells that do not tell theirs (flax's); of others it has no effect.

    Returns:
        The comparison, whose verdict is `agree`.

    Raises:
        DisagreementError: they differ; with the first step and block, and whether their weights differ already.
        AssertionError: they are not layers of one kind, size and dtype.
        RequestError: there are fewer than two, or an object is no known layer.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> layer, cell = torch.nn.LSTM(4, 5), torch.nn.LSTMCell(4, 5)
        >>> cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
        <All keys matched successfully>
        >>> assert_same_layer(layer, cell).verdict
        'agree'
    """
    if len(layers) < 2:
        raise RequestError(f"{len(layers)} layers were given, expected at least two")
    wrapped = _with_different_names([wrap_layer(layer, activation=activation) for layer in layers])
    for describe in (_description, attrgetter("dtype")):
        descriptions = {layer.name: describe(layer) for layer in wrapped}
        if len(set(descriptions.values())) > 1:
            stated = "; ".join(f"{name} is {description}" for name, description in descriptions.items())
            raise AssertionError(f"not the same layer: {stated}")
    comparison = compare_wrapped(wrapped, seq_len=seq_len, batch_size=batch_size, seed=seed)
    if comparison.verdict != "agree":
        raise DisagreementError(comparison, next_step="" if comparison.failures else _about_the_weights(wrapped))
    return comparison


def compare_wrapped(
    wrapped: Sequence[WrappedLayer], *, seq_len: int = 7, batch_size: int = 3, seed: int = 0
) -> Comparison:
    """Compares layers on a random batch; the tolerance is measured with the weights of the first one.

    Args:
        wrapped: layers of one kind, size and dtype.
        seq_len: T.
        batch_size: B.
        seed: of the sequence, the states and the read-out.
    """
    first = wrapped[0]
    model = replace(first.model, bias=any(layer.model.bias for layer in wrapped), output_size=READOUT_SIZE)
    drawn = Problem.from_seed(model, seq_len=seq_len, batch_size=batch_size, seed=seed, dtype=first.dtype)
    zeros = {name: np.zeros_like(array) for name, array in drawn.params.items() if array.ndim == 1}
    readout = {name: array for name, array in drawn.params.items() if name in ("V", "c")}
    return compare(replace(drawn, params=zeros | first.params | readout), wrapped)


def _description(layer: WrappedLayer) -> str:
    model = layer.model
    options = [f"reset {model.reset}"] if model.cell == "gru" else []
    options += [f"{model.num_layers} layers"] if model.num_layers > 1 else []
    options += ["both directions"] if model.bidirectional else []
    words = f"{model.cell} ({', '.join(options)})" if options else model.cell
    return f"{words} of D={model.input_size} H={model.hidden_size}"


def _with_different_names(wrapped: Sequence[WrappedLayer]) -> list[WrappedLayer]:
    """The layers, numbered where several have one name."""
    names = [layer.name for layer in wrapped]
    numbers = [names[: i + 1].count(name) for i, name in enumerate(names)]
    return [
        replace(layer, name=f"{layer.name} {number}") if names.count(layer.name) > 1 else layer
        for layer, number in zip(wrapped, numbers, strict=True)
    ]


def _about_the_weights(wrapped: Sequence[WrappedLayer]) -> str:
    """Whether the weights differ already, once they have the same names."""
    ulp = np.finfo(wrapped[0].dtype).eps  # of 1, which Haiku adds to the forget gate's bias, so that it may round
    differing = []
    for name in dict.fromkeys(name for layer in wrapped for name in layer.params):
        arrays = [layer.params.get(name, np.zeros(())) for layer in wrapped]  # no bias is one of zero
        largest = max(np.abs(array).max() for array in arrays)
        limit = ulp * max(1, largest) if name.startswith("b") or ".b" in name else ulp * largest
        if any(np.abs(array - arrays[0]).max() > limit for array in arrays):
            differing.append(name)
    if not differing:
        return "Mapped to the same names, their weights are the same: the layers compute something else."
    return f"Mapped to the same names, their weights differ in {', '.join(differing)}."
