"""The gated recurrent unit, with its reset gate after or before the product with W_n.

The rows of U, W and b are those of the gates r, z and n, in this order, H each. With the reset gate after the
product, there is a second bias `b_hn` (H,) within what it multiplies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import affine
from .activations import saturating, sigmoid, sigmoid_derivative, tanh, tanh_derivative
from .buffers import Buffers
from .layer import State, carried_steps

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

STATES = ("h",)
GATES = 3


class Cache(NamedTuple):
    """What the backward pass needs of `forward`."""

    params: Mapping[str, np.ndarray]
    x: Float[np.ndarray, "T B D"]
    h: Float[np.ndarray, "T+1 B H"]  # from h_0 to h_T
    gates: Float[np.ndarray, "T 3 B H"]  # r, z and n
    q: Float[np.ndarray, "T B H"]  # what r multiplies: W_n h_{t−1} + b_hn if it comes after, h_{t−1} if before
    counted: Bool[np.ndarray, "T B"]
    carried: Bool[np.ndarray, "T B 1"] | None  # past a length; None if all sequences have all steps
    reset: str
    buffers: Buffers


@saturating
def forward(
    params: Mapping[str, np.ndarray],
    x: Float[np.ndarray, "T B D"],
    initial: State,
    counted: Bool[np.ndarray, "T B"],
    buffers: Buffers | None = None,
    *,
    reset: str = "after",
) -> tuple[Float[np.ndarray, "T B H"], Cache]:
    """The states h_1 … h_T, from (h_0,)."""
    T, B, _ = x.shape
    buffers = buffers or Buffers()
    H = params["W"].shape[1]
    carried = carried_steps(counted)
    W_T = affine.transposed_by_gate(params["W"], GATES, buffers)
    h = buffers.empty("h", (T + 1, B, H), like=x)
    gates = buffers.empty("gates", (T, 3, B, H), like=x)
    q = buffers.empty("q", (T, B, H), like=x) if reset == "after" else h[:-1]
    from_input = buffers.empty("from_input", (T, B, 3 * H), like=x)
    affine.forward(params["U"], params.get("b"), x, out=from_input)
    from_input = affine.by_gate(from_input, GATES)
    (h[0],) = initial
    for t in range(T):
        rz, n = gates[t, :2], gates[t, 2]
        np.matmul(h[t], W_T[:2], out=rz)
        rz += from_input[:2, t]
        r, z = sigmoid(rz, out=rz)  # (65) (B, H)
        if reset == "after":
            np.matmul(h[t], W_T[2], out=q[t])
            q[t] += params.get("b_hn", 0)  # (66) (B, H)
            np.multiply(r, q[t], out=n)
            n += from_input[2, t]
            tanh(n, out=n)  # (67) (B, H)
        else:
            np.matmul(r * q[t], W_T[2], out=n)
            n += from_input[2, t]
            tanh(n, out=n)  # (68) (B, H)
        np.multiply(z, h[t], out=h[t + 1])
        h[t + 1] += (1 - z) * n  # (69) (B, H)
        if carried is not None:
            np.copyto(h[t + 1], h[t], where=carried[t])
    return h[1:], Cache(params, x, h, gates, q, counted, carried, reset, buffers)


def factors(cache: Cache, steps: slice) -> Float[np.ndarray, "5 steps B H"]:
    """What dh is multiplied by in da_z, da_n and dh_{t−1}, dr in da_r, and what r itself is."""
    h_before = cache.h[:-1][steps]
    r, z, n = cache.gates[steps].swapaxes(0, 1)
    found = cache.buffers.empty("factors", (5, *h_before.shape), like=h_before)
    of_z, of_n, of_h_before, of_r, the_r = found
    np.multiply(1 - z, tanh_derivative(n, out=of_n), out=of_n)  # (70) (B, H)
    np.multiply(h_before - n, sigmoid_derivative(z, out=of_z), out=of_z)  # (71) (B, H)
    np.multiply(cache.q[steps], sigmoid_derivative(r, out=of_r), out=of_r)
    np.copyto(of_h_before, z)
    np.copyto(the_r, r)
    return found


def step_backward(
    cache: Cache,
    factors: Float[np.ndarray, "5 *steps B H"],
    after: State,
    da: Float[np.ndarray, "*steps B G"],
    before: State,
) -> None:
    (dh,), (dh_before,) = after, before
    _, _, of_h_before, of_r, r = factors
    H = dh.shape[-1]
    W_rz, W_n = cache.params["W"][: 2 * H], cache.params["W"][2 * H :]
    da_by_gate = affine.by_gate(da, GATES)
    da_r, _, da_n = da_by_gate
    np.multiply(dh, factors[:2], out=da_by_gate[1:])
    if cache.reset == "after":
        dh_through_n = (da_n * r) @ W_n
        np.multiply(da_n, of_r, out=da_r)  # (72) (B, H)
    else:
        d_rh = da_n @ W_n
        dh_through_n = d_rh * r
        np.multiply(d_rh, of_r, out=da_r)  # (73) (B, H)
    np.matmul(da[..., : 2 * H], W_rz, out=dh_before)  # (74) (B, H)
    dh_before += dh_through_n
    dh_before += dh * of_h_before  # (75) (B, H)


def parameter_gradients(cache: Cache, da: Float[np.ndarray, "T B G"]) -> dict[str, np.ndarray]:
    h_before = cache.h[:-1]
    H, r = h_before.shape[-1], cache.gates[:, 0]
    da_rz, da_n = da[..., : 2 * H], da[..., 2 * H :]
    if cache.reset == "after":
        dq, multiplied = da_n * r, h_before  # (76) (T, B, H)
    else:
        dq, multiplied = da_n, r * h_before  # (77) (T, B, H)
    dW_rz = affine.recurrent_weights_gradient(da_rz, h_before)
    dW_n = affine.recurrent_weights_gradient(dq, multiplied)
    return {
        "U": affine.input_weights_gradient(da, cache.x),
        "W": np.concatenate([dW_rz, dW_n]),
        "b": affine.bias_gradient(da),
        "b_hn": affine.bias_gradient(dq),  # (78) (H,)
    }
