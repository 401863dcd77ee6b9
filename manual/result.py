"""What the derivation of a whole system returns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class LossAndGradients(NamedTuple):
    """The loss, and the derivatives of everything on the way to it.

    Attributes:
        loss: L, a number of the inputs' dtype.
        gradients: dL/d· for every parameter, for the initial states and for `inputs`, by their names.
        outputs: what the loss is taken of, such as o_t (T, B, K); zero past a sequence's length.
        adjoints: the total derivatives of the inner variables, each of the variable's shape and by its name.

    Example:
        >>> import numpy as np
        >>> from gradparity.manual import LossAndGradients, ordered
        >>> A, c, z1 = np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([0.0, 1.0]), np.array([2.0])
        >>> found = ordered.loss_and_gradients(A, c, z1)
        >>> isinstance(found, LossAndGradients)
        True
        >>> found.loss.item(), sorted(found.gradients), found.outputs.tolist(), found.adjoints["z"].tolist()
        (6.0, ['A', 'inputs'], [2.0, 6.0], [3.0, 1.0])
    """

    loss: np.floating
    gradients: dict[str, np.ndarray]
    outputs: np.ndarray
    adjoints: dict[str, np.ndarray]
