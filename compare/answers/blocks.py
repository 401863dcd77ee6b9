"""Blocks: the pieces that are compared, each on its own scale.

A block is one parameter's gradient (of a gated cell, one gate's part of it), or one time step of what has time
steps. So a vanishing gradient of 1e-12 is judged as strictly as one of 1.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from ...backends import Evaluation, Model, OrderedSystem, Problem, Recurrent

GATED_PARAMS = ("U", "W", "b")


class Quantity(NamedTuple):
    """A compared array as rows of blocks.

    Attributes:
        values: the array as it was answered.
        labels: the blocks' names, in the order of the array's first axis, which they divide evenly.
        steps: whether the blocks are steps.

    Example:
        >>> gates = Quantity(np.arange(6.0).reshape(3, 2), ("db_r", "db_z", "db_n"), False)
        >>> gates.block(1)
        array([[2., 3.]])
    """

    values: np.ndarray
    labels: tuple[str, ...]
    steps: bool

    @property
    def blocks(self) -> np.ndarray:
        """The values as rows: (number of blocks, entries of each)."""
        return self.values.reshape(len(self.labels), -1)

    def block(self, i: int) -> np.ndarray:
        """Block i, in its own shape."""
        if len(self.labels) == 1:
            return self.values
        parts = np.split(self.values, len(self.labels))
        return parts[i][0] if self.steps else parts[i]


def expected_shapes(problem: Problem) -> dict[str, dict[str, tuple[int, ...]]]:
    """The names and shapes of a complete answer, by the fields of `Evaluation`."""
    model, leading = problem.model, problem.leading
    return {
        "gradients": {name: array.shape for name, array in problem.differentiable.items()},
        "outputs": {"outputs": model.output_spec(*leading).shape},
        "adjoints": {name: variable.shape for name, variable in model.variables(*leading).items()},
    }


def quantities(answer: Evaluation, problem: Problem) -> dict[str, Quantity]:
    """Everything in an answer by the name under which it is judged.

    These are `loss`; the outputs, such as `o_t`; gradients, such as `dU`, `dh0`, `dx_t`; and adjoints, such as
    `dh_t`. Their blocks are called `o_3`, `dU` or `dU_i`, `dx_3`, `dh_3`; in a stack `layer0.dh_3.reverse`.

    Args:
        answer: with all or some of its arrays.
        problem: that it answers.

    Example:
        >>> from gradparity.backends import get_backend
        >>> from gradparity.compare import SYSTEMS
        >>> problem = SYSTEMS["lstm"].problem(seed=0)
        >>> quantities(get_backend("manual").evaluate(problem), problem)["dU"].labels
        ('dU_i', 'dU_f', 'dU_g', 'dU_o')
    """
    model = problem.model
    compared = {"loss": Quantity(np.asarray(answer.loss), ("loss",), False)}
    output = model.output_spec(*problem.leading)
    if answer.outputs is not None:
        compared |= _quantity("z" if isinstance(model, OrderedSystem) else "o", answer.outputs, output.steps)
    for name, values in answer.gradients.items():
        if name == "inputs":
            compared |= _quantity("dx", values, isinstance(model, Recurrent))
        else:
            label = derivative(name)
            compared[label] = Quantity(values, _parts(name, model), False)
    variables = model.variables(*problem.leading)
    for name, values in answer.adjoints.items():
        compared |= _quantity(derivative(name), values, variables[name].steps)
    return compared


def derivative(name: str) -> str:
    """The name of a gradient.

    Example:
        >>> derivative("U"), derivative("layer0.U.reverse")
        ('dU', 'layer0.dU.reverse')
    """
    return re.sub(r"^(layer\d+\.)?", r"\1d", name)


def _quantity(name: str, values: np.ndarray, steps: bool) -> dict[str, Quantity]:
    """One quantity by its name, with a block for each step if it has steps."""
    if not steps:
        return {name: Quantity(values, (name,), False)}
    labels = tuple(_indexed(name, str(t)) for t in range(1, len(values) + 1))
    return {_indexed(name, "t"): Quantity(values, labels, True)}


def _parts(name: str, model: Model) -> tuple[str, ...]:
    """The gates' parts of a parameter of a gated cell, the layers' parts of an initial state, or the whole."""
    label = derivative(name)
    if not isinstance(model, Recurrent):
        return (label,)
    if name in model.state_names and len(model.places) > 1:
        return tuple(derivative(place.name(name)) for place in model.places)
    if name.removesuffix(".reverse").rpartition(".")[2] in GATED_PARAMS and model.gates:
        return tuple(_indexed(label, gate) for gate in model.gates)
    return (label,)


def _indexed(name: str, index: str) -> str:
    """`dh_3` of `dh`, `layer0.dh_3.reverse` of `layer0.dh.reverse`."""
    base = name.removesuffix(".reverse")
    return f"{base}_{index}{name[len(base) :]}"
