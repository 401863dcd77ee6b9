"""Blocks: the pieces that are compared, each on its own scale.

A block is one parameter's gradient (of a gated cell, one gate's part of it), or one time step of what has time
steps. So a vanishing gradient of 1e-12 is judged as strictly as one of 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...backends import Evaluation, Model, OrderedSystem, Problem, Recurrent
from ...backends.models import Traced
from .names import QuantityName, gradient_name

GATED_PARAMS = ("U", "W", "b")


class Quantity(NamedTuple):
    """A compared array as rows of blocks.

    Attributes:
        name: what it is.
        values: the array as it was answered.
        block_names: the names of its blocks, in the order of the array's first axis, which they divide evenly.
    """

    name: QuantityName
    values: np.ndarray
    block_names: tuple[QuantityName, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The blocks' names as they are shown."""
        return tuple(map(str, self.block_names))

    @property
    def has_steps(self) -> bool:
        """Whether the blocks are steps."""
        return self.block_names[0].step is not None

    @property
    def blocks(self) -> np.ndarray:
        """The values as rows: (number of blocks, entries of each)."""
        return self.values.reshape(len(self.block_names), -1)

    def block(self, i: int) -> np.ndarray:
        """Block i, in its own shape."""
        if len(self.block_names) == 1:
            return self.values
        parts = np.split(self.values, len(self.block_names))
        return parts[i][0] if self.has_steps else parts[i]


def expected_shapes(problem: Problem) -> dict[str, dict[str, tuple[int, ...]]]:
    """The names and shapes of a complete answer, by the fields of `Evaluation`."""
    model, leading = problem.model, problem.leading
    output = model.output_spec(*leading)
    return {
        "gradients": {name: array.shape for name, array in problem.differentiable.items()},
        "outputs": {} if output is None else {"outputs": output.shape},
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
    model, found = problem.model, [whole(QuantityName("loss"), np.asarray(answer.loss))]
    if answer.outputs is not None:
        symbol = "z" if isinstance(model, OrderedSystem) else "o"
        has_steps = model.output_spec(*problem.leading).steps
        found.append(by_step(QuantityName(symbol), answer.outputs, has_steps=has_steps))
    for array, values in answer.gradients.items():
        if isinstance(model, Traced):  # whose arrays have names of their author's
            found.append(whole(QuantityName(array, is_derivative=True), values))
            continue
        name = gradient_name(array, has_steps=isinstance(model, Recurrent))
        if name.index:
            found.append(by_step(name, values))
        else:
            found.append(Quantity(name, values, _parts(array, name, model)))
    variables = model.variables(*problem.leading)
    for array, values in answer.adjoints.items():
        name = QuantityName.of_array(array, is_derivative=True)
        found.append(by_step(name, values, has_steps=variables[array].steps))
    return {str(quantity.name): quantity for quantity in found}


def whole(name: QuantityName, values: np.ndarray) -> Quantity:
    """A quantity that is one block."""
    return Quantity(name, values, (name,))


def by_step(name: QuantityName, values: np.ndarray, *, has_steps: bool = True) -> Quantity:
    """A quantity with a block for each step, counted from 1; or with one block if it has no steps."""
    if not has_steps:
        return whole(name, values)
    return Quantity(name.at("t"), values, name.steps(len(values)))


def _parts(array: str, name: QuantityName, model: Model) -> tuple[QuantityName, ...]:
    """The gates' parts of a parameter of a gated cell, the layers' parts of an initial state, or the whole."""
    if not isinstance(model, Recurrent):
        return (name,)
    if array in model.state_names and len(model.places) > 1:
        return tuple(gradient_name(place.name(array)) for place in model.places)
    if name.symbol in GATED_PARAMS and model.gates:
        return tuple(name.at(gate) for gate in model.gates)
    return (name,)
