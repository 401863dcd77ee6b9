"""Ordered derivatives (Werbos, 1990): total beside partial ones, in a system whose variables depend on earlier ones.

z_i = Σ_{j<i} A_ij z_j for i > 1, with z_1 given, and E = Σ_i c_i z_i. A recurrent network is such a system, and
backpropagation through time is what follows here, for its variables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .result import LossAndGradients

if TYPE_CHECKING:
    from jaxtyping import Float


def loss_and_gradients(
    A: Float[np.ndarray, "N N"], c: Float[np.ndarray, " N"], z1: Float[np.ndarray, " 1"]
) -> LossAndGradients:
    """E, its total derivatives with respect to every variable (the adjoint `z`), and dE/dA.

    Args:
        A: the weights; only what lies below the diagonal is used, and its gradient is zero elsewhere.
        c: the partial derivatives ∂E/∂z_i.
        z1: the first variable, the only one that is given.

    Returns:
        E as the loss, dE/dA as `A` and dE/dz_1 (1,) as `inputs`, the variables z (N,) as outputs, and the total
        derivatives dE/dz_i (N,) as the adjoint `z`.

    Example:
        The variables of the documents: z2 = 2 z1, z3 = 3 z2 + z1, z4 = 4 z3 + 2 z2 + z1, and E = 4 z4 + 2 z2.

        >>> import numpy as np
        >>> from gradparity.manual import ordered
        >>> A = np.array([[0.0, 0, 0, 0], [2, 0, 0, 0], [1, 3, 0, 0], [1, 2, 4, 0]])
        >>> found = ordered.loss_and_gradients(A, np.array([0.0, 2, 0, 4]), np.array([1.0]))
        >>> found.loss.item(), found.adjoints["z"].tolist()
        (136.0, [136.0, 58.0, 16.0, 4.0])
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
    return LossAndGradients(E, {"A": dA, "inputs": total[:1].copy()}, z, {"z": total})
