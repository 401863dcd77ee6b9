"""Cells of the systems with other functions, such as hard_sigmoid: what defines them, and the tolerance for them.

The systems have σ and tanh in their gates, and four functions in a plain cell. Of others the definition in NumPy
answers beside the layers, and the tolerance is measured with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ...backends import Evaluation, Problem, Recurrent, UnsupportedProblemError
from ...backends.adapters.cell_functions import DEFINED_FUNCTIONS
from ...backends.adapters.wrapped_layer import LayerAnswer, Usage, WrappedLayer
from ..answers import Quantity, quantities
from ..tolerance import Tolerance
from . import cell_definitions
from .final_states import state_quantities
from .recorded_definition import Asked, Definition, RecordedDefinition, Values

FUNCTIONS = {"gate function": "gate", "activation": "activation"}  # by what a layer tells, the argument of a definition
OWN_STEP = "give the step in NumPy beside the layers, see docs/your-own-layer.md"


def definition_of(layer: WrappedLayer) -> Definition:
    """What a layer of the cells rnn, lstm and gru computes, with the functions that it has.

    Args:
        layer: of one of these cells.

    Returns:
        The definition, on U, W, b and b_hn.

    Raises:
        UnsupportedProblemError: one of its functions is not known here, or it departs in another way.
    """
    model, options = layer.model, dict[str, Any]()
    if model.cell == "rnn":
        options["activation"] = DEFINED_FUNCTIONS[model.activation]
    if model.cell == "gru":
        options["reset"] = model.reset
    for what, value in layer.departures.items():
        if what in FUNCTIONS and value in DEFINED_FUNCTIONS:
            options[FUNCTIONS[what]] = DEFINED_FUNCTIONS[value]
        elif what == "residual" and model.cell == "rnn":
            options["residual"] = True
        else:
            known = f", expected one of {', '.join(DEFINED_FUNCTIONS)}" if what in FUNCTIONS else ""
            raise UnsupportedProblemError(
                f"{layer.name} has {what} {value}, which has no definition in NumPy here{known}: {OWN_STEP}"
            )
    functions = ", ".join(f"{what} {value}" for what, value in layer.departures.items())
    name = f"definition of {model.cell}{f' with {functions}' if functions else ''}"
    return Definition(name, partial(getattr(cell_definitions, model.cell), **options))


def tolerance_of(layers: Sequence[WrappedLayer], problem: Problem) -> Callable[[], Tolerance] | None:
    """How far rounding moves what layers with other functions answer; None where they are those of the systems.

    Args:
        layers: that are compared.
        problem: what they are asked.

    Returns:
        What measures the tolerance of all blocks, the final states' among them; None where the layers depart from the
        systems in different ways, or in none, so that the systems' own tolerance holds.
    """
    departures = layers[0].departures
    if not departures or any(layer.departures != departures for layer in layers):
        return None
    return partial(_recorded(layers[0], problem).tolerance, partial(_quantities, problem))


def defining_layer(layer: WrappedLayer) -> WrappedLayer:
    """The definition of a layer, with its weights, as one that is compared with it.

    Args:
        layer: with functions that are known.

    Returns:
        The layer, which can be asked everything.

    Raises:
        UnsupportedProblemError: as `definition_of` does.
    """

    def evaluate(problem: Problem, trace: bool, usage: Usage) -> LayerAnswer:
        values = _recorded(layer, problem).values()
        gradients = values.evaluation.gradients
        left_out = problem.states if usage.own_state else {}
        answer = Evaluation(
            values.evaluation.loss,
            {name: gradients[name] for name in problem.differentiable if name not in left_out},
            values.evaluation.outputs,
            {"o": gradients["o"]} if trace else {},
        )
        return LayerAnswer(answer, _final_states(problem, values) if usage.final_states else {})

    can = {"has_own_state": True, "takes_lengths": True, "gives_final_states": True}
    return replace(layer, name=definition_of(layer).name, evaluator=evaluate, remarks=(), **can)  # type: ignore[arg-type]


def _recorded(layer: WrappedLayer, problem: Problem) -> RecordedDefinition:
    model = problem.model
    assert isinstance(model, Recurrent)
    assert problem.targets is not None
    readout = {name: array for name, array in problem.params.items() if name in ("V", "c")}
    asked = Asked(
        {name: array for name, array in problem.params.items() if name not in readout},
        {**readout, **problem.states, "inputs": problem.inputs},
        problem.targets,
        list(problem.states),
        problem.lengths,
        model.num_layers,
        model.bidirectional,
    )
    return RecordedDefinition(definition_of(layer), asked)


def _quantities(problem: Problem, values: Values) -> dict[str, Quantity]:
    assert isinstance(problem.model, Recurrent)
    gradients = values.evaluation.gradients
    answer = replace(
        values.evaluation,
        gradients={name: gradients[name] for name in problem.differentiable},
        adjoints={"o": gradients["o"]},
    )
    return quantities(answer, problem) | state_quantities(problem.model.places, _final_states(problem, values))


def _final_states(problem: Problem, values: Values) -> dict[str, np.ndarray]:
    """`h_n` and `c_n`, (P, B, H)."""
    shape = (-1, *next(iter(problem.states.values())).shape[-2:])
    return {f"{name.removesuffix('0')}_n": state.reshape(shape) for name, state in values.final_states.items()}
