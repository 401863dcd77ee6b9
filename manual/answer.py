"""What the derivation of a whole system answers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Answer(NamedTuple):
    """The loss, and the derivatives of everything on the way to it.

    Attributes:
        loss: L, a number of the inputs' dtype.
        gradients: dL/d· for every parameter, for the initial states and for `inputs`, by their names.
        outputs: what the loss is taken of, such as o_t (T, B, K); zero past a sequence's length.
        adjoints: the total derivatives of the inner variables, each of the variable's shape and by its name.
    """

    loss: np.floating
    gradients: dict[str, np.ndarray]
    outputs: np.ndarray
    adjoints: dict[str, np.ndarray]
