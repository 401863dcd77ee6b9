"""A library's layer as a backend, which computes with the layer's weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..errors import InvalidProblemError, UnsupportedProblemError, unknown_name
from ..interface import Evaluation
from ..layouts import Layout
from ..models import Model, Recurrent
from ..problems import Problem
from .supported_networks import unsupported_network_reason

BACKWARD = "backward"  # with the outputs in the order of its steps
BACKWARD_IN_ORDER = "backward, its outputs in the order of the inputs"
STATED = ("activation", "reset", "num_layers", "bidirectional")  # what weights do not tell


@dataclass(frozen=True)
class Usage:
    """How a layer is called, beside on a whole sequence from given states.

    Attributes:
        own_state: no initial state is given, so that the layer takes its own; the problem's is not used.
        own_lengths: the problem's lengths are given to the layer, in the way that its library has for them. Otherwise
            what lies past a length is kept from the layer.
        hand_over_after: call it twice: on that many steps, and on the others from the states that the first call
            returned. 0 means one call.
        final_states: whether the states after the last step are asked for.
    """

    own_state: bool = False
    own_lengths: bool = False
    hand_over_after: int = 0
    final_states: bool = False


class LayerAnswer(NamedTuple):
    """What a layer answers.

    Attributes:
        evaluation: loss, gradients and outputs.
        final_states: `h_n`, and of an LSTM `c_n`, (P, B, H) for P layers and directions; empty if the layer does not
            give them, or was not asked for them.
    """

    evaluation: Evaluation
    final_states: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class WrappedLayer:
    """A library's layer, which computes with its own weights and takes the rest from a problem.

    Attributes:
        name: the library's and the layer's.
        layout: how the weights are laid out.
        model: what the layers compute, as far as they tell; its read-out and loss mean nothing.
        weights: of every layer and direction.
        evaluator: computes the loss and the gradients of a problem; with True, the adjoints too.
        departures: what the layer computes otherwise than the model, such as `{"gate function": "hard_sigmoid"}`.
        direction: `forward`; or how a layer goes backwards. It is given each sequence reversed, so that it computes the
            model.
        has_own_state: whether it can be called without an initial state.
        takes_lengths: whether it can be told the sequences' lengths.
        gives_final_states: whether it returns the states after the last step.
        remarks: what of the layer cannot be asked, in a line each.
        precision: the half precision in which it computes, such as `float16`, and not in that of its weights, which are
            widened; empty if it computes in theirs.
    """

    partial: ClassVar[bool] = True  # a layer without b_hn has no gradient for it

    name: str
    layout: Layout
    model: Recurrent
    weights: Sequence[Mapping[str, np.ndarray]]
    evaluator: Callable[[Problem, bool, Usage], LayerAnswer]
    departures: Mapping[str, str] = field(default_factory=dict)
    direction: str = "forward"
    has_own_state: bool = False
    takes_lengths: bool = False
    gives_final_states: bool = False
    remarks: tuple[str, ...] = ()
    precision: str = ""

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
        if self.departures:
            departures = [f"{what} {value}" for what, value in self.departures.items()]
            return f"it computes another cell: {', '.join(departures)}"
        if self.direction != "forward":
            return f"it goes {self.direction}"
        same = isinstance(model, Recurrent) and _layer_fields(model) == _layer_fields(self.model)
        return "" if same else f"it wraps one layer only: {self.model.summary}"

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        return self.evaluator(problem, trace, Usage()).evaluation

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
        **stated: the fields in `STATED`, as far as they are known; None is as good as not stated.

    Returns:
        The model. Its read-out has one output, and its loss means nothing.

    Raises:
        RequestError: the weights are not those of such layers, or something else is stated.
    """
    for name in stated:
        if name not in STATED:
            raise unknown_name("field of the model", name, STATED)
    fields: dict[str, Any] = {"output_size": 1, "loss": "squared_error"} | layout.model_fields(weights[0])
    fields |= {name: value for name, value in stated.items() if value is not None}
    if fields["cell"] != "rnn":
        fields.pop("activation", None)
    if fields["cell"] != "gru":
        fields.pop("reset", None)
    model = Recurrent(**fields)
    if len(weights) != len(model.places):
        raise InvalidProblemError(f"there are weights of {len(weights)} layers, expected {len(model.places)}")
    layout.require_shapes(model, weights)
    return model


def require_one_place(model: Recurrent, usage: Usage) -> None:
    """Raises UnsupportedProblemError for layers beside each other that would be told lengths, or called twice."""
    if len(model.places) > 1 and (usage.own_lengths or usage.hand_over_after):
        raise UnsupportedProblemError("a network of single layers is neither told lengths nor called in two parts")


def require_one_length(problem: Problem, usage: Usage) -> None:
    """Raises UnsupportedProblemError for lengths that an object which runs all its layers by itself is not told."""
    if problem.lengths is not None and not usage.own_lengths:
        raise UnsupportedProblemError("a wrapped layer takes sequences of one length, and the problem has lengths")


def _layer_fields(model: Recurrent) -> tuple[object, ...]:
    activation = model.activation if model.cell == "rnn" else ""
    return model.cell, activation, model.sizes[:2], model.num_layers, model.bidirectional, model.reset
