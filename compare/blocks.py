"""Blocks: the pieces that are compared, each on its own scale.

A block is one parameter's gradient, or one time step of what has time steps. A vanishing gradient of 1e-12
is so judged as strictly as one of 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..backends import Evaluation, Problem

GRADIENTS_IN_TIME = ("inputs",)


class Quantity(NamedTuple):
    """A compared array as rows of blocks.

    Attributes:
        values: the array as it was answered.
        in_time: whether its first axis is time; then each step is a block, and else the whole is one.
    """

    values: np.ndarray
    in_time: bool

    @property
    def blocks(self) -> np.ndarray:
        """(number of blocks, entries of each)."""
        return self.values.reshape(len(self.values) if self.in_time else 1, -1)


def expected_shapes(problem: Problem) -> dict[str, dict[str, tuple[int, ...]]]:
    """The names and shapes of a whole answer, by the field of `Evaluation` that they stand in."""
    T, B, _ = problem.inputs.shape
    H, K = problem.model.hidden_size, problem.model.output_size
    return {
        "gradients": {**problem.model.parameter_shapes, "h0": (B, H), "inputs": problem.inputs.shape},
        "outputs": {"outputs": (T, B, K)},
        "adjoints": {"o": (T, B, K), "h": (T, B, H), "a": (T, B, H)},
    }


def quantities(answer: Evaluation) -> dict[str, Quantity]:
    """Everything in an answer by the name under which it is judged: `loss`, `outputs`, `dU`, `dh` …"""
    found = {"loss": Quantity(np.asarray(answer.loss), False), "outputs": Quantity(answer.outputs, True)}
    for name, values in answer.gradients.items():
        found[f"d{name}"] = Quantity(values, name in GRADIENTS_IN_TIME)
    for name, values in answer.adjoints.items():
        found[f"d{name}"] = Quantity(values, True)
    return found
