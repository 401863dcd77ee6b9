"""Long short-term memory. The rows of U, W and b are those of the gates i, f, g and o, in this order, H each.

The cell is that of Hochreiter and Schmidhuber (1997), with the forget gate of Gers, Schmidhuber and Cummins (2000).
There are no peepholes: the gates do not see c.
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
) -> tuple[Float[np.ndarray, "T B H"], Cache]:
    """The states h_1 … h_T, from (h_0, c_0).

    Args:
        params: `U` (4H, D), `W` (4H, H) and, where there is a bias, `b` (4H,).
        x: the inputs x_1 … x_T.
        initial: (h_0, c_0), (B, H) each.
        mask: where a step lies within its sequence's length.
        buffers: the memory of the arrays; the next call that is given the same overwrites them.

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
    h, c = (buffers.empty(name, (T + 1, B, H), like=x) for name in STATES)
    gates = buffers.empty("gates", (T, 4, B, H), like=x)
    tanh_c = buffers.empty("tanh_c", (T, B, H), like=x)
    a = buffers.empty("a", (4, B, H), like=x)
    i_g = buffers.empty("i_g", (B, H), like=x)
    from_input = buffers.empty("from_input", (4, T, B, H), like=x)
    affine.forward(params["U"], params.get("b"), x, GATES, from_input)
    h[0], c[0] = initial
    a_ifo, a_g = a[:3], a[3]
    for t in range(T):
        h_before, c_before, h_after, c_after = h[t], c[t], h[t + 1], c[t + 1]
        i, f, o, g = gates[t]
        np.matmul(h_before, W_T, out=a)
        a += from_input[:, t]  # (54) (4, B, H)
        sigmoid(a_ifo, out=gates[t, :3])  # of (55): i, f and o
        tanh(a_g, out=g)  # of (55): g
        np.multiply(f, c_before, out=c_after)
        c_after += np.multiply(i, g, out=i_g)  # (56) (B, H)
        np.multiply(o, tanh(c_after, out=tanh_c[t]), out=h_after)  # (57) (B, H)
        if padding is not None:  # past a length both states are carried
            np.copyto(h_after, h_before, where=padding[t])
            np.copyto(c_after, c_before, where=padding[t])
    return h[1:], Cache(params, x, params["W"].reshape(4, H, H), h, c, gates, tanh_c, mask, padding, buffers)


def factors(cache: Cache, steps: slice) -> Float[np.ndarray, "6 steps B H"]:
    """What dc is multiplied by in da_i, da_f and da_g; dh in da_o, and in dc; and dc in dc_{t−1}.

    As in `activations`, an array receives what is computed on the way to it within its own line.

    Args:
        cache: of `forward`.
        steps: which steps.
    """
    c_before, tanh_c = cache.c[:-1][steps], cache.tanh_c[steps]
    i, f, o, g = cache.gates[steps].swapaxes(0, 1)
    stacked = cache.buffers.empty("factors", (6, *tanh_c.shape), like=tanh_c)
    of_i, of_f, of_g, of_o, of_c, of_c_before = stacked
    np.multiply(tanh_c, sigmoid_derivative(o, out=of_o), out=of_o)  # of (58): tanh(c) and σ′
    np.multiply(o, tanh_derivative(tanh_c, out=of_c), out=of_c)  # of (59): o and tanh′
    np.multiply(c_before, sigmoid_derivative(f, out=of_f), out=of_f)  # of (60): c_{t−1} and σ′
    np.multiply(g, sigmoid_derivative(i, out=of_i), out=of_i)  # of (61): g and σ′
    np.multiply(i, tanh_derivative(g, out=of_g), out=of_g)  # of (62): i and tanh′
    np.copyto(of_c_before, f)  # of (63): f
    return stacked


def step_backward(
    cache: Cache,
    factors: Float[np.ndarray, "6 B H"],
    after: State,
    da: Float[np.ndarray, "4 B H"],
    before: State,
) -> None:
    """Back through one step; the arguments are those of `layer.Cell.step_backward`."""
    (dh, dc), (dh_before, dc_before) = after, before
    of_ifg, of_o, of_c, of_c_before = factors[:3], factors[3], factors[4], factors[5]
    through_W = cache.buffers.empty("through_W", da.shape, like=da)
    dc_from_h = cache.buffers.empty("dc_from_h", dc.shape, like=dc)
    da_ifg, da_o = da[:3], da[3]
    np.multiply(dh, of_o, out=da_o)  # (58) (B, H)
    dc += np.multiply(dh, of_c, out=dc_from_h)  # (59) (B, H)
    np.multiply(dc, of_ifg, out=da_ifg)  # (60), (61), (62) (3, B, H)
    np.multiply(dc, of_c_before, out=dc_before)  # (63) (B, H)
    np.matmul(da, cache.W_by_gate, out=through_W)
    np.add.reduce(through_W, axis=0, out=dh_before)  # (64) (B, H)


def parameter_gradients(cache: Cache, da: Float[np.ndarray, "gates T B H"]) -> dict[str, np.ndarray]:
    """The gradients of U, W and b, summed over time and batch."""
    return {
        "U": affine.input_weights_gradient(da, cache.x),
        "W": affine.recurrent_weights_gradient(da, cache.h[:-1]),
        "b": affine.bias_gradient(da),
    }
