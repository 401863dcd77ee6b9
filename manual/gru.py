"""The gated recurrent unit (Cho and others, 2014), with its reset gate after or before the product with W_n.

`before` is the paper's form, `after` that of the frameworks. As in the frameworks, z is the share of the previous state
that is kept. The rows of U, W and b are those of the gates r, z and n, in this order, H each. With the reset gate after
the product, there is a second bias `b_hn` (H,) within what it multiplies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from . import affine
from .activations import saturating, sigmoid, sigmoid_derivative, tanh, tanh_derivative
from .buffers import Buffers
from .layer import State, padding_of

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
    mask: Bool[np.ndarray, "T B"]
    padding: Bool[np.ndarray, "T B 1"] | None  # past a length; None if all sequences have all steps
    reset: str
    buffers: Buffers


@saturating
def forward(
    params: Mapping[str, np.ndarray],
    x: Float[np.ndarray, "T B D"],
    initial: State,
    mask: Bool[np.ndarray, "T B"],
    buffers: Buffers | None = None,
    *,
    reset: str = "after",
) -> tuple[Float[np.ndarray, "T B H"], Cache]:
    """The states h_1 … h_T, from (h_0,).

    Args:
        params: `U` (3H, D), `W` (3H, H) and, where there are biases, `b` (3H,) and, if the reset gate comes after the
            product, `b_hn` (H,).
        x: the inputs x_1 … x_T.
        initial: (h_0,), (B, H).
        mask: where a step lies within its sequence's length.
        buffers: the memory of the arrays; the next call that is given the same overwrites them.
        reset: whether the reset gate comes `after` or `before` the product with W_n.

    Returns:
        The states, and what the backward pass needs.

    Raises:
        KeyError: U or W is missing.
    """
    T, B, _ = x.shape
    buffers = buffers or Buffers()
    H = params["W"].shape[1]
    padding = padding_of(mask)
    W_T = affine.transposed_by_gate(params["W"], GATES, B, buffers)
    W_T_of_h = W_T if reset == "after" else W_T[:2]  # of the gates whose rows of W multiply h itself
    h = buffers.empty("h", (T + 1, B, H), like=x)
    gates = buffers.empty("gates", (T, 3, B, H), like=x)
    q = buffers.empty("q", (T, B, H), like=x) if reset == "after" else h[:-1]
    linear = buffers.empty("linear", (len(W_T_of_h), B, H), like=x)  # a_r, a_z and, if there, W_n h_{t−1}
    a_n, r_h, from_n = (buffers.empty(name, (B, H), like=x) for name in ("a_n", "r_h", "from_n"))
    from_input = buffers.empty("from_input", (3, T, B, H), like=x)
    affine.forward(params["U"], params.get("b"), x, GATES, from_input)
    b_hn = params.get("b_hn", 0)
    (h[0],) = initial
    a_rz = linear[:2]
    for t in range(T):
        h_before, h_after = h[t], h[t + 1]
        r, z, n = gates[t]
        np.matmul(h_before, W_T_of_h, out=linear)
        a_rz += from_input[:2, t]
        sigmoid(a_rz, out=gates[t, :2])  # (65) (2, B, H)
        if reset == "after":
            q_t = np.add(linear[2], b_hn, out=q[t])  # (66) (B, H)
            np.multiply(r, q_t, out=a_n)  # of (67): r ⊙ q
        else:
            np.dot(np.multiply(r, h_before, out=r_h), W_T[2], out=a_n)  # of (68): W_n (r ⊙ h_{t−1})
        a_n += from_input[2, t]
        tanh(a_n, out=n)  # (67) or (68) (B, H)
        np.multiply(z, h_before, out=h_after)
        h_after += np.multiply(np.subtract(1, z, out=from_n), n, out=from_n)  # (69) (B, H)
        if padding is not None:
            np.copyto(h_after, h_before, where=padding[t])
    return h[1:], Cache(params, x, params["W"].reshape(3, H, H), h, gates, q, mask, padding, reset, buffers)


def factors(cache: Cache, steps: slice) -> Float[np.ndarray, "5 steps B H"]:
    """What dh is multiplied by in da_z, da_n and dh_{t−1}; what da_r is without the product's derivative; and r.

    As in `activations`, an array receives what is computed on the way to it within its own line.

    Args:
        cache: of `forward`.
        steps: which steps.
    """
    h_before, q = cache.h[:-1][steps], cache.q[steps]
    r, z, n = cache.gates[steps].swapaxes(0, 1)
    stacked = cache.buffers.empty("factors", (5, *q.shape), like=q)
    slope = cache.buffers.empty("slope", q.shape, like=q)  # σ′ or tanh′, where a line has two factors to compute
    of_z, of_n, of_h_before, of_r, of_q = stacked
    np.multiply(np.subtract(1, z, out=of_n), tanh_derivative(n, out=slope), out=of_n)  # of (70): 1 − z and tanh′
    np.multiply(np.subtract(h_before, n, out=of_z), sigmoid_derivative(z, out=slope), out=of_z)  # of (71): h − n and σ′
    np.multiply(q, sigmoid_derivative(r, out=of_r), out=of_r)  # of (72), (73), (74): q, or h_{t−1}, and σ′
    np.copyto(of_h_before, z)  # of (75): z
    np.copyto(of_q, r)  # of (72), (73): r
    return stacked


def step_backward(
    cache: Cache,
    factors: Float[np.ndarray, "5 B H"],
    after: State,
    da: Float[np.ndarray, "3 B H"],
    before: State,
) -> None:
    """Back through one step; the arguments are those of `layer.Cell.step_backward`."""
    (dh,), (dh_before,) = after, before
    of_zn, of_h_before, of_r, r = factors[:2], factors[2], factors[3], factors[4]
    W, da_r, da_n = cache.W_by_gate, da[0], da[2]
    paths = cache.buffers.empty("paths", (5, *dh.shape), like=dh)  # looked up once: a short step has no time for more
    through_W, directly, d_product = paths[:3], paths[3], paths[4]
    np.multiply(dh, of_zn, out=da[1:])  # (70), (71) (2, B, H)
    if cache.reset == "after":
        np.multiply(da_n, of_r, out=da_r)  # of (72), (74): dr and at once da_r
        dq = np.multiply(da_n, r, out=d_product)
        np.dot(dq, W[2], out=through_W[2])  # (72) (B, H)
    else:
        d_rh = np.dot(da_n, W[2], out=d_product)
        np.multiply(d_rh, of_r, out=da_r)  # of (73), (74): dr and at once da_r
        np.multiply(d_rh, r, out=through_W[2])  # (73) (B, H)
    np.matmul(da[:2], W[:2], out=through_W[:2])
    np.add.reduce(through_W, axis=0, out=dh_before)
    dh_before += np.multiply(dh, of_h_before, out=directly)  # (75) (B, H)


def parameter_gradients(cache: Cache, da: Float[np.ndarray, "gates T B H"]) -> dict[str, np.ndarray]:
    """The gradients of U, W, b and b_hn, summed over time and batch."""
    h_before, r, da_n = cache.h[:-1], cache.gates[:, 0], da[2]
    # W_n v, with b_hn beside it, is q where the reset gate comes after the product, and else a part of a_n.
    if cache.reset == "after":
        d_product, v = da_n * r, h_before  # of (76), (78): dq
    else:
        d_product, v = da_n, r * h_before  # of (77): r ⊙ h_{t−1}
    dW_rz = affine.recurrent_weights_gradient(da[:2], h_before)
    dW_n = affine.recurrent_weights_gradient(d_product[None], v)  # (76) or (77) (H, H)
    return {
        "U": affine.input_weights_gradient(da, cache.x),
        "W": np.concatenate([dW_rz, dW_n]),
        "b": affine.bias_gradient(da),
        "b_hn": affine.bias_gradient(d_product[None]),  # (78) (H,)
    }
