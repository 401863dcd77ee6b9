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


def unreduced_loss(loss: str, o: Tensor, y: Tensor) -> Tensor:
    """ℓ(o, y) for outputs (..., K): a number for each step or sample."""
    match loss:
        case "softmax_cross_entropy":
            log_p = o.log_softmax(dim=-1).flatten(0, -2)
            return functional.nll_loss(log_p, y.flatten(), reduction="none").view_as(y)
        case "sigmoid_cross_entropy":
            return -(y * functional.logsigmoid(o) + (1 - y) * functional.logsigmoid(-o)).sum(dim=-1)
        case _:
            return 0.5 * (o - y).square().sum(dim=-1)
