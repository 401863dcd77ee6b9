"""A library's layer as a backend, which computes with the layer's weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import InvalidProblemError, UnsupportedProblemError, unknown_name
from ..interface import Evaluation
from ..layouts import Layout
from ..models import Model, Recurrent
from ..problems import Problem
from .supported_networks import unsupported_network_reason

STATED = ("activation", "reset", "num_layers", "bidirectional")  # what weights do not tell


@dataclass(frozen=True, eq=False)
class WrappedLayer:
    """A library's layer, which computes with its own weights and takes the rest from a problem.

    Attributes:
        name: the library's and the layer's.
        layout: how the weights are laid out.
        model: what the layers compute, as far as they tell; its read-out and loss mean nothing.
        weights: of every layer and direction.
        evaluator: computes the loss and the gradients of a problem; with True, the adjoints too.
    """

    partial: ClassVar[bool] = True  # a layer without b_hn has no gradient for it

    name: str
    layout: Layout
    model: Recurrent
    weights: Sequence[Mapping[str, np.ndarray]]
    evaluator: Callable[[Problem, bool], Evaluation]

    @property
    def params(self) -> dict[str, np.ndarray]:
        """U, W, b and b_hn, by their names in a problem."""
        return self.layout.to_params(self.model, self.weights)

    @property
    def dtype(self) -> str:
        """The dtype of the weights.

        Raises:
            InvalidProblemError: they have several.
        """
        dtypes = sorted({array.dtype.name for layer_weights in self.weights for array in layer_weights.values()})
        if len(dtypes) != 1:
            raise InvalidProblemError(f"{self.name} has weights of {' and '.join(dtypes)}, expected one dtype")
        return dtypes[0]

    def supports(self, model: Model, dtype: str) -> str:
        if reason := unsupported_network_reason(model):
            return reason
        same = isinstance(model, Recurrent) and _layer_fields(model) == _layer_fields(self.model)
        return "" if same else f"it wraps one layer only: {self.model.summary}"

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        return self.evaluator(problem, trace)

    def prepare(self, problem: Problem) -> Callable[[], tuple[float, dict[str, np.ndarray]]]:
        def run() -> tuple[float, dict[str, np.ndarray]]:
            evaluation = self.evaluate(problem)
            return evaluation.loss, {
                name: evaluation.gradients[name] for name in problem.params if name in evaluation.gradients
            }

        return run


def infer_model(layout: Layout, weights: Sequence[Mapping[str, np.ndarray]], **stated: Any) -> Recurrent:
    """The model of layers with these weights.

    Args:
        layout: how the weights are laid out.
        weights: of every layer and direction.
        **stated: the fields in `STATED`, as far as they are known.

    Returns:
        The model. Its read-out has one output, and its loss means nothing.

    Raises:
        RequestError: the weights are not those of such layers, or something else is stated.
    """
    for name in stated:
        if name not in STATED:
            raise unknown_name("field of the model", name, STATED)
    fields: dict[str, Any] = {"output_size": 1, "loss": "squared_error"} | layout.model_fields(weights[0]) | stated
    if fields["cell"] != "rnn":
        fields.pop("activation", None)
    if fields["cell"] != "gru":
        fields.pop("reset", None)
    model = Recurrent(**fields)
    if len(weights) != len(model.places):
        raise InvalidProblemError(f"there are weights of {len(weights)} layers, expected {len(model.places)}")
    layout.require_shapes(model, weights)
    return model


def require_forward(wrapper: Any, flax_class: type) -> None:
    """Raises UnsupportedProblemError unless a wrapper that runs a cell over time is Flax's own, and goes forward."""
    if type(wrapper) is not flax_class:
        raise UnsupportedProblemError(f"{type(wrapper).__name__} is a subclass of Flax's RNN: pass its cell instead")
    if getattr(wrapper, "reverse", False):
        raise UnsupportedProblemError("Flax's RNN has reverse=True: pass its cell, which runs forward")


def _layer_fields(model: Recurrent) -> tuple[object, ...]:
    activation = model.activation if model.cell == "rnn" else ""
    return model.cell, activation, model.sizes[:2], model.num_layers, model.bidirectional, model.reset
