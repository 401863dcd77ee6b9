"""The network: a recurrent layer, a linear read-out at every step, and the loss over time and batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import readout, rnn
from .losses import LOSSES, counted_steps, loss_weight

if TYPE_CHECKING:
    from jaxtyping import Float, Int


class Answer(NamedTuple):
    """The loss, and the derivatives of everything on the way to it.

    Attributes:
        loss: L, a number of the inputs' dtype.
        gradients: dL/d· for each parameter, for `h0` (B, H) and for `inputs` (T, B, D).
        outputs: o_t (T, B, K), zero past a sequence's length.
        adjoints: the total derivatives dL/do_t (T, B, K), dL/dh_t and dL/da_t (T, B, H), as `o`, `h`, `a`.
    """

    loss: np.floating
    gradients: dict[str, np.ndarray]
    outputs: Float[np.ndarray, "T B K"]
    adjoints: dict[str, np.ndarray]


def loss_and_gradients(
    params: Mapping[str, np.ndarray],
    inputs: Float[np.ndarray, "T B D"],
    targets: Int[np.ndarray, "T B"] | Float[np.ndarray, "T B K"],
    h0: Float[np.ndarray, "B H"],
    *,
    activation: str = "tanh",
    loss: str = "softmax_cross_entropy",
    reduction: str = "sum",
    lengths: Int[np.ndarray, " B"] | None = None,
) -> Answer:
    """The loss of a recurrent network and all its gradients, by backpropagation through time.

    Args:
        params: `U` (H, D), `W` (H, H), `V` (K, H), and `b` (H,), `c` (K,) where there are biases.
        inputs: x_t.
        targets: labels (T, B) for `softmax_cross_entropy`, numbers (T, B, K) for the other two.
        h0: the initial state.
        activation: `tanh`, `relu`, `sigmoid` or `identity`.
        loss: `softmax_cross_entropy`, `sigmoid_cross_entropy` or `squared_error`.
        reduction: `sum` over time and batch, or `mean` over the counted pairs (t, b).
        lengths: the sequences' lengths, 1…T; None means that all have T steps.
    """
    T, B, _ = inputs.shape
    counted = counted_steps(np.full(B, T) if lengths is None else lengths, T)
    w = loss_weight(counted, reduction)
    x = np.where(counted[..., None], inputs, 0)  # what lies past a length must not even overflow
    y = np.where(counted.reshape(T, B, *[1] * (targets.ndim - 2)), targets, 0)

    h, cache = rnn.forward(params["U"], params["W"], params.get("b"), x, h0, counted, activation)
    o = readout.forward(params["V"], params.get("c"), h)
    step_loss, step_do = LOSSES[loss](o, y)
    L = w * np.where(counted, step_loss, 0).sum()  # (22)

    do = w * np.where(counted[..., None], step_do, 0)  # (23) (T, B, K)
    top = readout.backward(do, params["V"], h)
    layer = rnn.backward(top.h, cache)

    gradients = {"U": layer.U, "W": layer.W, "b": layer.b, "V": top.V, "c": top.c}
    return Answer(
        loss=L,
        gradients={name: gradients[name] for name in params} | {"h0": layer.h0, "inputs": layer.x},
        outputs=np.where(counted[..., None], o, 0),
        adjoints={"o": do, "h": layer.h, "a": layer.a},
    )
