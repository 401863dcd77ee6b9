"""What a layout is, and the way between a library's weights and the parameters of a problem.

Weights are arrays by the library's names, of one layer in one direction; parameters are U, W, b and b_hn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidProblemError
from ..models import LayerDirection, Recurrent

Arrays = dict[str, np.ndarray]
Given = Mapping[str, np.ndarray]


def one_by_one(place: LayerDirection, name: str) -> str:
    """`layer0.reverse.kernel`; of a single layer `kernel`."""
    return f"{place.prefix}{place.suffix[1:]}{'.' if place.suffix else ''}{name}"


@dataclass(frozen=True)
class Layout:
    """How a library names the weights of a recurrent layer, and how it arranges them.

    `pack` and `unpack` move numbers and change none of them but for the sign: so they map gradients as well.

    Attributes:
        pack: the weights that hold U, W, b and, of a GRU with the reset after, b_hn.
        unpack: the parameters that the weights of such a model hold. Where the library adds two biases, the second
            is `b_h`.
        describe: the fields `cell`, `input_size`, `hidden_size` and `bias` of the model, and its `reset` where the
            weights tell it. Raises InvalidProblemError for other weights.
        unsupported: why the library has no layer for a model; empty if it has one.
        added_to_forget_gate: what the library adds to the LSTM's b_f when it runs.
        placed: the name in a stack of what is called so in a single layer.
        directions_in_one: whether the first axis of an array in a file is that of the directions.
    """

    pack: Callable[[Recurrent, Given], Arrays]
    unpack: Callable[[Recurrent, Given], Arrays]
    describe: Callable[[Given], dict[str, Any]]
    unsupported: Callable[[Recurrent], str]
    added_to_forget_gate: float = 0.0
    placed: Callable[[LayerDirection, str], str] = one_by_one
    directions_in_one: bool = False

    def from_params(self, model: Recurrent, params: Given) -> list[Arrays]:
        """A problem's parameters as weights, of every layer and direction in the order of `model.places`.

        A bias that the library has and the model has not is zero; what the model has not is left alone.

        Raises:
            UnsupportedProblemError: the library has no place for a number that is not zero.
        """
        weights = []
        for place in model.places:
            own = {
                name: params[place.name(name)] for name in _names(model) if place.name(name) in model.parameter_shapes
            }
            for name, size in (("b", model.linear_size), ("b_hn", model.hidden_size)):
                if name in _names(model):
                    own.setdefault(name, np.zeros(size, own["W"].dtype))
            self._raise_forget_gate(model, own, -self.added_to_forget_gate)
            weights.append(_contiguous(self.pack(model, own)))
        return weights

    def zeros(self, model: Recurrent, dtype: str = "float64") -> list[Arrays]:
        """The weights of a model whose parameters are all zero."""
        return self.from_params(model, {name: np.zeros(shape, dtype) for name, shape in model.parameter_shapes.items()})

    def to_params(self, model: Recurrent, weights: Sequence[Given]) -> Arrays:
        """The parameters from the weights of every layer and direction; of two biases the sum, and no b_hn is zero."""
        params: Arrays = {}
        for place, held in zip(model.places, weights, strict=True):
            own = self.unpack(model, held)
            if "b_h" in own:
                own["b"] = own["b"] + own["b_h"]
            if "b" in own and "b_hn" in _names(model):
                own.setdefault("b_hn", np.zeros_like(own["b"][: model.hidden_size]))
            self._raise_forget_gate(model, own, self.added_to_forget_gate)
            params |= _placed(model, place, own)
        return params

    def gradients(self, model: Recurrent, found: Sequence[Given]) -> Arrays:
        """The parameters' gradients from those of the weights, as far as the library has these parameters.

        Two biases that are added have the same gradient, that of b.
        """
        gradients: Arrays = {}
        for place, held in zip(model.places, found, strict=True):
            gradients |= _placed(model, place, self.unpack(model, held))
        return gradients

    def require_shapes(self, model: Recurrent, weights: Sequence[Given]) -> None:
        """Raises InvalidProblemError, with the weight's own name, unless the weights fit the model and each other."""
        for place, held, expected in zip(model.places, weights, self.zeros(model), strict=True):
            for name, array in held.items():
                if name in expected and array.shape != expected[name].shape:
                    raise InvalidProblemError(
                        f"{self.placed(place, name)} has shape {array.shape}, expected {expected[name].shape}"
                    )

    def named(self, model: Recurrent, weights: Sequence[Given]) -> Arrays:
        """The weights of all layers and directions by their names in a file."""
        arrays: Arrays = {}
        for layer in model.layers:
            held = [weights[place.number] for place in layer]
            if self.directions_in_one:
                joined = {name: np.concatenate([each[name] for each in held]) for name in held[0]}
                arrays |= {self.placed(layer[0], name): array for name, array in joined.items()}
            else:
                for place, own in zip(layer, held, strict=True):
                    arrays |= {self.placed(place, name): array for name, array in own.items()}
        return arrays

    def _raise_forget_gate(self, model: Recurrent, own: Arrays, by: float) -> None:
        if by and model.cell == "lstm" and "b" in own:
            H, k = model.hidden_size, model.gates.index("f")
            own["b"] = own["b"].copy()
            own["b"][H * k : H * (k + 1)] += by


def _names(model: Recurrent) -> tuple[str, ...]:
    """The parameters of a layer, biases included."""
    return ("U", "W", "b", "b_hn") if model.cell == "gru" and model.reset == "after" else ("U", "W", "b")


def _placed(model: Recurrent, place: LayerDirection, own: Given) -> Arrays:
    """What a layer and direction has, by its names in the whole network."""
    names = [name for name in _names(model) if name in own and place.name(name) in model.parameter_shapes]
    return _contiguous({place.name(name): own[name] for name in names})


def _contiguous(arrays: Given) -> Arrays:
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}
