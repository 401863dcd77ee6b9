"""Feed-forward networks and ordered systems in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ..models import FeedForward, OrderedSystem
from .torch_activations_losses import ACTIVATION_FUNCTIONS, reduced_loss
from .torch_recurrent import Record
from .torch_tensors import Batch, Tensors


def feedforward(
    model: FeedForward, arrays: Tensors, batch: Batch, record: Record | None = None
) -> tuple[Tensor, Tensor]:
    """The loss, and z^L (B, K)."""
    a = z = arrays["inputs"]
    for layer in range(1, len(model.sizes)):
        z = functional.linear(a, arrays[f"W{layer}"], arrays[f"b{layer}"])
        if record is not None:
            record(f"z{layer}", 0, z)
        a = ACTIVATION_FUNCTIONS[model.activation](z)
    output = a if model.loss == "squared_error" else z
    return reduced_loss(model.loss, output, batch["targets"], model.reduction), z


def ordered(model: OrderedSystem, arrays: Tensors, batch: Batch, record: Record | None = None) -> tuple[Tensor, Tensor]:
    """E, and all z_i (N,)."""
    z = [arrays["inputs"][0]]
    for i in range(1, model.size):
        z.append(torch.stack([arrays["A"][i, j] * z[j] for j in range(i)]).sum())
    if record is not None:
        for i, z_i in enumerate(z):
            record("z", i, z_i)
    values = torch.stack(z)
    objective = torch.tensor(model.objective, dtype=values.dtype, device=values.device)
    return (objective * values).sum(), values
