"""Ordered derivatives (Werbos): total beside partial derivatives, in a system whose variables depend on earlier ones.

z_i = Σ_{j<i} A_ij z_j for i > 1, with z_1 given, and E = Σ_i c_i z_i. A recurrent network is such a system, and
backpropagation through time is what follows here, for its variables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .answer import Answer

if TYPE_CHECKING:
    from jaxtyping import Float


def loss_and_gradients(A: Float[np.ndarray, "N N"], c: Float[np.ndarray, " N"], z1: Float[np.ndarray, " 1"]) -> Answer:
    """E, its total derivatives with respect to every variable (the adjoint `z`), and dE/dA.

    Args:
        A: the weights; only what lies below the diagonal is used, and its gradient is zero elsewhere.
        c: the partial derivatives ∂E/∂z_i.
        z1: the first variable, the only one that is given.
    """
    N = len(A)
    z = np.zeros_like(z1, shape=N)
    z[:1] = z1
    for i in range(1, N):
        z[i] = A[i, :i] @ z[:i]  # (24)
    E = c @ z  # (25)
    total = np.zeros_like(z)
    for i in reversed(range(N)):
        total[i] = c[i] + total[i + 1 :] @ A[i + 1 :, i]  # (26)
    dA = np.tril(np.outer(total, z), -1)  # (27) (N, N)
    return Answer(E, {"A": dA, "inputs": total[:1].copy()}, z, {"z": total})
