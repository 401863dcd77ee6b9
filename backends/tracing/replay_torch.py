"""A recording carried out again by PyTorch, whose autograd differentiates it by its own rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..frameworks.torch_isolation import in_one_thread, isolated
from ..interface import Evaluation
from ..models.traced import CONSTANT, Traced
from ..problems import Problem
from .assembly import ArraysOf, Assembly
from .trace import arguments_of, gradients_of

DTYPES = {np.dtype("float64"): torch.float64, np.dtype("float32"): torch.float32}
FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    **{
        name: getattr(torch, name)
        for name in (
            *("negative", "absolute", "square", "reciprocal", "sqrt", "exp", "exp2", "expm1"),
            *("log", "log2", "log10", "log1p", "sin", "cos", "tan", "arcsin", "arccos", "arctan"),
            *("sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh", "sigmoid", "erf"),
            *("add", "subtract", "multiply", "divide", "maximum", "logaddexp", "arctan2", "hypot", "matmul"),
        )
    },
    "power": torch.pow,
    "cbrt": lambda x: torch.sign(x) * torch.abs(x) ** (1 / 3),
    "stop": torch.detach,
    "cast": lambda x, dtype: x.to(DTYPES[dtype]),
    "sum": lambda x, axes: torch.sum(x, axes) if axes else x,
    "cumsum": lambda x, axis: torch.cumsum(x, axis),
    "inverse": torch.linalg.inv,
    "logdet": lambda x: torch.linalg.slogdet(x)[1],
    "cholesky": torch.linalg.cholesky,
}


def differentiate(problem: Problem) -> Evaluation:
    """The loss and the gradients of a recorded function, by PyTorch's autograd.

    Args:
        problem: of a `Traced` model.

    Returns:
        The answer, without outputs.
    """
    model = problem.model
    assert isinstance(model, Traced)
    rows = arguments_of(problem)
    with isolated(), in_one_thread():
        leaves = [
            torch.tensor(rows[block.dtype][block.start - 1 : block.stop - 1], requires_grad=True)
            for block in model.arguments
        ]
        loss = torch.tensor(model.constant_loss) if model.loss.number == CONSTANT else _loss(model, leaves)
        if loss.requires_grad:
            loss.backward()
        for block, leaf in zip(model.arguments, leaves, strict=True):
            slopes = np.zeros(len(leaf)) if leaf.grad is None else leaf.grad.numpy()
            rows[block.dtype][block.start - 1 : block.stop - 1] = slopes
    return Evaluation(loss.item(), gradients_of(model, rows), None)


def _loss(model: Traced, leaves: list[Tensor]) -> Tensor:
    loss: Tensor = Assembly(model).carried_out(leaves, FUNCTIONS, ArraysOf(torch.tensor, torch.cat))
    return loss
