"""PyTorch under autograd: the forward pass as an explicit loop, and nothing of the backward pass."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from .interface import Evaluation
from .model import Model
from .problem import Problem
from .torch_common import counted_steps, gradient, isolated, tensor, within_lengths

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": torch.clone,
}


class TorchBackend:
    """The network written out step by step on tensors; its adjoints are retained gradients."""

    name = "torch"

    def supports(self, model: Model, dtype: str) -> str:
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        with isolated():
            given = _leaves(problem, differentiated=[*problem.params, "h0", "inputs"])
            loss, steps = _forward(problem, given)
            if trace:
                for each in (*steps["o"], *steps["h"], *steps["a"]):
                    each.retain_grad()
            loss.backward()
            return Evaluation(
                loss=loss.item(),
                gradients={name: gradient(leaf) for name, leaf in given.items()},
                outputs=within_lengths(torch.stack(steps["o"]), problem).detach().numpy(),
                adjoints={name: np.stack([gradient(each) for each in steps[name]]) for name in steps} if trace else {},
            )

    def prepare(self, problem: Problem) -> Callable[[], tuple[Tensor, tuple[Tensor, ...]]]:
        with isolated():
            given = _leaves(problem, differentiated=list(problem.params))
        wanted = [given[name] for name in problem.params]

        def run() -> tuple[Tensor, tuple[Tensor, ...]]:
            with isolated():
                loss, _ = _forward(problem, given)
                return loss, torch.autograd.grad(loss, wanted)

        return run


def _leaves(problem: Problem, *, differentiated: list[str]) -> dict[str, Tensor]:
    arrays = {**problem.params, "h0": problem.h0, "inputs": problem.inputs}
    return {name: tensor(array, requires_grad=name in differentiated) for name, array in arrays.items()}


def _forward(problem: Problem, given: dict[str, Tensor]) -> tuple[Tensor, dict[str, list[Tensor]]]:
    """The loss, and the tensors o_t, h_t and a_t of every step."""
    U, W, V = given["U"], given["W"], given["V"]
    b, c = given.get("b"), given.get("c")
    counted = counted_steps(problem)
    phi = ACTIVATIONS[problem.model.activation]
    steps: dict[str, list[Tensor]] = {"o": [], "h": [], "a": []}
    h = given["h0"]
    for t, x in enumerate(within_lengths(given["inputs"], problem).unbind()):
        a = functional.linear(x, U, b) + h @ W.T
        h = phi(a) if counted is None else torch.where(counted[t, :, None], phi(a), h)
        o = functional.linear(h, V, c)
        for name, value in (("o", o), ("h", h), ("a", a)):
            steps[name].append(value)
    outputs, targets = torch.stack(steps["o"]), tensor(problem.targets)
    if counted is not None:
        outputs, targets = outputs[counted], targets[counted]
    step_loss = _step_loss(problem, outputs, targets)
    return step_loss.sum() if problem.model.reduction == "sum" else step_loss.mean(), steps


def _step_loss(problem: Problem, o: Tensor, y: Tensor) -> Tensor:
    """ℓ(o_t, y_t) for every counted step and sequence."""
    match problem.model.loss:
        case "softmax_cross_entropy":
            return -o.log_softmax(dim=-1).gather(-1, y[..., None]).squeeze(-1)
        case "sigmoid_cross_entropy":
            return -(y * functional.logsigmoid(o) + (1 - y) * functional.logsigmoid(-o)).sum(dim=-1)
        case _:
            return 0.5 * (o - y).square().sum(dim=-1)
