"""PyTorch under autograd: the forward pass written out, and nothing of the backward pass."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..frameworks.torch_isolation import in_one_thread, isolated
from ..interface import Evaluation
from ..models import FeedForward, Model, OrderedSystem, Recurrent, Traced
from ..problems import Problem
from ..tracing.replay_torch import differentiate
from . import torch_feedforward, torch_recurrent
from .devices import DEVICES
from .torch_tensors import (
    Batch,
    Tensors,
    batch_of,
    descend,
    gradient,
    require_torch_device,
    synchronized,
    tensor,
    with_gradients,
    within_lengths,
)

FORWARD: dict[type[Model], Callable[..., tuple[Tensor, Tensor]]] = {
    Recurrent: torch_recurrent.forward,
    FeedForward: torch_feedforward.feedforward,
    OrderedSystem: torch_feedforward.ordered,
}


class TorchBackend:
    """The forward pass written out on tensors; its adjoints are retained gradients."""

    name = "torch"
    devices = DEVICES
    descend = staticmethod(descend)

    def supports(self, model: Model, dtype: str) -> str:
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        if isinstance(problem.model, Traced):
            return differentiate(problem)
        with isolated(), in_one_thread():
            if _in_forward_mode(problem.model):
                return _evaluate_in_forward_mode(problem)
            leaves, batch = _tensors(problem, differentiated=problem.differentiable), batch_of(problem)
            recorded: dict[str, dict[int, list[Tensor]]] = defaultdict(lambda: defaultdict(list))

            def record(name: str, step: int, value: Tensor) -> None:
                if value.requires_grad:
                    value.retain_grad()
                    recorded[name][step].append(value)

            loss, outputs = FORWARD[type(problem.model)](problem.model, leaves, batch, record if trace else None)
            loss.backward()
            return Evaluation(
                loss=loss.item(),
                gradients={name: gradient(leaf) for name, leaf in leaves.items()},
                outputs=_outputs_within_lengths(outputs, batch),
                adjoints=_adjoints(problem, recorded) if trace else {},
            )

    def prepare(self, problem: Problem, *, device: str = "cpu") -> Callable[[], tuple[Tensor, Tensors]]:
        require_torch_device(self.name, device)
        forward_mode = _in_forward_mode(problem.model)
        with isolated():
            differentiated = () if forward_mode else problem.params
            arrays, batch = _tensors(problem, differentiated=differentiated, device=device), batch_of(problem, device)
        params = {name: arrays[name] for name in problem.params}

        def loss_of(params: Tensors) -> tuple[Tensor, Tensor]:
            loss, _ = FORWARD[type(problem.model)](problem.model, {**arrays, **params}, batch)
            return loss, loss

        def compute() -> tuple[Tensor, Tensors]:
            if forward_mode:
                gradients, loss = _jacfwd(loss_of, params)
                return loss, gradients
            return with_gradients(loss_of(params)[0], params)

        return synchronized(compute, device)


def _tensors(problem: Problem, *, differentiated: Any, device: str = "cpu") -> Tensors:
    return {
        name: tensor(array, requires_grad=name in differentiated, device=device)
        for name, array in problem.differentiable.items()
    }


def _outputs_within_lengths(outputs: Tensor, batch: Batch) -> np.ndarray:
    return within_lengths(outputs, batch).detach().numpy()


def _adjoints(problem: Problem, recorded: dict[str, dict[int, list[Tensor]]]) -> dict[str, np.ndarray]:
    """At every step the sum over all copies of a variable that were computed; a window computes several."""
    adjoints = {}
    for name, (shape, steps) in problem.model.variables(*problem.leading).items():
        total = np.zeros(shape if steps else (1, *shape), problem.dtype)
        for step, copies in recorded[name].items():
            for copy in copies:
                total[step] += gradient(copy)
        adjoints[name] = total if steps else total[0]
    return adjoints


def _in_forward_mode(model: Model) -> bool:
    return isinstance(model, Recurrent) and model.differentiation == "forward"


def _evaluate_in_forward_mode(problem: Problem) -> Evaluation:
    """By `torch.func.jacfwd`, which has no adjoints."""
    batch = batch_of(problem)

    def loss_of(arrays: Tensors) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        loss, outputs = FORWARD[type(problem.model)](problem.model, arrays, batch)
        return loss, (loss, outputs)

    gradients, (loss, outputs) = _jacfwd(loss_of, _tensors(problem, differentiated=()))
    return Evaluation(
        loss=loss.item(),
        gradients={name: array.numpy() for name, array in gradients.items()},
        outputs=_outputs_within_lengths(outputs, batch),
    )


def _jacfwd(function: Callable[[Tensors], tuple[Tensor, Any]], at: Tensors) -> tuple[Tensors, Any]:
    """The derivatives of a function's first result, and its second result."""
    with warnings.catch_warnings():  # PyTorch 2.13 deprecates what its own forward mode is made of
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        return torch.func.jacfwd(function, has_aux=True)(at)
