"""The linear read-out, the same at every time step."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from jaxtyping import Float


class ReadoutGradients(NamedTuple):
    """Derivatives of the loss; each has the shape of what it is named after."""

    V: Float[np.ndarray, "K H"]
    c: Float[np.ndarray, " K"]
    h: Float[np.ndarray, "T B H"]  # of the read-out alone: what each state receives from above


def forward(
    V: Float[np.ndarray, "K H"], c: Float[np.ndarray, " K"] | None, h: Float[np.ndarray, "T B H"]
) -> Float[np.ndarray, "T B K"]:
    """The linear outputs o_1 … o_T.

    Args:
        V: the weights.
        c: the bias, if there is one.
        h: the states; H is 2H where both directions stand side by side.

    Returns:
        V h_t + c of every step.
    """
    T, B, H = h.shape
    o = (h.reshape(T * B, H) @ V.T).reshape(T, B, len(V))  # one product serves all steps
    if c is not None:
        o += c  # (4) (T, B, K)
    return o


def backward(
    do: Float[np.ndarray, "T B K"], V: Float[np.ndarray, "K H"], h: Float[np.ndarray, "T B H"]
) -> ReadoutGradients:
    """The derivatives of what the read-out has in its formula.

    Args:
        do: those of the linear outputs.
        V: the weights.
        h: the states.

    Returns:
        The derivatives of V, c and h. That of c is there even if c is not.
    """
    T, B, K = do.shape
    do_rows = do.reshape(T * B, K)
    return ReadoutGradients(
        V=do_rows.T @ h.reshape(T * B, -1),  # (29) (K, H)
        c=do_rows.sum(axis=0),  # (30) (K,)
        h=(do_rows @ V).reshape(h.shape),  # (31) (T, B, H)
    )
