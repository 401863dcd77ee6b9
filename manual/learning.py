"""Learning: gradient descent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def descend(
    params: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], learning_rate: float
) -> dict[str, np.ndarray]:
    """The parameters after one step against their gradients, in the parameters' dtype."""
    return {name: theta - learning_rate * gradients[name] for name, theta in params.items()}  # (87)
