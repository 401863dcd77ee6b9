"""Long short-term memory. The rows of U, W and b are those of the gates i, f, g and o, in this order, H each."""

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

STATES = ("h", "c")
GATES = 4


class Cache(NamedTuple):
    """What the backward pass needs of `forward`."""

    params: Mapping[str, np.ndarray]
    x: Float[np.ndarray, "T B D"]
    h: Float[np.ndarray, "T+1 B H"]  # from h_0 to h_T
    c: Float[np.ndarray, "T+1 B H"]  # from c_0 to c_T
    gates: Float[np.ndarray, "T 4 B H"]  # i, f, g and o
    tanh_c: Float[np.ndarray, "T B H"]
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
) -> tuple[Float[np.ndarray, "T B H"], Cache]:
    """The states h_1 … h_T, from (h_0, c_0)."""
    T, B, _ = x.shape
    buffers = buffers or Buffers()
    H = params["W"].shape[1]
    carried = carried_steps(counted)
    W_T = affine.transposed_by_gate(params["W"], GATES, buffers)
    h, c = (buffers.empty(name, (T + 1, B, H), like=x) for name in STATES)
    gates = buffers.empty("gates", (T, 4, B, H), like=x)
    tanh_c = buffers.empty("tanh_c", (T, B, H), like=x)
    i_g = buffers.empty("i_g", (B, H), like=x)
    from_input = buffers.empty("from_input", (T, B, 4 * H), like=x)
    affine.forward(params["U"], params.get("b"), x, out=from_input)
    from_input = affine.by_gate(from_input, GATES)
    h[0], c[0] = initial
    for t in range(T):
        a = gates[t]
        np.matmul(h[t], W_T, out=a)
        a += from_input[:, t]  # (54) (4, B, H)
        sigmoid(a[:2], out=a[:2])
        tanh(a[2], out=a[2])
        sigmoid(a[3], out=a[3])
        i, f, g, o = a  # (55) (B, H)
        np.multiply(f, c[t], out=c[t + 1])
        c[t + 1] += np.multiply(i, g, out=i_g)  # (56) (B, H)
        np.multiply(o, tanh(c[t + 1], out=tanh_c[t]), out=h[t + 1])  # (57) (B, H)
        if carried is not None:  # past a length both states are carried
            np.copyto(h[t + 1], h[t], where=carried[t])
            np.copyto(c[t + 1], c[t], where=carried[t])
    return h[1:], Cache(params, x, h, c, gates, tanh_c, counted, carried, buffers)


def factors(cache: Cache, steps: slice) -> Float[np.ndarray, "6 steps B H"]:
    """What dc is multiplied by in da_i, da_f and da_g; dh in da_o, and in dc; and dc in dc_{t−1}."""
    c_before, tanh_c = cache.c[:-1][steps], cache.tanh_c[steps]
    i, f, g, o = cache.gates[steps].swapaxes(0, 1)
    found = cache.buffers.empty("factors", (6, *tanh_c.shape), like=tanh_c)
    of_i, of_f, of_g, of_o, of_c, of_c_before = found
    np.multiply(tanh_c, sigmoid_derivative(o, out=of_o), out=of_o)  # (58) (B, H)
    np.multiply(o, tanh_derivative(tanh_c, out=of_c), out=of_c)  # (59) (B, H)
    np.multiply(c_before, sigmoid_derivative(f, out=of_f), out=of_f)  # (60) (B, H)
    np.multiply(g, sigmoid_derivative(i, out=of_i), out=of_i)  # (61) (B, H)
    np.multiply(i, tanh_derivative(g, out=of_g), out=of_g)  # (62) (B, H)
    np.copyto(of_c_before, f)  # (63) (B, H)
    return found


def step_backward(
    cache: Cache,
    factors: Float[np.ndarray, "6 *steps B H"],
    after: State,
    da: Float[np.ndarray, "*steps B G"],
    before: State,
) -> None:
    (dh, dc), (dh_before, dc_before) = after, before
    *_, of_o, of_c, of_c_before = factors
    da_by_gate = affine.by_gate(da, GATES)
    np.multiply(dh, of_o, out=da_by_gate[3])
    dc += np.multiply(dh, of_c, out=dc_before)
    np.multiply(dc, factors[:3], out=da_by_gate[:3])
    np.multiply(dc, of_c_before, out=dc_before)
    np.matmul(da, cache.params["W"], out=dh_before)  # (64) (B, H)


def parameter_gradients(cache: Cache, da: Float[np.ndarray, "T B G"]) -> dict[str, np.ndarray]:
    return {
        "U": affine.input_weights_gradient(da, cache.x),
        "W": affine.recurrent_weights_gradient(da, cache.h[:-1]),
        "b": affine.bias_gradient(da),
    }
