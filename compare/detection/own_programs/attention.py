"""Attention with a causal mask over a batch, and a linear map behind it."""

import numpy as np


def arguments(rng, B=2, T=4, D=3, H=4):
    shapes = {"Wq": (D, H), "Wk": (D, H), "Wv": (D, H), "Wo": (H, D)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return params, rng.normal(size=(B, T, D)), rng.normal(size=(B, T, D))


def gradients(params, x, y):
    Wq, Wk, Wv, Wo = (params[name] for name in ("Wq", "Wk", "Wv", "Wo"))
    T, H = x.shape[1], Wq.shape[1]
    scale = 1 / np.sqrt(H)
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    scores = scale * (q @ k.transpose(0, 2, 1))
    mask = np.tril(np.ones((T, T)))
    weights = mask * np.exp(scores)
    weights = weights / weights.sum(axis=-1, keepdims=True)
    mixed = weights @ v
    out = mixed @ Wo
    loss = 0.5 * np.sum((out - y) ** 2)
    # backward
    dout = out - y
    dWo = np.einsum("bth,btd->hd", mixed, dout)
    dmixed = dout @ Wo.T
    dweights = dmixed @ v.transpose(0, 2, 1)
    dv = weights.transpose(0, 2, 1) @ dmixed
    inner = (dweights * weights).sum(axis=-1, keepdims=True)
    dscores = weights * (dweights - inner)
    dq = scale * (dscores @ k)
    dk = scale * (dscores.transpose(0, 2, 1) @ q)
    dWq = np.tensordot(x, dq, axes=([0, 1], [0, 1]))
    dWk = np.tensordot(x, dk, axes=([0, 1], [0, 1]))
    dWv = np.tensordot(x, dv, axes=([0, 1], [0, 1]))
    return loss, {"Wq": dWq, "Wk": dWk, "Wv": dWv, "Wo": dWo}
