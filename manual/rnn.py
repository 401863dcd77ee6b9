"""The plain cell: h_t = φ(U x_t + W h_{t−1} + b)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import affine
from .activations import ACTIVATIONS, Activation, saturating
from .buffers import Buffers
from .layer import State, padding_of

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

STATES = ("h",)
GATES = (0,)


class Cache(NamedTuple):
    """What the backward pass needs of `forward`."""

    params: Mapping[str, np.ndarray]
    x: Float[np.ndarray, "T B D"]
    h: Float[np.ndarray, "T+1 B H"]  # from h_0 to h_T
    phi: Activation
    mask: Bool[np.ndarray, "T B"]
    padding: Bool[np.ndarray, "T B 1"] | None  # past a length; None if all sequences have all steps
    buffers: Buffers


@saturating
def forward(
    params: Mapping[str, np.ndarray],
    x: Float[np.ndarray, "T B D"],
    initial: State,
    mask: Bool[np.ndarray, "T B"],
    buffers: Buffers | None = None,
    *,
    activation: str = "tanh",
) -> tuple[Float[np.ndarray, "T B H"], Cache]:
    """The states h_1 … h_T, from (h_0,).

    Args:
        params: `U` (H, D), `W` (H, H) and, where there is a bias, `b` (H,).
        x: the inputs x_1 … x_T.
        initial: (h_0,), (B, H).
        mask: where a step lies within its sequence's length.
        buffers: the memory of the arrays; the next call that is given the same overwrites them.
        activation: φ, a name of `ACTIVATIONS`.

    Returns:
        The states, and what the backward pass needs.

    Raises:
        KeyError: U or W is missing, or there is no such activation.
    """
    T, B, _ = x.shape
    buffers = buffers or Buffers()
    H = len(params["W"])
    phi = ACTIVATIONS[activation]
    padding = padding_of(mask)
    (W_T,) = affine.transposed_by_gate(params["W"], GATES, B, buffers)
    h = buffers.empty("h", (T + 1, B, H), like=x)
    a = buffers.empty("a", (B, H), like=x)
    from_input = buffers.empty("from_input", (T, B, H), like=x)
    affine.forward(params["U"], params.get("b"), x, GATES, from_input[None])
    (h[0],) = initial
    for t in range(T):
        h_before, h_after = h[t], h[t + 1]
        np.dot(h_before, W_T, out=a)
        a += from_input[t]  # (1) (B, H)
        phi.function(a, out=h_after)  # (2) (B, H)
        if padding is not None:
            np.copyto(h_after, h_before, where=padding[t])  # (3) (B, H)
    return h[1:], Cache(params, x, h, phi, mask, padding, buffers)


def factors(cache: Cache, steps: slice) -> Float[np.ndarray, "1 steps B H"]:
    """What dh is multiplied by in da: φ′(a_t).

    Args:
        cache: of `forward`.
        steps: which steps.
    """
    h = cache.h[1:][steps]
    phi_derivative = cache.buffers.empty("factors", (1, *h.shape), like=h)
    cache.phi.derivative(h, out=phi_derivative[0])  # of (33): φ′(a_t)
    return phi_derivative


def step_backward(
    cache: Cache,
    factors: Float[np.ndarray, "1 B H"],
    after: State,
    da: Float[np.ndarray, "1 B H"],
    before: State,
) -> None:
    """Back through one step; the arguments are those of `layer.Cell.step_backward`."""
    (dh,), (dh_before,) = after, before
    (phi_derivative,) = factors
    (da_h,) = da
    np.multiply(dh, phi_derivative, out=da_h)  # (33) (B, H)
    np.dot(da_h, cache.params["W"], out=dh_before)  # (34) (B, H)


def parameter_gradients(cache: Cache, da: Float[np.ndarray, "gates T B H"]) -> dict[str, np.ndarray]:
    """The gradients of U, W and b, summed over time and batch."""
    return {
        "U": affine.input_weights_gradient(da, cache.x),
        "W": affine.recurrent_weights_gradient(da, cache.h[:-1]),
        "b": affine.bias_gradient(da),
    }
