"""Feed-forward networks, by the four equations of backpropagation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .activations import ACTIVATIONS, saturating
from .answer import Answer
from .losses import LOSSES, loss_weight

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
) -> Answer:
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
    return Answer(
        loss=w * sample_loss.sum(),
        gradients={name: gradients[name] for name in params} | {"inputs": da},
        outputs=z[L],
        adjoints=dict(reversed(deltas.items())),
    )
