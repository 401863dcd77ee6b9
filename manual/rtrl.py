"""Forward mode: real-time recurrent learning of the plain cell (Williams and Zipser, 1989).

The derivatives of the state with respect to everything walk forward beside the state, and no step has to be
remembered. The price is their size: (B, H, N) for N numbers to differentiate by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import rnn
from .layer import Gradients, factors_of

if TYPE_CHECKING:
    from jaxtyping import Float


def forward_gradients(dh_above: Float[np.ndarray, "T B H"], cache: rnn.Cache) -> Gradients:
    """All derivatives but the adjoints of the steps, which forward mode never has.

    Args:
        dh_above: Vᵀ do_t, used at step t only, in the order of time.
        cache: of `rnn.forward`, whose steps are likewise used in the order of time.
    """
    x, h = cache.x, cache.h
    U, W = cache.params["U"], cache.params["W"]
    (T, B, D), H = x.shape, len(W)
    # P holds ∂h_t/∂θ; its columns are those of U and W (row by row), of b, of h_0, and of all inputs.
    ends = np.cumsum([H * D, H * H, H, H, T * D])
    P = np.zeros_like(h, shape=(B, H, ends[-1]))
    P[:, :, ends[2] : ends[3]] = np.eye(H)  # ∂h_0/∂h_0
    gradient = np.zeros_like(h, shape=(B, ends[-1]))
    (phi_derivative,) = factors_of(rnn, cache, slice(0, T))  # type: ignore[arg-type] # a module as a protocol
    for t in range(T):
        immediate = np.zeros_like(P)  # ∂⁺a_t/∂θ
        for i in range(H):  # a_t[i] depends on row i of the weights alone
            immediate[:, i, i * D : (i + 1) * D] = x[t]
            immediate[:, i, ends[0] + i * H : ends[0] + (i + 1) * H] = h[t]
            immediate[:, i, ends[1] + i] = 1
        immediate[:, :, ends[3] + t * D : ends[3] + (t + 1) * D] = U
        P_before = P
        P = phi_derivative[t][:, :, None] * (W @ P_before + immediate)  # (48) (B, H, N)
        if cache.carried is not None:
            np.copyto(P, P_before, where=cache.carried[t, :, :, None])
        gradient += (dh_above[t][:, None] @ P)[:, 0]  # (49) (B, N)
    dU, dW, db, dh0, dx = np.split(gradient, ends[:-1], axis=1)
    return Gradients(
        params={
            "U": dU.sum(axis=0).reshape(H, D),
            "W": dW.sum(axis=0).reshape(H, H),
            "b": db.sum(axis=0),
        },
        x=dx.reshape(B, T, D).swapaxes(0, 1),
        initial=(dh0,),
        adjoints={},
    )
