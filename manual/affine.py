"""The linear part that all cells share: what the inputs add to every a_t, and the gradients of its weights.

G is the size of the linear state a_t: H for the plain cell, and H for each gate of the others. An array (…, B, G) can be
looked at gate by gate, as (gates, …, B, H).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float

    from .buffers import Buffers


def forward(
    U: Float[np.ndarray, "G D"],
    b: Float[np.ndarray, " G"] | None,
    x: Float[np.ndarray, "T B D"],
    out: Float[np.ndarray, "T B G"],
) -> None:
    """U x_t + b, one product for all steps."""
    np.matmul(rows(x), U.T, out=rows(out))
    if b is not None:
        out += b


def input_weights_gradient(da: Float[np.ndarray, "T B G"], x: Float[np.ndarray, "T B D"]) -> Float[np.ndarray, "G D"]:
    return rows(da).T @ rows(x)  # (35) (G, D)


def recurrent_weights_gradient(
    da: Float[np.ndarray, "T B G"], h: Float[np.ndarray, "T B H"]
) -> Float[np.ndarray, "G H"]:
    """dW, from the states that W was applied to: h_0 … h_{T−1}."""
    return rows(da).T @ rows(h)  # (36) (G, H)


def bias_gradient(da: Float[np.ndarray, "T B G"]) -> Float[np.ndarray, " G"]:
    return rows(da).sum(axis=0)  # (37) (G,)


def input_gradient(da: Float[np.ndarray, "T B G"], U: Float[np.ndarray, "G D"]) -> Float[np.ndarray, "T B D"]:
    return (rows(da) @ U).reshape(*da.shape[:-1], U.shape[1])  # (38) (T, B, D)


def rows(array: Float[np.ndarray, "*leading N"]) -> Float[np.ndarray, "rows N"]:
    return array.reshape(-1, array.shape[-1])


def by_gate(array: Float[np.ndarray, "*leading G"], gates: int) -> Float[np.ndarray, "gates *leading H"]:
    """A view, with the gates in front."""
    *leading, G = array.shape
    apart = array.reshape(*leading, gates, G // gates)
    return apart.transpose(-2 % apart.ndim, *range(len(leading)), -1 % apart.ndim)


def transposed_by_gate(W: Float[np.ndarray, "G H"], gates: int, buffers: Buffers) -> Float[np.ndarray, "gates H H"]:
    """Wᵀ of each gate, in memory as the products of many rows read it fastest."""
    H = W.shape[1]
    W_T = buffers.empty("W_T", (gates, H, H), like=W)
    np.copyto(W_T, W.reshape(gates, H, H).swapaxes(1, 2))
    return W_T
