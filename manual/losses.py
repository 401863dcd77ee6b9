"""Read-outs: the loss ℓ(o, y) of one time step, and its derivative with respect to the linear output o.

Each function returns the pair (ℓ, ∂ℓ/∂o), of the shapes (*N,) and (*N, K), where N stands for any leading axes; beside
the equations below they are T and B. All are written on the linear output o, never on the prediction ψ(o), which is
what keeps them finite for outputs of any magnitude.

Example:
    >>> import numpy as np
    >>> from gradparity.manual import LOSSES
    >>> step_loss, do = LOSSES["squared_error"](np.array([[1.0, 2.0]]), np.array([[0.0, 4.0]]))
    >>> step_loss.tolist(), do.tolist()
    ([2.5], [[1.0, -2.0]])
    >>> step_loss, do = LOSSES["softmax_cross_entropy"](np.zeros((1, 2)), np.array([1]))
    >>> step_loss.round(4).tolist(), do.tolist()
    ([0.6931], [[0.5, -0.5]])
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
    """−log softmax(o)[y] for an integer label y in 0…K−1.

    Args:
        o: the linear outputs.
        y: the labels. For one that is out of range, the function raises or its result means nothing.

    Returns:
        (ℓ, ∂ℓ/∂o).
    """
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
    """−y log σ(o) − (1−y) log(1−σ(o)), summed over the K outputs, for targets y in [0, 1].

    Args:
        o: the linear outputs.
        y: the targets.

    Returns:
        (ℓ, ∂ℓ/∂o).
    """
    step_loss = (y * softplus(-o) + (1 - y) * softplus(o)).sum(axis=-1)  # (17) (T, B)
    return step_loss, sigmoid(o) - y  # (18) (T, B, K)


def squared_error(
    o: Float[np.ndarray, "*N K"], y: Float[np.ndarray, "*N K"]
) -> tuple[Float[np.ndarray, "*N"], Float[np.ndarray, "*N K"]]:
    """½‖o − y‖² over the K outputs, for real targets y.

    Args:
        o: the linear outputs.
        y: the targets.

    Returns:
        (ℓ, ∂ℓ/∂o).
    """
    error = o - y  # (20) (T, B, K)
    return 0.5 * (error * error).sum(axis=-1), error  # (19) (T, B)


def softplus(a: Float[np.ndarray, "*S"]) -> Float[np.ndarray, "*S"]:
    """log(1 + exp(a)), written so that no exponential overflows and nothing cancels."""
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))  # (16)


def length_mask(lengths: Int[np.ndarray, " B"], seq_len: int) -> Bool[np.ndarray, "T B"]:
    """The mask of the steps within a length.

    Args:
        lengths: of each sequence, 1 … T.
        seq_len: T.

    Returns:
        True where step t of sequence b lies within the sequence's length.
    """
    return np.arange(seq_len)[:, None] < lengths


def last_steps(mask: Bool[np.ndarray, "T B"]) -> Bool[np.ndarray, "T B"]:
    """True at the last step of each sequence, given where its steps lie within its length."""
    return mask & ~np.concatenate([mask[1:], np.zeros_like(mask[:1])])


def loss_weight(with_loss: Bool[np.ndarray, "*N"], reduction: str) -> float:
    """The weight w of every step's loss in L: 1 for `sum`, one over the number of losses for `mean`.

    Args:
        with_loss: True where there is a loss.
        reduction: `sum` or `mean`.

    Returns:
        The weight, in (0, 1].
    """
    return 1.0 if reduction == "sum" else 1.0 / int(np.count_nonzero(with_loss))  # (22)


LOSSES: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "softmax_cross_entropy": softmax_cross_entropy,
    "sigmoid_cross_entropy": sigmoid_cross_entropy,
    "squared_error": squared_error,
}
