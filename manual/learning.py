"""Learning: gradient descent."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def descend(
    params: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], learning_rate: float
) -> dict[str, np.ndarray]:
    """The parameters after one step against their gradients.

    Args:
        params: the parameters by name.
        gradients: dL/dθ for each of them, of its shape; others are ignored.
        learning_rate: η, how far to go.

    Returns:
        New arrays θ − η dL/dθ, in the parameters' dtype. Those that were given stay as they are.

    Raises:
        KeyError: a parameter has no gradient.

    Example:
        >>> import numpy as np
        >>> from gradparity.manual import descend
        >>> descend({"b": np.array([1.0, 2.0])}, {"b": np.array([4.0, -2.0])}, 0.5)["b"].tolist()
        [-1.0, 3.0]
    """
    return {name: theta - learning_rate * gradients[name] for name, theta in params.items()}  # (87)
