"""An LSTM whose gates are cut out of one product with one matrix, on a batch of rows."""

import numpy as np


def arguments(rng, T=4, B=2, D=3, H=4):
    W, b = 0.5 * rng.normal(size=(D + H, 4 * H)), rng.normal(size=4 * H)
    return W, b, rng.normal(size=(T, B, D)), rng.normal(size=(B, H)), rng.normal(size=(B, H)), rng.normal(size=(B, H))


def gradients(W, b, X, h0, c0, target):
    H, D = h0.shape[1], X.shape[2]
    h, c, cache = h0, c0, []
    for x in X:
        joined = np.hstack([x, h])
        z = joined @ W + b
        i, f, o = (1 / (1 + np.exp(-z[:, k * H : (k + 1) * H])) for k in range(3))
        g = np.tanh(z[:, 3 * H :])
        old = c
        c = f * old + i * g
        tc = np.tanh(c)
        h = o * tc
        cache.append((joined, i, f, o, g, old, tc))
    loss = ((h - target) ** 2).sum()
    # backward
    dW, db = np.zeros_like(W), np.zeros_like(b)
    dh, dc = 2 * (h - target), np.zeros_like(c)
    for joined, i, f, o, g, old, tc in reversed(cache):
        do = dh * tc
        dc = dc + dh * o * (1 - tc**2)
        dz = np.hstack(
            [
                dc * g * i * (1 - i),
                dc * old * f * (1 - f),
                do * o * (1 - o),
                dc * i * (1 - g**2),
            ]
        )
        dW += joined.T @ dz
        db += dz.sum(axis=0)
        dh = (dz @ W.T)[:, D:]
        dc = dc * f
    return loss, {"W": dW, "b": db, "h0": dh, "c0": dc}
