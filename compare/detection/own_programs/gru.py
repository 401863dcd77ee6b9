"""A GRU: a reset and an update gate, one sequence, and the sum of a linear read-out."""

import numpy as np


def arguments(rng, T=4, D=3, H=4):
    names = ("Wz", "Wr", "Wh", "Uz", "Ur", "Uh")
    params = {name: rng.normal(size=(H, D if name[0] == "W" else H)) for name in names}
    return params, rng.normal(size=H), rng.normal(size=(T, D)), rng.normal(size=H)


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a))


def gradients(params, q, x, h0):
    Wz, Wr, Wh, Uz, Ur, Uh = params.values()
    T = x.shape[0]
    h, z, r, n = [h0], [], [], []
    for t in range(T):
        z.append(sigmoid(Wz @ x[t] + Uz @ h[t]))
        r.append(sigmoid(Wr @ x[t] + Ur @ h[t]))
        n.append(np.tanh(Wh @ x[t] + Uh @ (r[t] * h[t])))
        h.append(z[t] * h[t] + (1 - z[t]) * n[t])
    loss = sum(q @ (h[t + 1] ** 2) for t in range(T))
    # backward
    dWz, dWr, dWh = np.zeros_like(Wz), np.zeros_like(Wr), np.zeros_like(Wh)
    dUz, dUr, dUh = np.zeros_like(Uz), np.zeros_like(Ur), np.zeros_like(Uh)
    dq, dh = np.zeros_like(q), np.zeros_like(h0)
    for t in range(T - 1, -1, -1):
        dq += h[t + 1] ** 2
        dh = dh + 2 * q * h[t + 1]
        dn = dh * (1 - z[t]) * (1 - n[t] ** 2)
        dz = dh * (h[t] - n[t]) * z[t] * (1 - z[t])
        drh = Uh.T @ dn
        dr = drh * h[t] * r[t] * (1 - r[t])
        dWh += np.outer(dn, x[t])
        dUh += np.outer(dn, r[t] * h[t])
        dWr += np.outer(dr, x[t])
        dUr += np.outer(dr, h[t])
        dWz += np.outer(dz, x[t])
        dUz += np.outer(dz, h[t])
        dh = dh * z[t] + drh * r[t] + Ur.T @ dr + Uz.T @ dz
    grads = {"Wz": dWz, "Wr": dWr, "Wh": dWh, "Uz": dUz, "Ur": dUr, "Uh": dUh}
    return loss, {**grads, "q": dq, "h0": dh}
