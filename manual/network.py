"""The recurrent network: layers, a linear read-out at every step, and the loss over time and batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import jacobians, readout, rtrl, stack
from . import linear_network as linear
from .buffers import Buffers
from .layer import LayerGradients
from .losses import LOSSES, last_steps, length_mask, loss_weight
from .result import LossAndGradients

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int, Shaped

DIFFERENTIATIONS = {
    "expanded": jacobians.backward,
    "closed_form": linear.backward,
    "forward": rtrl.forward_gradients,
}


def loss_and_gradients(
    params: Mapping[str, np.ndarray],
    inputs: Float[np.ndarray, "T B D"],
    targets: Int[np.ndarray, "T B"] | Float[np.ndarray, "T B K"],
    h0: Float[np.ndarray, "*P B H"],
    c0: Float[np.ndarray, "*P B H"] | None = None,
    *,
    cell: str = "rnn",
    num_layers: int = 1,
    bidirectional: bool = False,
    truncation: tuple[str, int] | None = None,
    differentiation: str = "reverse",
    loss: str = "softmax_cross_entropy",
    reduction: str = "sum",
    loss_at: str = "every_step",
    lengths: Int[np.ndarray, " B"] | None = None,
    buffers: Buffers | None = None,
    params_only: bool = False,
    **options: Any,
) -> LossAndGradients:
    """The loss of a recurrent network and all its gradients, by backpropagation through time.

    The adjoints are the total derivatives dL/do_t (T, B, K), dL/dh_t (T, B, H), dL/da_t (T, B, G) and, of an LSTM,
    dL/dc_t (T, B, H), as `o`, `h`, `a` and `c`, in a stack under the names of `stack`.

    Args:
        params: `U` (G, D), `W` (G, H), `V` (K, H), and `b` (G,), `c` (K,) where there are biases; G is H for the
            plain cell, 4H for the LSTM and 3H for the GRU, which has `b_hn` (H,) too if its reset comes after.
            `Wcat` (G, D+H) may stand for U and W side by side. In a stack the names are those of `stack`, and V is
            (K, 2H) over both directions.
        inputs: x_t.
        targets: labels (T, B) for `softmax_cross_entropy`, numbers (T, B, K) for the other two.
        h0: the initial state; (P, B, H) for P layers and directions.
        c0: the initial cell state of an LSTM.
        cell: `rnn`, `lstm` or `gru`.
        num_layers: how many layers lie on each other.
        bidirectional: whether each has a second direction.
        truncation: None, or `window`, `chunks` or `last_steps` with a number of steps; see `truncation`.
        differentiation: `reverse`; or, of a single plain layer, `expanded`, `forward` (see `jacobians`, `rtrl`), or
            `closed_form` for the linear network (see `linear_network`).
        loss: `softmax_cross_entropy`, `sigmoid_cross_entropy` or `squared_error`.
        reduction: `sum` over time and batch, or `mean` over the pairs (t, b) that carry a loss.
        loss_at: `every_step`, or `last_step` of each sequence alone.
        lengths: the sequences' lengths, 1…T; None means that all have T steps.
        buffers: memory to be used again by the next call, which then overwrites this answer's outputs and adjoints.
        params_only: leave out the inputs' gradient, which costs a product, and the adjoints of the lowest layer.
        options: the cell's own: `activation` of the plain cell (`tanh`, `relu`, `sigmoid` or `identity`), `reset`
            of the GRU (`after` or `before`).

    Returns:
        The loss; the gradients of the parameters, of `h0`, of `c0` if there is one, and of `inputs`; the outputs o_t
        (T, B, K), zero past a length; and the adjoints.

    Raises:
        KeyError: there is no such cell, loss, activation or differentiation, or a parameter is missing.

    Example:
        >>> import numpy as np
        >>> from gradparity.manual import loss_and_gradients
        >>> T, B, D, H, K = 4, 2, 3, 5, 2
        >>> rng = np.random.default_rng(0)
        >>> shapes = {"U": (H, D), "W": (H, H), "b": (H,), "V": (K, H), "c": (K,)}
        >>> params = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
        >>> x, y = rng.standard_normal((T, B, D)), rng.integers(K, size=(T, B))
        >>> found = loss_and_gradients(params, x, y, np.zeros((B, H)))
        >>> {name: gradient.shape for name, gradient in found.gradients.items() if name in "UWh0"}
        {'U': (5, 3), 'W': (5, 5), 'h0': (2, 5)}
        >>> {name: adjoint.shape for name, adjoint in found.adjoints.items()}
        {'o': (4, 2, 2), 'h': (4, 2, 5), 'a': (4, 2, 5)}

        The gradient is the slope of the loss:

        >>> def loss(b):
        ...     return loss_and_gradients({**params, "b": b}, x, y, np.zeros((B, H))).loss
        >>> step = np.array([1e-6, 0, 0, 0, 0])
        >>> slope = (loss(params["b"] + step) - loss(params["b"] - step)) / 2e-6
        >>> bool(abs(slope - found.gradients["b"][0]) < 1e-7)  # the differences' own error is about 1e-10
        True
    """
    T, B, D = inputs.shape
    mask = np.ones((T, B), dtype=bool) if lengths is None else length_mask(lengths, T)
    with_loss = mask if loss_at == "every_step" else last_steps(mask)  # (21) (T, B)
    everywhere = lengths is None and loss_at == "every_step"
    w = loss_weight(with_loss, reduction)
    x = inputs if lengths is None else _only(mask, inputs)  # what lies past a length must not even overflow
    y = targets if everywhere else _only(with_loss, targets)
    options |= {"cell": cell, "num_layers": num_layers, "bidirectional": bidirectional}
    initial = (h0,) if c0 is None else (h0, c0)

    h, caches = stack.forward(_apart(params, D), x, initial, mask, buffers or Buffers(), **options)
    o = readout.forward(params["V"], params.get("c"), h)
    step_loss, step_do = LOSSES[loss](o, y)
    if not everywhere:
        step_loss, step_do = _only(with_loss, step_loss), _only(with_loss, step_do)
    L = w * step_loss.sum()  # (23)

    do = w * step_do  # (28) (T, B, K)
    top = readout.backward(do, params["V"], h)
    if differentiation == "reverse":
        below = stack.backward(top.h, caches, cell=cell, truncation=truncation, params_only=params_only)
    else:
        below = DIFFERENTIATIONS[differentiation](top.h, caches[0][0])

    gradients = _joined(below, params) | {"V": top.V, "c": top.c}
    return LossAndGradients(
        loss=L,
        gradients={name: gradients[name] for name in params}
        | dict(zip(("h0", "c0"), below.initial, strict=False))
        | ({} if below.x is None else {"inputs": below.x}),
        outputs=o if lengths is None else _only(mask, o),
        adjoints={"o": do} | below.adjoints,
    )


def _only(where: Bool[np.ndarray, "T B"], array: Shaped[np.ndarray, "T B *N"]) -> Shaped[np.ndarray, "T B *N"]:
    """The array, with zeros elsewhere."""
    return np.where(where.reshape(*where.shape, *[1] * (array.ndim - 2)), array, 0)


def _apart(params: Mapping[str, np.ndarray], input_size: int) -> Mapping[str, np.ndarray]:
    """U and W in the place of Wcat, whose columns are those of U and then those of W."""
    if "Wcat" not in params:
        return params
    U, W = np.split(params["Wcat"], [input_size], axis=1)  # (40) (G, D), (G, H)
    return {**params, "U": U, "W": W}


def _joined(below: LayerGradients, params: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The gradient of Wcat, if it was given, beside the others."""
    if "Wcat" not in params:
        return below.params
    dWcat = np.concatenate([below.params["U"], below.params["W"]], axis=1)  # (41) (G, D+H)
    return {**below.params, "Wcat": dWcat}
