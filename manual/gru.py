"""The gated recurrent unit, with its reset gate after or before the product with W_n.

The rows of U, W and b are those of the gates r, z and n, in this order, H each. With the reset gate after the
product, there is a second bias `b_hn` (H,) within what it multiplies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import affine
from .activations import sigmoid, sigmoid_derivative, tanh, tanh_derivative
from .layer import State, StepGradients

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

STATES = ("h",)


class Cache(NamedTuple):
    """What the backward pass needs of `forward`."""

    params: Mapping[str, np.ndarray]
    x: Float[np.ndarray, "T B D"]
    h: Float[np.ndarray, "T+1 B H"]  # from h_0 to h_T
    gates: Float[np.ndarray, "3 T B H"]  # r, z and n
    q: Float[np.ndarray, "T B H"]  # what r multiplies: W_n h_{t−1} + b_hn if it comes after, h_{t−1} if before
    counted: Bool[np.ndarray, "T B"]
    reset: str


def forward(
    params: Mapping[str, np.ndarray],
    x: Float[np.ndarray, "T B D"],
    initial: State,
    counted: Bool[np.ndarray, "T B"],
    *,
    reset: str = "after",
) -> tuple[Float[np.ndarray, "T B H"], Cache]:
    """The states h_1 … h_T, from (h_0,)."""
    T, B, _ = x.shape
    W_rz, W_n = _split(params["W"])
    H = len(W_n)
    from_input = affine.forward(params["U"], params.get("b"), x)
    h = np.empty_like(from_input, shape=(T + 1, B, H))
    gates = np.empty_like(from_input, shape=(3, T, B, H))
    q = np.empty_like(from_input, shape=(T, B, H))
    (h[0],) = initial
    for t in range(T):
        x_rz, x_n = from_input[t, :, : 2 * H], from_input[t, :, 2 * H :]
        r, z = np.split(sigmoid(x_rz + h[t] @ W_rz.T), 2, axis=1)  # (65) (B, H)
        if reset == "after":
            q[t] = h[t] @ W_n.T + params.get("b_hn", 0)  # (66) (B, H)
            n = tanh(x_n + r * q[t])  # (67) (B, H)
        else:
            q[t] = h[t]
            n = tanh(x_n + (r * q[t]) @ W_n.T)  # (68) (B, H)
        h[t + 1] = (1 - z) * n + z * h[t]  # (69) (B, H)
        np.copyto(h[t + 1], h[t], where=~counted[t, :, None])  # past a length it is carried
        gates[:, t] = r, z, n
    return h[1:], Cache(params, x, h, gates, q, counted, reset)


def step_backward(cache: Cache, at: int | slice, state: State) -> StepGradients:
    (dh,) = state
    W_rz, W_n = _split(cache.params["W"])
    r, z, n = cache.gates[:, at]
    h_before, q = cache.h[:-1][at], cache.q[at]
    counted = cache.counted[at][..., None]
    da_n = counted * dh * (1 - z) * tanh_derivative(n)  # (70) (B, H)
    da_z = counted * dh * (h_before - n) * sigmoid_derivative(z)  # (71) (B, H)
    if cache.reset == "after":
        dr, dh_through_n = da_n * q, (da_n * r) @ W_n  # (72) (B, H)
    else:
        d_rh = da_n @ W_n
        dr, dh_through_n = d_rh * q, d_rh * r  # (73) (B, H)
    da_rz = np.concatenate([dr * sigmoid_derivative(r), da_z], axis=-1)  # (74) (B, 2H)
    dh_before = dh * np.where(counted, z, 1) + da_rz @ W_rz + dh_through_n  # (75) (B, H)
    return StepGradients(np.concatenate([da_rz, da_n], axis=-1), (dh,), (dh_before,))


def parameter_gradients(cache: Cache, da: Float[np.ndarray, "T B G"]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    dU, db, dx = affine.backward(da, cache.params["U"], cache.x)
    h_before = cache.h[:-1]
    H, r = h_before.shape[-1], cache.gates[0]
    da_rz, da_n = da[..., : 2 * H], da[..., 2 * H :]
    if cache.reset == "after":
        dq, multiplied = da_n * r, h_before  # (76) (T, B, H)
    else:
        dq, multiplied = da_n, r * h_before  # (77) (T, B, H)
    dW_rz, dW_n = affine.recurrent_gradient(da_rz, h_before), affine.recurrent_gradient(dq, multiplied)
    db_hn = dq.sum(axis=(0, 1))  # (78) (H,)
    return {"U": dU, "W": np.concatenate([dW_rz, dW_n]), "b": db, "b_hn": db_hn}, dx


def _split(W: Float[np.ndarray, "G H"]) -> tuple[np.ndarray, np.ndarray]:
    """The rows of r and z, and those of n."""
    H = W.shape[1]
    return W[: 2 * H], W[2 * H :]
