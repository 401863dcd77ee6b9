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
from .layer import State, carried_steps, steps_of

if TYPE_CHECKING:
    from jaxtyping import Bool, Float

STATES = ("h",)
GATES = (0, 1, 2)


class Cache(NamedTuple):
    """What the backward pass needs of `forward`."""

    params: Mapping[str, np.ndarray]
    x: Float[np.ndarray, "T B D"]
    W_by_gate: Float[np.ndarray, "3 H H"]
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
    W_T = affine.transposed_by_gate(params["W"], GATES, B, buffers)
    h = buffers.empty("h", (T + 1, B, H), like=x)
    gates = buffers.empty("gates", (T, 3, B, H), like=x)
    q = buffers.empty("q", (T, B, H), like=x) if reset == "after" else h[:-1]
    from_state = buffers.empty("from_state", (B, H), like=x)
    from_input = buffers.empty("from_input", (3, T, B, H), like=x)
    affine.forward(params["U"], params.get("b"), x, GATES, from_input)
    b_hn = params.get("b_hn", 0)
    (h[0],) = initial
    by_step = zip(h, h[1:], gates, from_input.swapaxes(0, 1), q, steps_of(carried), strict=False)
    for h_before, h_after, a, from_x, q_before, is_carried in by_step:
        rz, (r, z, n) = a[:2], a
        if reset == "after":
            np.matmul(h_before, W_T, out=a)
            rz += from_x[:2]
            sigmoid(rz, out=rz)  # (65) (2, B, H)
            np.add(n, b_hn, out=q_before)  # (66) (B, H)
            np.multiply(r, q_before, out=n)
        else:
            np.matmul(h_before, W_T[:2], out=rz)
            rz += from_x[:2]
            sigmoid(rz, out=rz)
            np.dot(np.multiply(r, h_before, out=from_state), W_T[2], out=n)  # (68) (B, H), but for the next two lines
        n += from_x[2]
        tanh(n, out=n)  # (67) (B, H)
        np.multiply(z, h_before, out=h_after)
        np.subtract(1, z, out=from_state)
        h_after += np.multiply(from_state, n, out=from_state)  # (69) (B, H)
        if is_carried is not None:
            np.copyto(h_after, h_before, where=is_carried)
    return h[1:], Cache(params, x, params["W"].reshape(3, H, H), h, gates, q, counted, carried, reset, buffers)


def factors(cache: Cache, steps: slice) -> Float[np.ndarray, "5 steps B H"]:
    """What dh is multiplied by in da_z, da_n and dh_{t−1}, dr in da_r, and what r itself is."""
    h_before = cache.h[:-1][steps]
    r, z, n = cache.gates[steps].swapaxes(0, 1)
    found = cache.buffers.empty("factors", (5, *h_before.shape), like=h_before)
    of_z, of_n, of_h_before, of_r, the_r = found
    np.multiply(np.subtract(1, z, out=of_h_before), tanh_derivative(n, out=of_n), out=of_n)  # (70) (B, H)
    np.multiply(np.subtract(h_before, n, out=of_h_before), sigmoid_derivative(z, out=of_z), out=of_z)  # (71) (B, H)
    np.multiply(cache.q[steps], sigmoid_derivative(r, out=of_r), out=of_r)  # (74) (B, H)
    np.copyto(of_h_before, z)
    np.copyto(the_r, r)
    return found


def step_backward(
    cache: Cache,
    factors: Float[np.ndarray, "5 B H"],
    after: State,
    da: Float[np.ndarray, "3 B H"],
    before: State,
) -> None:
    (dh,), (dh_before,) = after, before
    _, _, of_h_before, of_r, r = factors
    W, (da_r, _, da_n) = cache.W_by_gate, da
    through = cache.buffers.empty("through", da.shape, like=da)  # what comes back through each product with W
    np.multiply(dh, factors[:2], out=da[1:])
    if cache.reset == "after":
        np.multiply(da_n, of_r, out=da_r)  # (72) (B, H)
        dq = np.multiply(da_n, r, out=dh_before)
        np.dot(dq, W[2], out=through[2])
    else:
        d_rh = np.dot(da_n, W[2], out=through[2])
        np.multiply(d_rh, of_r, out=da_r)  # (73) (B, H)
        d_rh *= r
    np.matmul(da[:2], W[:2], out=through[:2])
    np.add.reduce(through, axis=0, out=dh_before)
    dh_before += np.multiply(dh, of_h_before, out=through[0])  # (75) (B, H)


def parameter_gradients(cache: Cache, da: Float[np.ndarray, "gates T B H"]) -> dict[str, np.ndarray]:
    h_before, r, da_n = cache.h[:-1], cache.gates[:, 0], da[2]
    if cache.reset == "after":
        dq, multiplied = da_n * r, h_before  # (76) (T, B, H)
    else:
        dq, multiplied = da_n, r * h_before  # (77) (T, B, H)
    dW_rz = affine.recurrent_weights_gradient(da[:2], h_before)
    dW_n = affine.recurrent_weights_gradient(dq[None], multiplied)
    return {
        "U": affine.input_weights_gradient(da, cache.x),
        "W": np.concatenate([dW_rz, dW_n]),
        "b": affine.bias_gradient(da),
        "b_hn": affine.bias_gradient(dq[None]),  # (78) (H,)
    }
