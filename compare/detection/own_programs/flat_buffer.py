"""All parameters in one flat array, and all gradients in another: matrices are views of them."""

import numpy as np

D, H, K = 3, 4, 2


def views(flat):
    a, b, c = H * D, H * D + H * H, H * D + H * H + H
    return flat[:a].reshape(H, D), flat[a:b].reshape(H, H), flat[b:c], flat[c:].reshape(K, H)


def arguments(rng, T=4):
    size = H * D + H * H + H + K * H
    return rng.normal(size=size), rng.normal(size=(T, D)), rng.normal(size=(T, K))


def gradients(theta, x, y):
    U, W, b, V = views(theta)
    T = len(x)
    h = np.zeros((T + 1, H))
    e = np.zeros((T, K))
    for t in range(T):
        h[t + 1] = 1 / (1 + np.exp(-(U @ x[t] + W @ h[t] + b)))
        e[t] = V @ h[t + 1] - y[t]
    loss = 0.5 * (e * e).sum() + 0.05 * theta @ theta
    # backward
    grad = np.zeros_like(theta)
    dU, dW, db, dV = views(grad)
    dh = np.zeros(H)
    for t in range(T - 1, -1, -1):
        dV += e[t][:, None] * h[t + 1]
        dh += e[t] @ V
        da = dh * h[t + 1] * (1 - h[t + 1])
        dU += da[:, None] * x[t]
        dW += da[:, None] * h[t]
        db += da
        dh = da @ W
    grad += 0.1 * theta
    return loss, {"theta": grad}
