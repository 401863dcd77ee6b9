"""The linear part that all cells share: what the inputs add to every a_t, and the gradients of its weights.

G is the size of the linear state a_t: H for the plain cell, and H for each gate of the others. In memory the gates'
parts are apart, as (gates, …, B, H): what is done with one of them goes through it in one piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .buffers import Buffers

if TYPE_CHECKING:
    from jaxtyping import Float

# Columns of long rows push each other out of the cache, so that few of them are turned at a time.
LONG_ROW, SHORT_STRIP = 512, 16


def forward(
    U: Float[np.ndarray, "G D"],
    b: Float[np.ndarray, " G"] | None,
    x: Float[np.ndarray, "T B D"],
    gates: Sequence[int],
    out: Float[np.ndarray, "gates T B H"],
) -> None:
    """U x_t + b, one product for all steps.

    Args:
        U: the weights.
        b: the bias, if there is one.
        x: the inputs.
        gates: the order in which the gates are wanted.
        out: where to write.
    """
    n, T, B, H = out.shape
    np.matmul(rows(x), _in_order(U, gates).swapaxes(1, 2), out=out.reshape(n, T * B, H))
    if b is not None:
        out += _in_order(b[:, None], gates).reshape(n, 1, 1, H)


def transposed_by_gate(
    W: Float[np.ndarray, "G H"], gates: Sequence[int], batch_size: int, buffers: Buffers
) -> Float[np.ndarray, "gates H H"]:
    """Wᵀ of each gate, as the product of a step reads it fastest: turned in memory, unless it is of a single row.

    Args:
        W: the weights, with the gates' rows below each other.
        gates: the order in which they are wanted.
        batch_size: how many rows each product has.
        buffers: where it is kept.

    Returns:
        The transposed blocks, in the wanted order.
    """
    if batch_size == 1:
        return _in_order(W, gates).swapaxes(1, 2)
    H = W.shape[1]
    W_by_gate = W.reshape(len(gates), H, H)
    W_T = buffers.empty("W_T", (len(gates), H, H), like=W)
    for turned, gate in zip(W_T, gates, strict=True):
        blocked_transpose(W_by_gate[gate], out=turned)
    return W_T


def blocked_transpose(W: Float[np.ndarray, "M N"], out: Float[np.ndarray, "N M"]) -> None:
    """Writes Wᵀ into `out`, in strips of rows of W that are narrow where its rows are long."""
    M, N = W.shape
    strip = M if N < LONG_ROW else SHORT_STRIP
    for start in range(0, M, strip):
        strip_of_rows = slice(start, start + strip)
        np.copyto(out[:, strip_of_rows], W[strip_of_rows].T)


def _in_order(W: Float[np.ndarray, "G N"], gates: Sequence[int]) -> Float[np.ndarray, "gates H N"]:
    apart = W.reshape(len(gates), -1, W.shape[1])
    return apart if list(gates) == sorted(gates) else apart[list(gates)]


def input_weights_gradient(
    da: Float[np.ndarray, "gates T B H"], x: Float[np.ndarray, "T B D"]
) -> Float[np.ndarray, "G D"]:
    """dU, from the inputs that U was applied to: x_1 … x_T."""
    return _summed_products(da, x)  # (35) (G, D)


def recurrent_weights_gradient(
    da: Float[np.ndarray, "gates T B H"], h: Float[np.ndarray, "T B H"]
) -> Float[np.ndarray, "G H"]:
    """dW, from the states that W was applied to: h_0 … h_{T−1}."""
    return _summed_products(da, h)  # (36) (G, H)


def bias_gradient(da: Float[np.ndarray, "gates T B H"]) -> Float[np.ndarray, " G"]:
    """db, the sum over time and batch."""
    return da.sum(axis=(1, 2)).reshape(-1)  # (37) (G,)


def input_gradient(da: Float[np.ndarray, "T B G"], U: Float[np.ndarray, "G D"]) -> Float[np.ndarray, "T B D"]:
    """dx_1 … dx_T, from da with its gates side by side."""
    return (rows(da) @ U).reshape(*da.shape[:-1], U.shape[1])  # (38) (T, B, D)


def rows(array: Float[np.ndarray, "*leading N"]) -> Float[np.ndarray, "rows N"]:
    """All axes but the last as one."""
    return array.reshape(-1, array.shape[-1])


def side_by_side(by_gate: Float[np.ndarray, "gates T B H"]) -> Float[np.ndarray, "T B G"]:
    """The gates' parts beside each other in rows of length G."""
    gates, T, B, H = by_gate.shape
    return by_gate.transpose(1, 2, 0, 3).reshape(T, B, gates * H)


def _summed_products(da: Float[np.ndarray, "gates T B H"], v: Float[np.ndarray, "T B N"]) -> Float[np.ndarray, "G N"]:
    """Σ_t da_t v_tᵀ, summed over the batch too: for each gate one product of all rows."""
    gates, T, B, H = da.shape
    return rows(np.matmul(da.reshape(gates, T * B, H).swapaxes(1, 2), rows(v)))
