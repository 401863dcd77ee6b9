"""The hand derivation (`gradparity.manual`), behind the interface. `manual_compiled_backend` compiles it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...manual import Buffers, LossAndGradients, descend, feedforward, loss_and_gradients, ordered
from ..errors import UnsupportedProblemError
from ..interface import Evaluation
from ..models import TRUNCATIONS, FeedForward, Model, OrderedSystem, Recurrent, Traced
from ..problems import Problem


def answer(problem: Problem, **extra_options: Any) -> LossAndGradients:
    """The hand derivation's answer. Overflow gives infinities, whatever the host's error state is.

    Args:
        problem: the model and its numbers.
        **extra_options: of a recurrent model, `buffers` and `params_only` of `loss_and_gradients`.
    """
    model = problem.model
    with np.errstate(all="ignore"):
        match model:
            case Recurrent():
                arrays: Any = (problem.params, problem.inputs, problem.targets, *problem.states.values())
                return loss_and_gradients(*arrays, **{"lengths": problem.lengths, **options(model), **extra_options})
            case FeedForward():
                arrays = (problem.params, problem.inputs, problem.targets)
                same: Any = {"activation": model.activation, "loss": model.loss, "reduction": model.reduction}
                return feedforward.loss_and_gradients(*arrays, **same)
            case OrderedSystem():
                objective = np.array(model.objective, problem.dtype)
                return ordered.loss_and_gradients(problem.params["A"], objective, problem.inputs)
            case Traced():
                raise UnsupportedProblemError(f"manual has no derivation of {model.function}")


def options(model: Recurrent) -> dict[str, Any]:
    """A model's fields as the keyword arguments of `loss_and_gradients`."""
    names = ("cell", "num_layers", "bidirectional", "differentiation", "loss", "reduction", "loss_at")
    fields = {name: getattr(model, name) for name in names}
    of_the_cell = {"rnn": ("activation",), "gru": ("reset",)}
    fields |= {name: getattr(model, name) for name in of_the_cell.get(model.cell, ())}
    if model.truncation:
        truncation_names = {truncation: name for name, truncation in TRUNCATIONS.items()}
        fields["truncation"] = (truncation_names[type(model.truncation)], model.truncation.steps)
    return fields


class ManualBackend:
    """Backpropagation through time derived by hand, in NumPy."""

    name = "manual"

    def supports(self, model: Model, dtype: str) -> str:
        return "a recorded function has no derivation by hand" if isinstance(model, Traced) else ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        result = answer(problem)
        return Evaluation(float(result.loss), result.gradients, result.outputs, result.adjoints if trace else {})

    def prepare(self, problem: Problem) -> Callable[[], tuple[np.floating, dict[str, np.ndarray]]]:
        extra_options: dict[str, Any] = {}
        if isinstance(problem.model, Recurrent):
            extra_options = {"buffers": Buffers(), "params_only": True}

        def run() -> tuple[np.floating, dict[str, np.ndarray]]:
            result = answer(problem, **extra_options)
            return result.loss, {name: result.gradients[name] for name in problem.params}

        return run

    def descend(
        self, params: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], learning_rate: float
    ) -> dict[str, np.ndarray]:
        return descend(params, gradients, learning_rate)
