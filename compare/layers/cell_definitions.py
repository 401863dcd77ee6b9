"""Cells in plain NumPy, one step each, as their sources write them; also those that no system of gradparity has.

A step takes the weights by name, x (B, D) and the states before it, (B, H) each, and returns the states after it as a
tuple, h first. ⊙ is by elements, σ is `sigmoid`. A bias that is not among the weights is zero. The gates of an LSTM
stand in U, W and b in the order i f g o, those of a GRU in the order r z n, H rows each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Array = Any  # NumPy's, or one of those that remember what is done to them
Weights = Mapping[str, Array]
Function = Callable[[Array], Array]
State = tuple[Array, ...]


def sigmoid(a: Array) -> Array:
    """σ(a) = 1 / (1 + e^−a), without overflow: ½ (1 + tanh(a / 2)).

    Example:
        >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    return (np.tanh(a / 2) + 1) / 2


def rnn(w: Weights, x: Array, h: Array, *, activation: Function = np.tanh, residual: bool = False) -> State:
    """h_t = φ(U x_t + W h_{t−1} + b); with `residual` φ(U x_t + W h_{t−1} + b + h_{t−1}).

    Source: for `residual`, the documentation of `flax.linen.SimpleCell`.

    Args:
        w: U (H, D), W (H, H), b (H,).
        x: x_t, (B, D).
        h: h_{t−1}, (B, H).
        activation: φ.
        residual: whether h_{t−1} is added before φ.

    Returns:
        (h_t,).
    """
    a = x @ w["U"].T + h @ w["W"].T + w.get("b", 0)
    return (activation(a + h if residual else a),)


def lstm(
    w: Weights, x: Array, h: Array, c: Array, *, gate: Function = sigmoid, activation: Function = np.tanh
) -> State:
    """i, f, g, o = U x_t + W h_{t−1} + b; c_t = σ(f) ⊙ c_{t−1} + σ(i) ⊙ φ(g); h_t = σ(o) ⊙ φ(c_t).

    Source: F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget" (2000); with other functions than σ and tanh
    as `keras.layers.LSTMCell` and `flax.linen.LSTMCell` have them.

    Args:
        w: U (4H, D), W (4H, H), b (4H,).
        x: x_t, (B, D).
        h: h_{t−1}, (B, H).
        c: c_{t−1}, (B, H).
        gate: in the place of σ.
        activation: φ, in both places.

    Returns:
        (h_t, c_t).
    """
    i, f, g, o = np.split(x @ w["U"].T + h @ w["W"].T + w.get("b", 0), 4, axis=1)
    c = gate(f) * c + gate(i) * activation(g)
    return gate(o) * activation(c), c


def gru(
    w: Weights, x: Array, h: Array, *, gate: Function = sigmoid, activation: Function = np.tanh, reset: str = "after"
) -> State:
    """r, z = σ(U x_t + W h_{t−1} + b); n = φ(U x_t + b + r ⊙ (W h_{t−1} + b_hn)); h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}.

    With the reset before the product n = φ(U x_t + W (r ⊙ h_{t−1}) + b).

    Source: the documentation of `torch.nn.GRU`; K. Cho et al., "Learning phrase representations using RNN
    encoder-decoder for statistical machine translation" (2014), where the reset comes before.

    Args:
        w: U (3H, D), W (3H, H), b (3H,), and with the reset after b_hn (H,).
        x: x_t, (B, D).
        h: h_{t−1}, (B, H).
        gate: in the place of σ.
        activation: φ.
        reset: `after` the product, or `before` it.

    Returns:
        (h_t,).
    """
    x_r, x_z, x_n = np.split(x @ w["U"].T + w.get("b", 0), 3, axis=1)
    W_r, W_z, W_n = np.split(w["W"], 3)
    r, z = gate(x_r + h @ W_r.T), gate(x_z + h @ W_z.T)
    from_h = r * (h @ W_n.T + w.get("b_hn", 0)) if reset == "after" else (r * h) @ W_n.T
    return ((1 - z) * activation(x_n + from_h) + z * h,)


def lstm_with_projection(w: Weights, x: Array, h: Array, c: Array) -> State:
    """i, f, g, o = U x_t + W h_{t−1} + b; c_t = σ(f) ⊙ c_{t−1} + σ(i) ⊙ tanh(g); h_t = W_hr (σ(o) ⊙ tanh(c_t)).

    Source: H. Sak, A. Senior and F. Beaufays, "Long short-term memory based recurrent neural network architectures for
    large vocabulary speech recognition" (2014), without its peepholes: `torch.nn.LSTM(proj_size=P)`.

    Args:
        w: U (4H, D), W (4H, P), b (4H,), W_hr (P, H).
        x: x_t, (B, D).
        h: h_{t−1}, (B, P).
        c: c_{t−1}, (B, H).

    Returns:
        (h_t, c_t).

    Example:
        >>> w = {"U": np.ones((8, 3)), "W": np.ones((8, 1)), "W_hr": np.ones((1, 2))}
        >>> h, c = lstm_with_projection(w, np.ones((4, 3)), np.zeros((4, 1)), np.zeros((4, 2)))
        >>> h.shape, c.shape
        ((4, 1), (4, 2))
    """
    h, c = lstm(w, x, h, c)
    return h @ w["W_hr"].T, c


def lstm_with_peepholes(w: Weights, x: Array, h: Array, c: Array) -> State:
    """An LSTM whose gates see c: i and f that of the step before, o that of this one.

        i, f, g, o = U x_t + W h_{t−1} + b
        i = σ(i + p_i ⊙ c_{t−1}), f = σ(f + p_f ⊙ c_{t−1})
        c_t = f ⊙ c_{t−1} + i ⊙ tanh(g)
        h_t = σ(o + p_o ⊙ c_t) ⊙ tanh(c_t)

    Source: F. A. Gers, N. N. Schraudolph and J. Schmidhuber, "Learning precise timing with LSTM recurrent networks"
    (2002); the operator LSTM of ONNX with the input P; `tf.compat.v1.nn.rnn_cell.LSTMCell(use_peepholes=True)`, whose
    w_i_diag, w_f_diag and w_o_diag are p_i, p_f and p_o.

    Args:
        w: U (4H, D), W (4H, H), b (4H,), p_i, p_f, p_o (H,).
        x: x_t, (B, D).
        h: h_{t−1}, (B, H).
        c: c_{t−1}, (B, H).

    Returns:
        (h_t, c_t).
    """
    i, f, g, o = np.split(x @ w["U"].T + h @ w["W"].T + w.get("b", 0), 4, axis=1)
    c_new = sigmoid(f + w["p_f"] * c) * c + sigmoid(i + w["p_i"] * c) * np.tanh(g)
    return sigmoid(o + w["p_o"] * c_new) * np.tanh(c_new), c_new


def layer_norm(a: Array, gain: Array, bias: Array, epsilon: float = 1e-5) -> Array:
    """LN(a) = (a − μ) / √(σ² + ε) ⊙ gain + bias, with the mean and the variance (1 / N) of each row.

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization" (2016).

    Args:
        a: (B, N).
        gain: (N,).
        bias: (N,).
        epsilon: ε; that of `torch.nn.LayerNorm` unless stated.

    Returns:
        The same, (B, N), normalised.

    Example:
        >>> layer_norm(np.array([[1.0, 3.0]]), np.ones(2), np.zeros(2), epsilon=0.0).tolist()
        [[-1.0, 1.0]]
    """
    centred = a - a.mean(axis=1, keepdims=True)
    variance = (centred * centred).mean(axis=1, keepdims=True)
    return centred / np.sqrt(variance + epsilon) * gain + bias


def layer_normalized_lstm(
    w: Weights, x: Array, h: Array, c: Array, *, keeps_normalized: bool = False, epsilon: float = 1e-5
) -> State:
    """i, f, g, o = LN(U x_t) + LN(W h_{t−1}) + b; c_t = σ(f) ⊙ c_{t−1} + σ(i) ⊙ tanh(g); h_t = σ(o) ⊙ tanh(LN(c_t)).

    Each LN has a gain and a bias of its own. Programs differ in what the next step gets as c_{t−1}: c_t, as in the
    paper, equations (20) to (22); or LN(c_t), as in PyTorch's `benchmarks/fastrnns/custom_lstms.py`.

    Source: J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization" (2016).

    Args:
        w: U (4H, D), W (4H, H), b (4H,); gain_x, bias_x and gain_h, bias_h (4H,); gain_c, bias_c (H,).
        x: x_t, (B, D).
        h: h_{t−1}, (B, H).
        c: c_{t−1}, (B, H).
        keeps_normalized: whether LN(c_t) is handed over in the place of c_t.
        epsilon: see `layer_norm`.

    Returns:
        (h_t, c_t).
    """
    from_x = layer_norm(x @ w["U"].T, w["gain_x"], w["bias_x"], epsilon)
    from_h = layer_norm(h @ w["W"].T, w["gain_h"], w["bias_h"], epsilon)
    i, f, g, o = np.split(from_x + from_h + w.get("b", 0), 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    normalized = layer_norm(c, w["gain_c"], w["bias_c"], epsilon)
    return sigmoid(o) * np.tanh(normalized), normalized if keeps_normalized else c
