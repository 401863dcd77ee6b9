"""The linear part that all cells share: what the inputs add to every a_t, and the gradients of its weights.

G is the size of the linear state a_t: H for the plain cell, and H for each gate of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


class Gradients(NamedTuple):
    """Derivatives of the loss; each has the shape of what it is named after."""

    U: Float[np.ndarray, "G D"]
    b: Float[np.ndarray, " G"]
    x: Float[np.ndarray, "T B D"]


def forward(
    U: Float[np.ndarray, "G D"], b: Float[np.ndarray, " G"] | None, x: Float[np.ndarray, "T B D"]
) -> Float[np.ndarray, "T B G"]:
    """U x_t + b."""
    T, B, D = x.shape
    from_input = (x.reshape(T * B, D) @ U.T).reshape(T, B, len(U))  # one product serves all steps
    return from_input if b is None else from_input + b


def backward(da: Float[np.ndarray, "T B G"], U: Float[np.ndarray, "G D"], x: Float[np.ndarray, "T B D"]) -> Gradients:
    da_rows = _rows(da)
    return Gradients(
        U=da_rows.T @ _rows(x),  # (35) (G, D)
        b=da_rows.sum(axis=0),  # (37) (G,)
        x=(da_rows @ U).reshape(x.shape),  # (38) (T, B, D)
    )


def recurrent_gradient(da: Float[np.ndarray, "T B G"], h: Float[np.ndarray, "T B H"]) -> Float[np.ndarray, "G H"]:
    """dW, from the states that W was applied to: h_0 … h_{T−1}."""
    return _rows(da).T @ _rows(h)  # (36) (G, H)


def _rows(array: Float[np.ndarray, "T B N"]) -> Float[np.ndarray, "TB N"]:
    T, B, N = array.shape
    return array.reshape(T * B, N)
