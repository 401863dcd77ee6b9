"""The plain cell: h_t = φ(U x_t + W h_{t−1} + b)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import affine
from .activations import ACTIVATIONS, Activation, saturating
from .buffers import Buffers
from .layer import State, carried_steps, steps_of

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
    counted: Bool[np.ndarray, "T B"]
    carried: Bool[np.ndarray, "T B 1"] | None  # past a length; None if all sequences have all steps
    buffers: Buffers


@saturating
def forward(
    params: Mapping[str, np.ndarray],
    x: Float[np.ndarray, "T B D"],
    initial: State,
    counted: Bool[np.ndarray, "T B"],
    buffers: Buffers | None = None,
    *,
    activation: str = "tanh",
) -> tuple[Float[np.ndarray, "T B H"], Cache]:
    """The states h_1 … h_T, from (h_0,)."""
    T, B, _ = x.shape
    buffers = buffers or Buffers()
    H = len(params["W"])
    phi = ACTIVATIONS[activation]
    carried = carried_steps(counted)
    (W_T,) = affine.transposed_by_gate(params["W"], GATES, B, buffers)
    h = buffers.empty("h", (T + 1, B, H), like=x)
    from_state = buffers.empty("from_state", (B, H), like=x)
    (h[0],) = initial
    affine.forward(params["U"], params.get("b"), x, GATES, h[None, 1:])  # a_t is built up in the place of h_t
    for h_before, h_after, is_carried in zip(h, h[1:], steps_of(carried), strict=False):
        a = h_after
        a += np.dot(h_before, W_T, out=from_state)  # (1) (B, H)
        phi.function(a, out=h_after)  # (2) (B, H)
        if is_carried is not None:
            np.copyto(h_after, h_before, where=is_carried)  # (3) (B, H)
    return h[1:], Cache(params, x, h, phi, counted, carried, buffers)


def factors(cache: Cache, steps: slice) -> Float[np.ndarray, "1 steps B H"]:
    """φ′(a_t)."""
    h = cache.h[1:][steps]
    found = cache.buffers.empty("factors", (1, *h.shape), like=h)
    cache.phi.derivative(h, out=found[0])
    return found


def step_backward(
    cache: Cache,
    factors: Float[np.ndarray, "1 B H"],
    after: State,
    da: Float[np.ndarray, "1 B H"],
    before: State,
) -> None:
    (dh,), (dh_before,) = after, before
    (phi_derivative,) = factors
    (da_h,) = da
    np.multiply(dh, phi_derivative, out=da_h)  # (33) (B, H)
    np.dot(da_h, cache.params["W"], out=dh_before)  # (34) (B, H)


def parameter_gradients(cache: Cache, da: Float[np.ndarray, "gates T B H"]) -> dict[str, np.ndarray]:
    return {
        "U": affine.input_weights_gradient(da, cache.x),
        "W": affine.recurrent_weights_gradient(da, cache.h[:-1]),
        "b": affine.bias_gradient(da),
    }
