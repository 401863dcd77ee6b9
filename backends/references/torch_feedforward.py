"""Feed-forward networks and ordered systems in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..models import FeedForward, OrderedSystem
from .torch_common import Batch, Params
from .torch_functions import ACTIVATIONS, each_loss
from .torch_recurrent import Record


def feedforward(model: FeedForward, given: Params, batch: Batch, record: Record) -> tuple[Tensor, Tensor]:
    """The loss, and z^L (B, K)."""
    a = z = given["inputs"]
    for layer in range(1, len(model.sizes)):
        z = functional.linear(a, given[f"W{layer}"], given[f"b{layer}"])
        record(f"z{layer}", 0, z)
        a = ACTIVATIONS[model.activation](z)
    output = a if model.loss == "squared_error" else z
    sample_loss = each_loss(model.loss, output, batch["targets"])
    return sample_loss.sum() if model.reduction == "sum" else sample_loss.mean(), z


def ordered(model: OrderedSystem, given: Params, batch: Batch, record: Record) -> tuple[Tensor, Tensor]:
    """E, and all z_i (N,)."""
    z = [given["inputs"][0]]
    for i in range(1, model.size):
        z.append(torch.stack([given["A"][i, j] * z[j] for j in range(i)]).sum())
    for i, each in enumerate(z):
        record("z", i, each)
    values = torch.stack(z)
    objective = torch.tensor(model.objective, dtype=values.dtype, device=values.device)
    return (objective * values).sum(), values
