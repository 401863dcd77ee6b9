"""A derivation by hand with mistakes to choose from, and what is said of its quantities."""

from __future__ import annotations

import numpy as np


def elman(params, inputs, targets, h0, *, before=0, later=1.0, label_shift=0):
    """tanh, softmax cross-entropy, sum; with mistakes to choose from."""
    U, W, b, V, c = params.values()
    h, probabilities, loss = [h0], [], 0.0
    for x, y in zip(inputs, np.roll(targets, label_shift, axis=0), strict=True):
        h.append(np.tanh(x @ U.T + h[-1] @ W.T + b))
        o = h[-1] @ V.T + c
        p = np.exp(o - o.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        loss -= np.log(p[np.arange(len(y)), y]).sum()
        probabilities.append(p - np.eye(len(c))[y])
    gradients = {name: np.zeros_like(array) for name, array in params.items()}
    adjoints = {name: np.zeros((len(inputs), *h0.shape)) for name in "ha"}
    dh_later = np.zeros_like(h0)
    for t in reversed(range(len(inputs))):
        dh = probabilities[t] @ V + later * dh_later
        da = dh * (1 - h[t + 1] ** 2)
        adjoints["h"][t], adjoints["a"][t] = dh, da
        gradients["U"] += da.T @ inputs[t]
        gradients["W"] += da.T @ h[t + before]
        gradients["b"] += da.sum(axis=0)
        gradients["V"] += probabilities[t].T @ h[t + 1]
        gradients["c"] += probabilities[t].sum(axis=0)
        dh_later = da @ W
    return loss, gradients, adjoints


def verdicts(check):
    return {row["quantity"]: row["verdict"] for row in check.rows()}
