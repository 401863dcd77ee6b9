"""Long short-term memory. The rows of U, W and b are those of the gates i, f, g and o, in this order, H each."""

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

STATES = ("h", "c")
GATES = (0, 1, 3, 2)  # i, f, o and g: those of σ beside each other


class Cache(NamedTuple):
    """What the backward pass needs of `forward`."""

    params: Mapping[str, np.ndarray]
    x: Float[np.ndarray, "T B D"]
    W_by_gate: Float[np.ndarray, "4 H H"]
    h: Float[np.ndarray, "T+1 B H"]  # from h_0 to h_T
    c: Float[np.ndarray, "T+1 B H"]  # from c_0 to c_T
    gates: Float[np.ndarray, "T 4 B H"]  # i, f, o and g
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
    W_T = affine.transposed_by_gate(params["W"], GATES, B, buffers)
    h, c = (buffers.empty(name, (T + 1, B, H), like=x) for name in STATES)
    gates = buffers.empty("gates", (T, 4, B, H), like=x)
    tanh_c = buffers.empty("tanh_c", (T, B, H), like=x)
    i_g = buffers.empty("i_g", (B, H), like=x)
    from_input = buffers.empty("from_input", (4, T, B, H), like=x)
    affine.forward(params["U"], params.get("b"), x, GATES, from_input)
    h[0], c[0] = initial
    by_step = zip(h, c, h[1:], c[1:], gates, from_input.swapaxes(0, 1), tanh_c, steps_of(carried), strict=False)
    for h_before, c_before, h_after, c_after, a, from_x, tanh_c_after, is_carried in by_step:
        np.matmul(h_before, W_T, out=a)
        a += from_x  # (54) (4, B, H)
        i, f, o, g = a
        sigmoid(a[:3], out=a[:3])
        tanh(g, out=g)  # (55) (4, B, H)
        np.multiply(f, c_before, out=c_after)
        c_after += np.multiply(i, g, out=i_g)  # (56) (B, H)
        np.multiply(o, tanh(c_after, out=tanh_c_after), out=h_after)  # (57) (B, H)
        if is_carried is not None:  # past a length both states are
            np.copyto(h_after, h_before, where=is_carried)
            np.copyto(c_after, c_before, where=is_carried)
    return h[1:], Cache(params, x, params["W"].reshape(4, H, H), h, c, gates, tanh_c, counted, carried, buffers)


def factors(cache: Cache, steps: slice) -> Float[np.ndarray, "6 steps B H"]:
    """What dc is multiplied by in da_i, da_f and da_g; dh in da_o, and in dc; and dc in dc_{t−1}."""
    c_before, tanh_c = cache.c[:-1][steps], cache.tanh_c[steps]
    i, f, o, g = cache.gates[steps].swapaxes(0, 1)
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
    factors: Float[np.ndarray, "6 B H"],
    after: State,
    da: Float[np.ndarray, "4 B H"],
    before: State,
) -> None:
    (dh, dc), (dh_before, dc_before) = after, before
    _, _, _, of_o, of_c, of_c_before = factors
    np.multiply(dh, of_o, out=da[3])
    dc += np.multiply(dh, of_c, out=dc_before)
    np.multiply(dc, factors[:3], out=da[:3])
    np.multiply(dc, of_c_before, out=dc_before)
    through = cache.buffers.empty("through", da.shape, like=da)
    np.matmul(da, cache.W_by_gate, out=through)
    np.add.reduce(through, axis=0, out=dh_before)  # (64) (B, H)


def parameter_gradients(cache: Cache, da: Float[np.ndarray, "gates T B H"]) -> dict[str, np.ndarray]:
    return {
        "U": affine.input_weights_gradient(da, cache.x),
        "W": affine.recurrent_weights_gradient(da, cache.h[:-1]),
        "b": affine.bias_gradient(da),
    }
