"""What the two PyTorch backends share: conversion, masks and isolation from the host. No mathematics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from .problem import Problem
from .recurrent import Recurrent


@contextmanager
def isolated() -> Iterator[None]:
    """Autograd on the processor in the tensors' own dtype, whatever modes the host is in."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False), torch.device("cpu"):
        yield


def tensor(array: np.ndarray, *, requires_grad: bool = False) -> Tensor:
    """A copy of the array."""
    return torch.tensor(array, requires_grad=requires_grad)


def targets(problem: Problem) -> Tensor:
    """y, of a problem that has targets."""
    assert problem.targets is not None
    return tensor(problem.targets)


def gradient(of: Tensor) -> np.ndarray:
    """The gradient that autograd left on a tensor; zeros if the loss does not depend on it."""
    return (torch.zeros_like(of) if of.grad is None else of.grad).detach().numpy()


def steps_in_length(problem: Problem) -> Tensor:
    """(T, B), True where a step lies within its sequence's length."""
    lengths = torch.full((problem.batch_size,), problem.seq_len) if problem.lengths is None else tensor(problem.lengths)
    return torch.arange(problem.seq_len)[:, None] < lengths


def steps_with_loss(problem: Problem) -> Tensor:
    """(T, B), True where a step carries a loss."""
    assert isinstance(problem.model, Recurrent)
    in_length = steps_in_length(problem)
    if problem.model.loss_at == "every_step":
        return in_length
    return in_length & (torch.arange(1, problem.seq_len + 1)[:, None] == in_length.sum(dim=0))


def within_lengths(values: Tensor, problem: Problem) -> Tensor:
    """(T, B, ·), zero past each sequence's length."""
    return values if problem.lengths is None else torch.where(steps_in_length(problem)[..., None], values, 0)


def descend(
    params: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], learning_rate: float
) -> dict[str, np.ndarray]:
    """The parameters after one step of `torch.optim.SGD`."""
    with isolated():
        leaves = {name: tensor(array, requires_grad=True) for name, array in params.items()}
        for name, leaf in leaves.items():
            leaf.grad = tensor(gradients[name])
        torch.optim.SGD(leaves.values(), lr=learning_rate).step()
        return {name: leaf.detach().numpy() for name, leaf in leaves.items()}
