"""The plain cell on a batch whose samples are rows; a squared error in the mean over the batch."""

import numpy as np


def arguments(rng, T=4, B=2, D=3, H=4, K=3):
    U, W, b = rng.normal(size=(D, H)), rng.normal(size=(H, H)), rng.normal(size=H)
    V, c = rng.normal(size=(H, K)), rng.normal(size=K)
    return U, W, b, V, c, rng.normal(size=(T, B, D)), rng.normal(size=(T, B, K)), rng.normal(size=(B, H))


def gradients(U, W, b, V, c, x, y, h0):
    T, B, _ = x.shape
    h = np.zeros((T + 1, *h0.shape))
    h[0] = h0
    error = np.zeros_like(y)
    for t in range(T):
        h[t + 1] = np.tanh(x[t] @ U + h[t] @ W + b)
        error[t] = h[t + 1] @ V + c - y[t]
    loss = 0.5 * np.sum(error**2) / B
    # backward
    dU, dW, db = np.zeros_like(U), np.zeros_like(W), np.zeros_like(b)
    dV, dc = np.zeros_like(V), np.zeros_like(c)
    carry = np.zeros_like(h0)
    for t in range(T - 1, -1, -1):
        dout = error[t] / B
        dV += h[t + 1].T @ dout
        dc += dout.sum(axis=0)
        dh = dout @ V.T + carry
        da = dh * (1 - h[t + 1] ** 2)
        dU += x[t].T @ da
        dW += h[t].T @ da
        db += da.sum(axis=0)
        carry = da @ W.T
    return loss, {"U": dU, "W": dW, "b": db, "V": dV, "c": dc, "h0": carry}
