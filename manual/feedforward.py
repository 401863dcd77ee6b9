"""Feed-forward networks, by the four equations of backpropagation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .activations import ACTIVATIONS, saturating
from .losses import LOSSES, loss_weight
from .result import LossAndGradients

if TYPE_CHECKING:
    from jaxtyping import Float, Int


@saturating
def loss_and_gradients(
    params: Mapping[str, np.ndarray],
    inputs: Float[np.ndarray, "B N0"],
    targets: Int[np.ndarray, " B"] | Float[np.ndarray, "B K"],
    *,
    activation: str = "sigmoid",
    loss: str = "squared_error",
    reduction: str = "sum",
) -> LossAndGradients:
    """The loss of a feed-forward network and all its gradients.

    The squared error is taken of a^L = f(z^L), as in the documents; the two cross-entropies are taken of z^L, since
    they contain the softmax or the sigmoid of their own. The outputs are z^L, and the adjoints δ^l are `z1`, `z2` …

    Args:
        params: `W1` (N1, N0), `W2` (N2, N1) …, and `b1` (N1,), `b2` (N2,) …
        inputs: a⁰, one sample in each row.
        targets: labels (B,) for `softmax_cross_entropy`, numbers (B, K) for the other two.
        activation: f: `tanh`, `relu`, `sigmoid` or `identity`.
        loss: `softmax_cross_entropy`, `sigmoid_cross_entropy` or `squared_error`.
        reduction: `sum` or `mean` over the samples.

    Returns:
        The loss, the gradients of the parameters and of `inputs` (B, N0), the outputs z^L (B, K) and the adjoints δ^l.

    Raises:
        KeyError: there is no such activation or loss, or a layer has no weights or no bias.

    Example:
        Logistic regression of one sample: dW = (σ(z) − y) xᵀ, where σ(0) is ½.

        >>> import numpy as np
        >>> from gradparity.manual import feedforward
        >>> params = {"W1": np.zeros((1, 2)), "b1": np.zeros(1)}
        >>> x, y = np.array([[1.0, 2.0]]), np.array([[1.0]])
        >>> found = feedforward.loss_and_gradients(params, x, y, loss="sigmoid_cross_entropy")
        >>> round(found.loss.item(), 4), found.gradients["W1"].tolist(), found.adjoints["z1"].tolist()
        (0.6931, [[-0.5, -1.0]], [[-0.5]])
    """
    f = ACTIVATIONS[activation]
    L = sum(name.startswith("W") for name in params)
    w = loss_weight(np.ones(len(inputs), dtype=bool), reduction)
    z, a = [inputs], [inputs]  # from layer 0, whose z is never used
    for layer in range(1, L + 1):
        z.append(a[layer - 1] @ params[f"W{layer}"].T + params[f"b{layer}"])  # (81) (B, N)
        a.append(f.function(z[layer]))  # (82) (B, N)
    output = a[L] if loss == "squared_error" else z[L]
    sample_loss, derivative = LOSSES[loss](output, targets)

    of_f = f.derivative(a[L]) if loss == "squared_error" else 1
    delta = w * derivative * of_f  # (83) (B, K)
    gradients: dict[str, np.ndarray] = {}
    deltas: dict[str, np.ndarray] = {}
    for layer in range(L, 0, -1):
        deltas[f"z{layer}"] = delta
        gradients[f"W{layer}"] = delta.T @ a[layer - 1]  # (84) (N, N_below)
        gradients[f"b{layer}"] = delta.sum(axis=0)  # (85) (N,)
        da = delta @ params[f"W{layer}"]
        if layer > 1:
            delta = da * f.derivative(a[layer - 1])  # (86) (B, N_below)
    return LossAndGradients(
        loss=w * sample_loss.sum(),
        gradients={name: gradients[name] for name in params} | {"inputs": da},
        outputs=z[L],
        adjoints=dict(reversed(deltas.items())),
    )
