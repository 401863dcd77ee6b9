"""HIPS autograd: the forward pass in autograd.numpy, differentiated by its tape. To be timed against the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from autograd import value_and_grad
from autograd.tracer import getval

from ..interface import Evaluation
from ..models import Model, Recurrent
from ..problems import Problem
from .autograd_activations_losses import Array
from .autograd_recurrent import Arrays, forward


class AutogradBackend:
    """A loop in autograd.numpy. It has no adjoints."""

    name = "autograd"

    def supports(self, model: Model, dtype: str) -> str:
        if not isinstance(model, Recurrent):
            return "autograd computes recurrent networks only"
        if model.truncation is not None:
            return "autograd has no truncation: it cannot stop a gradient within a function"
        if model.differentiation == "forward":
            return (
                "autograd differentiates in reverse mode only: its forward mode has no rules for where() and sigmoid()"
            )
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        outputs = []

        def loss_of(arrays: Arrays) -> Array:
            loss, o = forward(problem, arrays)
            outputs.append(getval(o))
            return loss

        with np.errstate(all="ignore"):  # an overflow gives infinities, whatever the host's error state is
            loss, gradients = value_and_grad(loss_of)(problem.differentiable)
        return Evaluation(float(loss), gradients, *outputs)

    def prepare(self, problem: Problem) -> Callable[[], tuple[Array, dict[str, Array]]]:
        def loss_of(params: Arrays) -> Array:
            return forward(problem, {**problem.differentiable, **params})[0]

        compute, params = value_and_grad(loss_of), dict(problem.params)

        def run() -> tuple[Array, dict[str, Array]]:
            with np.errstate(all="ignore"):
                return compute(params)

        return run
