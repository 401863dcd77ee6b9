"""The hand derivation (`gradparity.manual`), behind the interface. The one module that imports it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..manual import Answer, loss_and_gradients
from .interface import Evaluation
from .model import Model
from .problem import Problem


def answer(problem: Problem) -> Answer:
    """The hand derivation's answer. Overflow gives infinities, whatever the host's error state is."""
    model = problem.model
    with np.errstate(all="ignore"):
        return loss_and_gradients(
            problem.params,
            problem.inputs,
            problem.targets,
            problem.h0,
            activation=model.activation,
            loss=model.loss,
            reduction=model.reduction,
            lengths=problem.lengths,
        )


class ManualBackend:
    """Backpropagation through time derived by hand, in NumPy."""

    name = "manual"

    def supports(self, model: Model, dtype: str) -> str:
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        found = answer(problem)
        return Evaluation(float(found.loss), found.gradients, found.outputs, found.adjoints if trace else {})

    def prepare(self, problem: Problem) -> Callable[[], Answer]:
        return lambda: answer(problem)
