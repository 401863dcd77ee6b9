"""Activations and losses in PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

ACTIVATION_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "identity": torch.clone,
}


def reduced_loss(loss: str, o: Tensor, y: Tensor, reduction: str) -> Tensor:
    """The sum or the mean of ℓ(o, y) over all steps or samples, for outputs (..., K)."""
    match loss:
        case "softmax_cross_entropy":
            log_p = o.log_softmax(dim=-1).flatten(0, -2)
            return functional.nll_loss(log_p, y.flatten(), reduction=reduction)
        case "sigmoid_cross_entropy":
            each = -(y * functional.logsigmoid(o) + (1 - y) * functional.logsigmoid(-o)).sum(dim=-1)
        case _:
            each = 0.5 * (o - y).square().sum(dim=-1)
    return each.sum() if reduction == "sum" else each.mean()
