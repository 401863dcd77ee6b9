"""Read-outs: the loss ℓ(o, y) of one time step, and its derivative with respect to the linear output o.

Each function returns the pair (ℓ, ∂ℓ/∂o). All are written on the linear output o, never on the prediction
ψ(o), which is what keeps them finite for outputs of any magnitude.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .activations import saturating, sigmoid

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int


def softmax_cross_entropy(
    o: Float[np.ndarray, "*N K"], y: Int[np.ndarray, "*N"]
) -> tuple[Float[np.ndarray, "*N"], Float[np.ndarray, "*N K"]]:
    """−log softmax(o)[y] for an integer label y in 0…K−1."""
    shifted = o - o.max(axis=-1, keepdims=True)  # (13) (T, B, K)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=-1, keepdims=True)
    is_label = y[..., None] == np.arange(o.shape[-1])
    at_label = shifted[is_label].reshape(y.shape)
    step_loss = np.log(total)[..., 0] - at_label  # (14) (T, B)
    return step_loss, exponentials / total - is_label  # (15) (T, B, K)


@saturating
def sigmoid_cross_entropy(
    o: Float[np.ndarray, "*N K"], y: Float[np.ndarray, "*N K"]
) -> tuple[Float[np.ndarray, "*N"], Float[np.ndarray, "*N K"]]:
    """−y log σ(o) − (1−y) log(1−σ(o)), summed over the K outputs, for targets y in [0, 1]."""
    step_loss = (y * softplus(-o) + (1 - y) * softplus(o)).sum(axis=-1)  # (17) (T, B)
    return step_loss, sigmoid(o) - y  # (18) (T, B, K)


def squared_error(
    o: Float[np.ndarray, "*N K"], y: Float[np.ndarray, "*N K"]
) -> tuple[Float[np.ndarray, "*N"], Float[np.ndarray, "*N K"]]:
    """½‖o − y‖² over the K outputs, for real targets y."""
    error = o - y  # (20) (T, B, K)
    return 0.5 * (error * error).sum(axis=-1), error  # (19) (T, B)


def softplus(a: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    """log(1 + exp(a)), written so that no exponential overflows and nothing cancels."""
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))  # (16)


def counted_steps(lengths: Int[np.ndarray, " B"], seq_len: int) -> Bool[np.ndarray, "T B"]:
    """True where step t of sequence b lies within the sequence's length."""
    return np.arange(seq_len)[:, None] < lengths


def last_steps(counted: Bool[np.ndarray, "T B"]) -> Bool[np.ndarray, "T B"]:
    """True at the last counted step of each sequence."""
    return counted & ~np.concatenate([counted[1:], np.zeros_like(counted[:1])])


def loss_weight(with_loss: Bool[np.ndarray, "*N"], reduction: str) -> float:
    """The weight w of every step's loss in L: 1 for `sum`, one over the number of losses for `mean`."""
    return 1.0 if reduction == "sum" else 1.0 / int(np.count_nonzero(with_loss))  # (22)


LOSSES: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "squared_error": squared_error,
}
