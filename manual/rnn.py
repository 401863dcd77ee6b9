"""The plain cell: h_t = φ(U x_t + W h_{t−1} + b)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import affine
from .activations import ACTIVATIONS
from .layer import State, StepGradients

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

STATES = ("h",)


class Cache(NamedTuple):
    """What the backward pass needs of `forward`."""

    params: Mapping[str, np.ndarray]
    x: Float[np.ndarray, "T B D"]
    h: Float[np.ndarray, "T+1 B H"]  # from h_0 to h_T
    phi_derivative: Float[np.ndarray, "T B H"]  # φ′(a_t), 0 past a length
    counted: Bool[np.ndarray, "T B"]


def forward(
    params: Mapping[str, np.ndarray],
    x: Float[np.ndarray, "T B D"],
    initial: State,
    counted: Bool[np.ndarray, "T B"],
    *,
    activation: str = "tanh",
) -> tuple[Float[np.ndarray, "T B H"], Cache]:
    """The states h_1 … h_T, from (h_0,)."""
    T, B, _ = x.shape
    W = params["W"]
    phi = ACTIVATIONS[activation]
    from_input = affine.forward(params["U"], params.get("b"), x)
    # Arrays count from 0: x[t] is the input of step t + 1, h[t] the state before it and h[t + 1] after it.
    h = np.empty_like(from_input, shape=(T + 1, B, len(W)))
    (h[0],) = initial
    for t in range(T):
        a = from_input[t] + h[t] @ W.T  # (1) (B, H)
        h[t + 1] = phi.function(a)  # (2) (B, H)
        np.copyto(h[t + 1], h[t], where=~counted[t, :, None])  # (3) (B, H)
    phi_derivative = np.where(counted[..., None], phi.derivative(h[1:]), 0)
    return h[1:], Cache(params, x, h, phi_derivative, counted)


def step_backward(cache: Cache, at: int | slice, state: State) -> StepGradients:
    (dh,) = state
    carried = ~cache.counted[at][..., None]
    da = dh * cache.phi_derivative[at]  # (33) (B, H)
    dh_before = da @ cache.params["W"] + carried * dh  # (34) (B, H)
    return StepGradients(da, (dh,), (dh_before,))


def parameter_gradients(cache: Cache, da: Float[np.ndarray, "T B H"]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    dU, db, dx = affine.backward(da, cache.params["U"], cache.x)
    return {"U": dU, "W": affine.recurrent_gradient(da, cache.h[:-1]), "b": db}, dx
