"""The gradient of every network, one equation a line. Read it first; `plain_loops` runs its lines over whole sequences.

A function is a part of one step, forward or backward. A line with a number is the equation of that number on the pages
that begin with `derivation.md`, for a batch of B samples in rows. `d` before a name is the total derivative of the loss
with respect to it, of the same shape. What is a sum over the steps (the loss, dU, dW, db, dV, dc) is given as it stands
after the steps that were taken before, and is added to; arrays are added to in place.

The other files compute the same on whole arrays, in less time. The diagnosis reads the lines of this file, and finds
somebody's mistake by changing them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy import hsplit, hstack, vstack

from .activations import sigmoid, tanh
from .activations import sigmoid_derivative as dsigmoid
from .activations import tanh_derivative as dtanh
from .losses import softplus

if TYPE_CHECKING:
    from jaxtyping import Float

    # B samples; D inputs, H units, G rows of all gates (H, 3 H or 4 H), K outputs; a layer of N units on one of M
    BD = Float[np.ndarray, "B D"]
    BH = Float[np.ndarray, "B H"]
    BG = Float[np.ndarray, "B G"]
    BK = Float[np.ndarray, "B K"]
    GD = Float[np.ndarray, "G D"]
    GH = Float[np.ndarray, "G H"]
    HH = Float[np.ndarray, "H H"]
    KH = Float[np.ndarray, "K H"]
    G = Float[np.ndarray, " G"]
    H = Float[np.ndarray, " H"]
    K = Float[np.ndarray, " K"]
    BN = Float[np.ndarray, "B N"]
    BM = Float[np.ndarray, "B M"]
    NM = Float[np.ndarray, "N M"]
    N = Float[np.ndarray, " N"]
    B1 = Float[np.ndarray, "B 1"]
    Elementwise = Callable[[np.ndarray], np.ndarray]


# Every recurrent cell: a = U x + W h_before + b, with the gates' rows below each other in U, W and b


def state_backward(dh_above: BH, dh_later: BH) -> BH:
    """A state reaches the loss through the read-out of its step, and through the step after it."""
    dh = dh_above + dh_later  # (32)
    return dh


def recurrent_weights_backward(da: BG, h_before: BH, dW: GH) -> None:
    """Of the plain cell and the LSTM; the GRU multiplies other vectors by W."""
    dW += da.T @ h_before  # (36)


def input_backward(da: BG, x: BD, U: GD, dU: GD, db: G) -> BD:
    """What is left of a cell's step backward, once da is known."""
    dU += da.T @ x  # (35)
    db += da.sum(axis=0)  # (37)
    dx = da @ U  # (38)
    return dx


# The plain cell


def rnn_forward(x: BD, h_before: BH, U: GD, W: GH, b: G, phi: Elementwise) -> BH:
    """The state after a step, from its input and the state before it."""
    a = x @ U.T + h_before @ W.T + b  # (1)
    h = phi(a)  # (2)
    return h


def rnn_backward(dh: BH, h: BH, W: GH, dphi: Elementwise) -> tuple[BG, BH]:
    """To the linear part, and to the state before the step. φ′ is written in h = φ(a)."""
    da = dh * dphi(h)  # (33)
    dh_before = da @ W  # (34)
    return da, dh_before


# Long short-term memory (Hochreiter and Schmidhuber, 1997; Gers and others, 2000)


def lstm_forward(x: BD, h_before: BH, c_before: BH, U: GD, W: GH, b: G) -> tuple[BH, BH, BH, BH, BH, BH]:
    """The gates i, f, g and o, the cell state c and the state h."""
    a_i, a_f, a_g, a_o = hsplit(x @ U.T + h_before @ W.T + b, 4)  # (54)
    i, f, g, o = sigmoid(a_i), sigmoid(a_f), tanh(a_g), sigmoid(a_o)  # (55)
    c = f * c_before + i * g  # (56)
    h = o * tanh(c)  # (57)
    return i, f, g, o, c, h


def lstm_backward(dh: BH, dc_later: BH, i: BH, f: BH, g: BH, o: BH, c: BH, c_before: BH, W: GH) -> tuple[BG, BH, BH]:
    """Against the order of the forward lines: first through h, then through c, then through the gates."""
    da_o = dh * tanh(c) * dsigmoid(o)  # (58)
    dc = dc_later + dh * o * dtanh(tanh(c))  # (59)
    da_f = dc * c_before * dsigmoid(f)  # (60)
    da_i = dc * g * dsigmoid(i)  # (61)
    da_g = dc * i * dtanh(g)  # (62)
    da = hstack([da_i, da_f, da_g, da_o])
    dc_before = dc * f  # (63)
    dh_before = da @ W  # (64)
    return da, dh_before, dc_before


# Gated recurrent unit (Cho and others, 2014): r comes after the product with W_n, as in the frameworks, or before it


def gru_gates(x: BD, h_before: BH, U: GD, W_r: HH, W_z: HH, b: G) -> tuple[BH, BH, BH]:
    """The reset gate r, the update gate z, and what the input adds to the candidate."""
    x_r, x_z, x_n = hsplit(x @ U.T + b, 3)
    r, z = sigmoid(x_r + h_before @ W_r.T), sigmoid(x_z + h_before @ W_z.T)  # (65)
    return r, z, x_n


def gru_candidate_after(x_n: BH, h_before: BH, r: BH, W_n: HH, b_hn: H) -> tuple[BH, BH]:
    """What r multiplies, q, which has a bias of its own, and the candidate n."""
    q = h_before @ W_n.T + b_hn  # (66)
    n = tanh(x_n + r * q)  # (67)
    return q, n


def gru_candidate_before(x_n: BH, h_before: BH, r: BH, W_n: HH) -> BH:
    """The candidate n, of the state that r has multiplied."""
    n = tanh(x_n + (r * h_before) @ W_n.T)  # (68)
    return n


def gru_state(h_before: BH, z: BH, n: BH) -> BH:
    """The update gate mixes the candidate with the state before the step."""
    h = (1 - z) * n + z * h_before  # (69)
    return h


def gru_state_backward(dh: BH, h_before: BH, z: BH, n: BH) -> tuple[BH, BH]:
    """To the candidate's linear part, and to the update gate's."""
    da_n = dh * (1 - z) * dtanh(n)  # (70)
    da_z = dh * (h_before - n) * dsigmoid(z)  # (71)
    return da_n, da_z


def gru_after_backward(
    dh: BH, da_n: BH, da_z: BH, h_before: BH, r: BH, z: BH, q: BH, W_r: HH, W_z: HH, W_n: HH, dW: GH, db_hn: H
) -> tuple[BG, BH]:
    """From the candidate on, with the reset gate after the product: W_n and b_hn receive dq."""
    dr = da_n * q  # (72)
    dq = da_n * r  # (76)
    da_r = dr * dsigmoid(r)  # (74)
    da = hstack([da_r, da_z, da_n])
    dh_before = dh * z + da_r @ W_r + da_z @ W_z + dq @ W_n  # (75)
    dW += vstack([da_r.T @ h_before, da_z.T @ h_before, dq.T @ h_before])  # (36)
    db_hn += dq.sum(axis=0)  # (78)
    return da, dh_before


def gru_before_backward(
    dh: BH, da_n: BH, da_z: BH, h_before: BH, r: BH, z: BH, W_r: HH, W_z: HH, W_n: HH, dW: GH
) -> tuple[BG, BH]:
    """From the candidate on, with the reset gate before the product: W_n was multiplied by r ⊙ h_before."""
    d_rh = da_n @ W_n  # (73)
    da_r = d_rh * h_before * dsigmoid(r)  # (74)
    da = hstack([da_r, da_z, da_n])
    dh_before = dh * z + da_r @ W_r + da_z @ W_z + d_rh * r  # (75)
    dW += vstack([da_r.T @ h_before, da_z.T @ h_before, da_n.T @ (r * h_before)])  # (77)
    return da, dh_before


# The read-out of a state. Y are the targets as numbers (a label is a 1 among zeros), and w is the weight of each
# sample's loss, 0 where there is none


def readout_forward(h: BH, V: KH, c: K) -> BK:
    """The linear output, before any softmax or sigmoid."""
    o = h @ V.T + c  # (4)
    return o


def softmax_cross_entropy(o: BK, Y: BK, w: B1, loss: np.floating) -> tuple[np.floating, BK]:
    """−log softmax(o) at the label, and its derivative: prediction minus target."""
    loss += (w * cross_entropy(o, Y)).sum()  # (14)
    do = w * (softmax(o) - Y)  # (15)
    return loss, do


def sigmoid_cross_entropy(o: BK, Y: BK, w: B1, loss: np.floating) -> tuple[np.floating, BK]:
    """−Y log σ(o) − (1 − Y) log(1 − σ(o)), summed over the outputs, and its derivative."""
    loss += (w * (Y * softplus(-o) + (1 - Y) * softplus(o))).sum()  # (17)
    do = w * (sigmoid(o) - Y)  # (18)
    return loss, do


def squared_error(o: BK, Y: BK, w: B1, loss: np.floating) -> tuple[np.floating, BK]:
    """½‖o − Y‖², and its derivative."""
    loss += (w * (o - Y) ** 2 / 2).sum()  # (19)
    do = w * (o - Y)  # (20)
    return loss, do


def readout_backward(do: BK, h: BH, V: KH, dV: KH, dc: K) -> BH:
    """To the read-out's parameters, and to what the state receives from above."""
    dV += do.T @ h  # (29)
    dc += do.sum(axis=0)  # (30)
    dh_above = do @ V  # (31)
    return dh_above


def softmax(o: BK) -> BK:
    """The probabilities; every output moves every one of them."""
    e = np.exp(o - o.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def cross_entropy(o: BK, Y: BK) -> BK:
    """−Y log softmax(o), with the largest output subtracted from all, so that no exponential overflows."""
    shifted = o - o.max(axis=-1, keepdims=True)  # (13)
    return Y * (np.log(np.exp(shifted).sum(axis=-1, keepdims=True)) - shifted)


# Feed-forward networks. The squared error is taken of the uppermost a, the cross-entropies of the uppermost z


def layer_forward(a_below: BM, W: NM, b: N, phi: Elementwise) -> tuple[BN, BN]:
    """The linear part z, and its activation."""
    z = a_below @ W.T + b  # (81)
    a = phi(z)  # (82)
    return z, a


def activated_output(a: BK) -> BK:
    """What the squared error is taken of."""
    o = a
    return o


def activated_output_backward(do: BK, a: BK, dphi: Elementwise) -> BK:
    """dz of the uppermost layer, by way of its activation."""
    delta = do * dphi(a)  # (83)
    return delta


def linear_output(z: BK) -> BK:
    """What the cross-entropies are taken of, which contain the sigmoid or softmax themselves."""
    o = z
    return o


def linear_output_backward(do: BK) -> BK:
    """dz of the uppermost layer."""
    delta = do  # (83)
    return delta


def hidden_backward(da: BN, a: BN, dphi: Elementwise) -> BN:
    """dz of a layer below."""
    delta = da * dphi(a)  # (86)
    return delta


def layer_backward(delta: BN, a_below: BM, W: NM, dW: NM, db: N) -> BM:
    """To a layer's parameters, and to the layer below; for the lowest, to the inputs."""
    dW += delta.T @ a_below  # (84)
    db += delta.sum(axis=0)  # (85)
    da_below = delta @ W
    return da_below


# Ordered systems: each variable z_i is computed from those before it, and E from all of them


def ordered_forward(
    A_i: Float[np.ndarray, " I"],
    z: Float[np.ndarray, " I"],
    z_i: np.floating,
    c_i: np.floating,
    E: np.floating,
    first: bool,
) -> tuple[np.floating, np.floating]:
    """From row i of A and the variables before z_i; the first of all is given."""
    z_i = z_i if first else A_i @ z  # (24)
    E += c_i * z_i  # (25)
    return z_i, E


def ordered_backward(
    total: Float[np.ndarray, " J"], A_later: Float[np.ndarray, " J"], c_i: np.floating, z: Float[np.ndarray, " I"]
) -> tuple[np.floating, Float[np.ndarray, " I"]]:
    """From the total derivatives of the variables after z_i, and column i of A below row i."""
    total_i = c_i + total @ A_later  # (26)
    dA_i = total_i * z  # (27)
    return total_i, dA_i
