"""Tensors from arrays, and gradients from tensors: what the PyTorch backends share. No mathematics."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from ..frameworks.torch_isolation import is_isolated, isolated
from ..models import Recurrent
from ..problems import Problem
from .devices import require_device

Tensors = dict[str, Tensor]
Batch = dict[str, Tensor]


def require_torch_device(backend: str, device: str) -> None:
    """Raises RequestError unless PyTorch has the device here."""
    require_device(backend, device, has_cuda=torch.cuda.is_available())


def tensor(array: np.ndarray, *, requires_grad: bool = False, device: str = "cpu") -> Tensor:
    """A copy of the array."""
    return torch.tensor(array, requires_grad=requires_grad, device=device)


def batch_of(problem: Problem, device: str = "cpu") -> Batch:
    """What is not differentiated.

    `targets`, y, if there are any; `in_length` (T, B), True where a step lies within its sequence's length, unless
    all do; and `with_loss` (T, B), True where a step carries a loss, unless all do.
    """
    batch = {} if problem.targets is None else {"targets": problem.targets}
    at_last_step = isinstance(problem.model, Recurrent) and problem.model.loss_at == "last_step"
    t = np.arange(1, problem.seq_len + 1)[:, None]
    lengths = problem.sequence_lengths
    if problem.lengths is not None:
        batch["in_length"] = t <= lengths
    if problem.lengths is not None or at_last_step:
        batch["with_loss"] = t == lengths if at_last_step else t <= lengths
    return {name: tensor(array, device=device) for name, array in batch.items()}


def within_lengths(values: Tensor, batch: Batch) -> Tensor:
    """(T, B, ·), zero past each sequence's length."""
    return torch.where(batch["in_length"][..., None], values, 0) if "in_length" in batch else values


def gradient(leaf: Tensor) -> np.ndarray:
    """The gradient that autograd left on a tensor; zeros if the loss does not depend on it."""
    return (torch.zeros_like(leaf) if leaf.grad is None else leaf.grad).detach().numpy()


def synchronized(compute: Callable[[], tuple[Tensor, Tensors]], device: str) -> Callable[[], tuple[Tensor, Tensors]]:
    """The computation as a run that returns when the device has its results."""

    def run() -> tuple[Tensor, Tensors]:
        if is_isolated(device):
            return compute()
        with isolated(device):
            result = compute()
        if device == "cuda":
            torch.cuda.synchronize()
        return result

    return run


def with_gradients(loss: Tensor, leaves: Tensors) -> tuple[Tensor, Tensors]:
    """The loss, and its gradients with respect to all leaves that require one.

    By `backward`, as most write it: `torch.autograd.grad` asks of each operation whether it is needed, which takes 4 %
    of the time of a small layer.
    """
    if not loss.requires_grad:  # an ordered system of one variable does not depend on its weights
        return loss, {name: torch.zeros_like(leaf) for name, leaf in leaves.items()}
    for leaf in leaves.values():
        leaf.grad = None
    loss.backward()
    return loss.detach(), {
        name: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for name, leaf in leaves.items()
    }


def descend(
    params: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], learning_rate: float
) -> dict[str, np.ndarray]:
    """The parameters after one step of gradient descent: the operation of `torch.optim.SGD`, which loads a compiler."""
    with isolated():
        return {
            name: torch.add(tensor(array), tensor(gradients[name]), alpha=-learning_rate).numpy()
            for name, array in params.items()
        }
