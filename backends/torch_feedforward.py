"""Feed-forward networks and ordered systems in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from .feedforward import FeedForward
from .ordered import OrderedSystem
from .problem import Problem
from .torch_common import targets
from .torch_functions import ACTIVATIONS, each_loss
from .torch_recurrent import Params, Record


def feedforward(problem: Problem, given: Params, record: Record) -> tuple[Tensor, Tensor]:
    """The loss, and z^L (B, K)."""
    model = problem.model
    assert isinstance(model, FeedForward)
    a = z = given["inputs"]
    for layer in range(1, len(model.sizes)):
        z = functional.linear(a, given[f"W{layer}"], given[f"b{layer}"])
        record(f"z{layer}", 0, z)
        a = ACTIVATIONS[model.activation](z)
    output = a if model.loss == "squared_error" else z
    sample_loss = each_loss(model.loss, output, targets(problem))
    return sample_loss.sum() if model.reduction == "sum" else sample_loss.mean(), z


def ordered(problem: Problem, given: Params, record: Record) -> tuple[Tensor, Tensor]:
    """E, and all z_i (N,)."""
    model = problem.model
    assert isinstance(model, OrderedSystem)
    z = [given["inputs"][0]]
    for i in range(1, model.size):
        z.append(torch.stack([given["A"][i, j] * z[j] for j in range(i)]).sum())
    for i, each in enumerate(z):
        record("z", i, each)
    values = torch.stack(z)
    objective = torch.tensor(model.objective, dtype=values.dtype)
    return (objective * values).sum(), values
