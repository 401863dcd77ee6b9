"""What the two PyTorch backends share: conversion and isolation from the host. No mathematics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from .problem import Problem


@contextmanager
def isolated() -> Iterator[None]:
    """Autograd on the processor in the tensors' own dtype, whatever modes the host is in."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False), torch.device("cpu"):
        yield


def tensor(array: np.ndarray, *, requires_grad: bool = False) -> Tensor:
    """A copy of the array."""
    return torch.tensor(array, requires_grad=requires_grad)


def gradient(of: Tensor) -> np.ndarray:
    """The gradient that autograd left on a tensor; zeros if the loss does not depend on it."""
    return (torch.zeros_like(of) if of.grad is None else of.grad).detach().numpy()


def within_lengths(values: Tensor, problem: Problem) -> Tensor:
    """(T, B, ·), zero past each sequence's length."""
    counted = counted_steps(problem)
    return values if counted is None else torch.where(counted[..., None], values, 0)


def counted_steps(problem: Problem) -> Tensor | None:
    """(T, B), True where a step lies within its sequence's length; None without lengths."""
    if problem.lengths is None:
        return None
    return torch.arange(problem.seq_len)[:, None] < tensor(problem.lengths)
