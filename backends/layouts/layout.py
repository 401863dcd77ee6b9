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
ArrayMapping = Mapping[str, np.ndarray]


def one_by_one(place: LayerDirection, name: str) -> str:
    """`layer0.reverse.kernel`; of a single layer `kernel`."""
    layer = "" if place.layer is None else f"layer{place.layer}."
    return f"{layer}{'reverse.' if place.is_reverse else ''}{name}"


@dataclass(frozen=True)
class Layout:
    """How a library names the weights of a recurrent layer, and how it arranges them.

    `pack` and `unpack` move numbers and change none of them but for the sign: so they map gradients as well.

    Attributes:
        pack: the weights that hold U, W, b and, of a GRU with the reset after, b_hn.
        unpack: the parameters that the weights of such a model hold. Where the library adds two biases, the second
            is `b_h`.
        model_fields: the fields `cell`, `input_size`, `hidden_size` and `bias` of the model, and its `reset` where the
            weights tell it. Raises InvalidProblemError for other weights.
        unsupported: the reason why the library has no layer for a model; empty if it has one.
        added_to_forget_gate: what the library adds to the LSTM's b_f when it runs.
        placed: the name in a stack of what is called so in a single layer.
        directions: what stands before the names of the first direction, and of the second, in a layer that has both.
        spelled: a name in a file, its parts joined by points, as this layout has it: `lstm.lstm_cell.kernel:0` without
            its `:0`. Other names stay as they are.
        other_names: of weights that the library has in another of its cells; they are read, and not written.
        names_of_other_versions: of weights by which a cell of another version of the library is told; they are refused.
        directions_in_one: whether the first axis of an array in a file is that of the directions.
        others: the weights that the library's layers have with options that no model has, and what these are.
    """

    pack: Callable[[Recurrent, ArrayMapping], Arrays]
    unpack: Callable[[Recurrent, ArrayMapping], Arrays]
    model_fields: Callable[[ArrayMapping], dict[str, Any]]
    unsupported: Callable[[Recurrent], str]
    added_to_forget_gate: float = 0.0
    placed: Callable[[LayerDirection, str], str] = one_by_one
    directions: tuple[str, str] | None = None
    spelled: Callable[[str], str] = str
    other_names: tuple[str, ...] = ()
    names_of_other_versions: tuple[str, ...] = ()
    directions_in_one: bool = False
    others: tuple[tuple[str, str], ...] = ()

    def from_params(self, model: Recurrent, params: ArrayMapping) -> list[Arrays]:
        """A problem's parameters as weights, of every layer and direction in the order of `model.places`.

        A bias that the library has and the model has not is zero; what the model has not is left alone.

        Args:
            model: what is computed.
            params: U (G, D), W (G, H), b (G,) and b_hn (H,) of every layer and direction, by their names in a problem.

        Returns:
            The weights by the library's names, in an item for each layer and direction.

        Raises:
            UnsupportedProblemError: the library has no place for a number that is not zero.
        """
        weights = []
        for place in model.places:
            layer_params = {
                name: params[place.name(name)]
                for name in _layer_parameters(model)
                if place.name(name) in model.parameter_shapes
            }
            for name, size in (("b", model.linear_size), ("b_hn", model.hidden_size)):
                if name in _layer_parameters(model):
                    layer_params.setdefault(name, np.zeros(size, layer_params["W"].dtype))
            self._raise_forget_gate(model, layer_params, -self.added_to_forget_gate)
            weights.append(_contiguous(self.pack(model, layer_params)))
        return weights

    def zeros(self, model: Recurrent, dtype: str = "float64") -> list[Arrays]:
        """The weights of a model whose parameters are all zero.

        Args:
            model: what is computed.
            dtype: float64 or float32.

        Returns:
            As `from_params`.
        """
        return self.from_params(model, {name: np.zeros(shape, dtype) for name, shape in model.parameter_shapes.items()})

    def to_params(self, model: Recurrent, weights: Sequence[ArrayMapping]) -> Arrays:
        """The parameters from the weights: of two biases the sum, and where there is no b_hn, zeros.

        Args:
            model: what is computed.
            weights: of every layer and direction, in the order of `model.places`.

        Returns:
            The parameters by their names in a problem, but for the read-out's.
        """
        params: Arrays = {}
        for place, layer_weights in zip(model.places, weights, strict=True):
            layer_params = self.unpack(model, layer_weights)
            if "b_h" in layer_params:
                layer_params["b"] = layer_params["b"] + layer_params["b_h"]
            if "b" in layer_params and "b_hn" in _layer_parameters(model):
                layer_params.setdefault("b_hn", np.zeros_like(layer_params["b"][: model.hidden_size]))
            self._raise_forget_gate(model, layer_params, self.added_to_forget_gate)
            params |= _placed(model, place, layer_params)
        return params

    def gradients(self, model: Recurrent, weight_gradients: Sequence[ArrayMapping]) -> Arrays:
        """The parameters' gradients from those of the weights, as far as the library has these parameters.

        Two biases that are added have the same gradient, that of b.

        Args:
            model: what is computed.
            weight_gradients: dL/d· of the weights, in the order of `model.places`.

        Returns:
            dL/d· by the parameters' names in a problem.
        """
        gradients: Arrays = {}
        for place, layer_gradients in zip(model.places, weight_gradients, strict=True):
            gradients |= _placed(model, place, self.unpack(model, layer_gradients))
        return gradients

    def require_shapes(self, model: Recurrent, weights: Sequence[ArrayMapping]) -> None:
        """Checks that the weights fit the model and each other.

        Args:
            model: what is computed.
            weights: of every layer and direction, in the order of `model.places`.

        Raises:
            InvalidProblemError: a weight has another shape; the message has its name in the library.
        """
        for place, layer_weights, expected in zip(model.places, weights, self.zeros(model), strict=True):
            for name, array in layer_weights.items():
                if name in expected and array.shape != expected[name].shape:
                    raise InvalidProblemError(
                        f"{self.placed(place, name)} has shape {array.shape}, expected {expected[name].shape}"
                    )

    def named(self, model: Recurrent, weights: Sequence[ArrayMapping]) -> Arrays:
        """The weights of all layers and directions by their names in a file.

        Args:
            model: what is computed.
            weights: of every layer and direction, in the order of `model.places`.

        Returns:
            Arrays by name. Two directions are one array where `directions_in_one` says so.
        """
        arrays: Arrays = {}
        for layer in model.layers:
            directions = [weights[place.number] for place in layer]
            if self.directions_in_one:
                joined = {name: np.concatenate([direction[name] for direction in directions]) for name in directions[0]}
                arrays |= {self.placed(layer[0], name): array for name, array in joined.items()}
            else:
                for place, weights_of_direction in zip(layer, directions, strict=True):
                    arrays |= {
                        self.name_in_file(place, name, model.bidirectional): array
                        for name, array in weights_of_direction.items()
                    }
        return arrays

    def name_in_file(self, place: LayerDirection, name: str, bidirectional: bool) -> str:
        """The name in a file of what is called so in a single layer.

        Args:
            place: the layer and the direction.
            name: `kernel`, for example.
            bidirectional: whether the layer has both directions.

        Returns:
            `layer1.forward_layer.cell.kernel`, for example.
        """
        if not (bidirectional and self.directions):
            return self.placed(place, name)
        layer = "" if place.layer is None else f"layer{place.layer}."
        return f"{layer}{self.directions[place.is_reverse]}{name}"

    def _raise_forget_gate(self, model: Recurrent, layer_params: Arrays, by: float) -> None:
        if by and model.cell == "lstm" and "b" in layer_params:
            H, k = model.hidden_size, model.gates.index("f")
            layer_params["b"] = layer_params["b"].copy()
            layer_params["b"][H * k : H * (k + 1)] += by


def _layer_parameters(model: Recurrent) -> tuple[str, ...]:
    """The parameters of a layer, biases included."""
    return ("U", "W", "b", "b_hn") if model.cell == "gru" and model.reset == "after" else ("U", "W", "b")


def _placed(model: Recurrent, place: LayerDirection, layer_params: ArrayMapping) -> Arrays:
    """What a layer and direction has, by its names in the whole network."""
    names = [
        name for name in _layer_parameters(model) if name in layer_params and place.name(name) in model.parameter_shapes
    ]
    return _contiguous({place.name(name): layer_params[name] for name in names})


def _contiguous(arrays: ArrayMapping) -> Arrays:
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}
