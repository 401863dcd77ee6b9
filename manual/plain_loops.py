"""The equations run over whole sequences, layers and systems, in plain loops: the loss and all its gradients.

This is the derivation as one would write it down first: a single layer in one direction, on sequences of one length.
The other files do the same with stacks, both directions, unequal lengths and truncations, and in less time.

The targets Y are numbers (a label is a 1 among zeros). w is the weight of each sample's loss, at each step: for a mean
over N losses 1 / N, and 0 where there is no loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from . import equations
from .activations import ACTIVATIONS, saturating

if TYPE_CHECKING:
    from jaxtyping import Float

Params = Mapping[str, np.ndarray]
PlainGradients = tuple[np.floating, dict[str, np.ndarray]]

LOSSES = {
    "softmax_cross_entropy": equations.softmax_cross_entropy,
    "sigmoid_cross_entropy": equations.sigmoid_cross_entropy,
    "squared_error": equations.squared_error,
}


@saturating
def rnn(
    params: Params,
    x: Float[np.ndarray, "T B D"],
    Y: Float[np.ndarray, "T B K"],
    w: Float[np.ndarray, "T B 1"],
    h0: Float[np.ndarray, "B H"],
    *,
    activation: str = "tanh",
    loss: str = "softmax_cross_entropy",
) -> PlainGradients:
    """The plain cell, with the parameters U, W, b, V and c."""
    T, (phi, dphi) = len(x), ACTIVATIONS[activation]
    h = [h0]  # h[t] is the state before step t, and h[t + 1] the one after it
    for t in range(T):
        h.append(equations.rnn_forward(x[t], h[t], params["U"], params["W"], params["b"], phi))

    d = _zeros(params, x)
    L, dh_above = _read_out(params, d, h[1:], Y, w, loss)
    dh_later = np.zeros_like(h0)
    for t in reversed(range(T)):
        dh = equations.state_backward(dh_above[t], dh_later)
        da, dh_later = equations.rnn_backward(dh, h[t + 1], params["W"], dphi)
        equations.recurrent_weights_backward(da, h[t], d["W"])
        d["inputs"][t] = equations.input_backward(da, x[t], params["U"], d["U"], d["b"])
    return L, d | {"h0": dh_later}


@saturating
def lstm(
    params: Params,
    x: Float[np.ndarray, "T B D"],
    Y: Float[np.ndarray, "T B K"],
    w: Float[np.ndarray, "T B 1"],
    h0: Float[np.ndarray, "B H"],
    c0: Float[np.ndarray, "B H"],
    *,
    loss: str = "softmax_cross_entropy",
) -> PlainGradients:
    """Long short-term memory, with the parameters U, W, b, V and c."""
    T, h, c = len(x), [h0], [c0]
    gates = []
    for t in range(T):
        i, f, g, o, c_t, h_t = equations.lstm_forward(x[t], h[t], c[t], params["U"], params["W"], params["b"])
        gates.append((i, f, g, o))
        c.append(c_t)
        h.append(h_t)

    d = _zeros(params, x)
    L, dh_above = _read_out(params, d, h[1:], Y, w, loss)
    dh_later, dc_later = np.zeros_like(h0), np.zeros_like(c0)
    for t in reversed(range(T)):
        dh = equations.state_backward(dh_above[t], dh_later)
        da, dh_later, dc_later = equations.lstm_backward(dh, dc_later, *gates[t], c[t + 1], c[t], params["W"])
        equations.recurrent_weights_backward(da, h[t], d["W"])
        d["inputs"][t] = equations.input_backward(da, x[t], params["U"], d["U"], d["b"])
    return L, d | {"h0": dh_later, "c0": dc_later}


@saturating
def gru(
    params: Params,
    x: Float[np.ndarray, "T B D"],
    Y: Float[np.ndarray, "T B K"],
    w: Float[np.ndarray, "T B 1"],
    h0: Float[np.ndarray, "B H"],
    *,
    loss: str = "softmax_cross_entropy",
) -> PlainGradients:
    """Gated recurrent unit, with the parameters U, W, b, V and c; its reset gate comes after W_n if there is a b_hn."""
    T, h, after = len(x), [h0], "b_hn" in params
    W_r, W_z, W_n = np.split(params["W"], 3)
    gates, q = [], []
    for t in range(T):
        r, z, x_n = equations.gru_gates(x[t], h[t], params["U"], W_r, W_z, params["b"])
        if after:
            q_t, n = equations.gru_candidate_after(x_n, h[t], r, W_n, params["b_hn"])
            q.append(q_t)
        else:
            n = equations.gru_candidate_before(x_n, h[t], r, W_n)
        gates.append((r, z, n))
        h.append(equations.gru_state(h[t], z, n))

    d = _zeros(params, x)
    L, dh_above = _read_out(params, d, h[1:], Y, w, loss)
    dh_later = np.zeros_like(h0)
    for t in reversed(range(T)):
        r, z, n = gates[t]
        dh = equations.state_backward(dh_above[t], dh_later)
        da_n, da_z = equations.gru_state_backward(dh, h[t], z, n)
        if after:
            da, dh_later = equations.gru_after_backward(
                dh, da_n, da_z, h[t], r, z, q[t], W_r, W_z, W_n, d["W"], d["b_hn"]
            )
        else:
            da, dh_later = equations.gru_before_backward(dh, da_n, da_z, h[t], r, z, W_r, W_z, W_n, d["W"])
        d["inputs"][t] = equations.input_backward(da, x[t], params["U"], d["U"], d["b"])
    return L, d | {"h0": dh_later}


@saturating
def feed_forward(
    params: Params,
    inputs: Float[np.ndarray, "B N0"],
    Y: Float[np.ndarray, "B K"],
    w: Float[np.ndarray, "B 1"],
    *,
    activation: str = "sigmoid",
    loss: str = "squared_error",
) -> PlainGradients:
    """Layers 1 … L, with the parameters W1, b1, W2, b2 and so on."""
    L, (phi, dphi) = len(params) // 2, ACTIVATIONS[activation]
    z, a = [inputs], [inputs]  # from layer 0, whose z is never used
    for layer in range(1, L + 1):
        z_l, a_l = equations.layer_forward(a[layer - 1], params[f"W{layer}"], params[f"b{layer}"], phi)
        z.append(z_l)
        a.append(a_l)

    d = _zeros(params, inputs)
    nothing = inputs.dtype.type(0)
    if loss == "squared_error":
        total, do = LOSSES[loss](equations.activated_output(a[L]), Y, w, nothing)
        delta = equations.activated_output_backward(do, a[L], dphi)
    else:
        total, do = LOSSES[loss](equations.linear_output(z[L]), Y, w, nothing)
        delta = equations.linear_output_backward(do)
    for layer in range(L, 0, -1):
        W, dW, db = params[f"W{layer}"], d[f"W{layer}"], d[f"b{layer}"]
        da = equations.layer_backward(delta, a[layer - 1], W, dW, db)
        if layer > 1:
            delta = equations.hidden_backward(da, a[layer - 1], dphi)
    return total, d | {"inputs": da}


def ordered(A: Float[np.ndarray, "N N"], c: Float[np.ndarray, " N"], z1: Float[np.ndarray, " 1"]) -> PlainGradients:
    """z_1 … z_N, each from those before it, and E = Σ c_i z_i."""
    N, E = len(A), z1.dtype.type(0)
    z, dz, dA = np.zeros_like(A, shape=N), np.zeros_like(A, shape=N), np.zeros_like(A)
    z[:1] = z1
    for i in range(N):
        z[i], E = equations.ordered_forward(A[i, :i], z[:i], z[i], c[i], E, i == 0)
    for i in reversed(range(N)):
        dz[i], dA[i, :i] = equations.ordered_backward(dz[i + 1 :], A[i + 1 :, i], c[i], z[:i])
    return E, {"A": dA, "inputs": dz[:1]}


def _zeros(params: Params, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """The gradients, before anything is added to them."""
    return {name: np.zeros_like(array) for name, array in params.items()} | {"inputs": np.zeros_like(inputs)}


def _read_out(
    params: Params,
    d: Mapping[str, np.ndarray],
    h: Sequence[np.ndarray],
    Y: Float[np.ndarray, "T B K"],
    w: Float[np.ndarray, "T B 1"],
    loss: str,
) -> tuple[np.floating, list[np.ndarray]]:
    """The loss, and what each state receives from above; adds to the gradients of V and c."""
    L, dh_above = Y.dtype.type(0), []
    for h_t, Y_t, w_t in zip(h, Y, w, strict=True):
        o = equations.readout_forward(h_t, params["V"], params["c"])
        L, do = LOSSES[loss](o, Y_t, w_t, L)
        dh_above.append(equations.readout_backward(do, h_t, params["V"], d["V"], d["c"]))
    return L, dh_above
