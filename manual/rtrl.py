"""Forward mode: real-time recurrent learning of the plain cell (Williams and Zipser, 1989).

The derivatives of the state with respect to everything go forward beside the state, and no step has to be
remembered. The price is their size: (B, H, N) for N numbers to differentiate by.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import rnn
from .layer import LayerGradients, factors_of

if TYPE_CHECKING:
    from jaxtyping import Float


class Columns(NamedTuple):
    """Which of the N columns of ∂h_t/∂θ belong to what. Those of a matrix are in the order of its rows.

    Attributes:
        U: the H·D columns of U.
        W: the H·H columns of W.
        b: the H columns of b.
        h0: the H columns of h_0.
        x: the T·D columns of all inputs, step by step.
    """

    U: slice
    W: slice
    b: slice
    h0: slice
    x: slice

    @staticmethod
    def of(T: int, D: int, H: int) -> Columns:
        ends = accumulate([H * D, H * H, H, H, T * D], initial=0)
        return Columns(*[slice(start, stop) for start, stop in pairwise(ends)])


def forward_gradients(dh_above: Float[np.ndarray, "T B H"], cache: rnn.Cache) -> LayerGradients:
    """All derivatives but the adjoints of the steps, which forward mode never has.

    Args:
        dh_above: Vᵀ do_t, used at step t only, in the order of time.
        cache: of `rnn.forward`, whose steps are likewise used in the order of time.

    Returns:
        The derivatives, without adjoints.
    """
    x, h = cache.x, cache.h
    U, W = cache.params["U"], cache.params["W"]
    (T, B, D), H = x.shape, len(W)
    columns = Columns.of(T, D, H)
    N = columns.x.stop
    P = np.zeros_like(h, shape=(B, H, N))  # ∂h_t/∂θ
    P[:, :, columns.h0] = np.eye(H)  # ∂h_0/∂h_0
    gradient = np.zeros_like(h, shape=(B, N))
    (phi_derivative,) = factors_of(rnn, cache, slice(0, T))  # type: ignore[arg-type] # a module as a protocol
    for t in range(T):
        P_before = P
        immediate = _immediate(columns, t, x[t], h[t], U)
        P = phi_derivative[t][:, :, None] * (W @ P_before + immediate)  # (48) (B, H, N)
        if cache.padding is not None:
            np.copyto(P, P_before, where=cache.padding[t, :, :, None])
        gradient += (dh_above[t][:, None] @ P)[:, 0]  # (49) (B, N)
    return LayerGradients(
        params={
            "U": gradient[:, columns.U].sum(axis=0).reshape(H, D),
            "W": gradient[:, columns.W].sum(axis=0).reshape(H, H),
            "b": gradient[:, columns.b].sum(axis=0),
        },
        x=gradient[:, columns.x].reshape(B, T, D).swapaxes(0, 1),
        initial=(gradient[:, columns.h0],),
        adjoints={},
    )


def _immediate(
    columns: Columns,
    t: int,
    x_t: Float[np.ndarray, "B D"],
    h_before: Float[np.ndarray, "B H"],
    U: Float[np.ndarray, "H D"],
) -> Float[np.ndarray, "B H N"]:
    """∂⁺a_t/∂θ: what stands in the formula of a_t itself, with h_{t−1} held fixed. Here t counts from 0."""
    (B, D), H = x_t.shape, len(U)
    immediate = np.zeros_like(h_before, shape=(B, H, columns.x.stop))
    # Views of `immediate`, with the axes of what is differentiated by: of_U[:, i, j, k] is ∂⁺a_t[i]/∂U[j, k].
    of_U = immediate[:, :, columns.U].reshape(B, H, H, D)
    of_W = immediate[:, :, columns.W].reshape(B, H, H, H)
    of_b = immediate[:, :, columns.b]
    of_x = immediate[:, :, columns.x].reshape(B, H, -1, D)
    for i in range(H):  # a_t[i] depends on row i of the weights alone
        of_U[:, i, i] = x_t
        of_W[:, i, i] = h_before
        of_b[:, i, i] = 1
    of_x[:, :, t] = U
    return immediate
