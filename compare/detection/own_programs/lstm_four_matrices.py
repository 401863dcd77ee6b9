"""An LSTM with a matrix for each gate and helper functions; an error at every step."""

import numpy as np


def arguments(rng, T=4, D=3, H=4, K=2):
    params = {f"W{gate}": 0.5 * rng.normal(size=(H, H + D)) for gate in "fioc"}
    params |= {f"b{gate}": rng.normal(size=H) for gate in "fioc"}
    params["Wy"] = rng.normal(size=(K, H))
    return params, rng.normal(size=(T, D)), rng.normal(size=(T, K))


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def dsigmoid(s):
    return s * (1 - s)


def step(p, x, h_prev, c_prev):
    z = np.concatenate((h_prev, x))
    f = sigmoid(p["Wf"] @ z + p["bf"])
    i = sigmoid(p["Wi"] @ z + p["bi"])
    o = sigmoid(p["Wo"] @ z + p["bo"])
    c_bar = np.tanh(p["Wc"] @ z + p["bc"])
    c = f * c_prev + i * c_bar
    return z, f, i, o, c_bar, c, o * np.tanh(c)


def gradients(p, x, y):
    H = len(p["bf"])
    h, c, steps, loss = np.zeros(H), {-1: np.zeros(H)}, {}, 0.0
    for t in range(len(x)):
        steps[t] = step(p, x[t], h, c[t - 1])
        c[t], h = steps[t][5:]
        loss += 0.5 * np.sum((p["Wy"] @ h - y[t]) ** 2)
    # backward
    grads = {name: np.zeros_like(value) for name, value in p.items()}
    dh_next, dc_next = np.zeros(H), np.zeros(H)
    for t in reversed(range(len(x))):
        z, f, i, o, c_bar, _, h = steps[t]
        dv = p["Wy"] @ h - y[t]
        grads["Wy"] += np.outer(dv, h)
        dh = p["Wy"].T @ dv + dh_next
        do = dh * np.tanh(c[t]) * dsigmoid(o)
        dc = dc_next + dh * o * (1 - np.tanh(c[t]) ** 2)
        dc_bar = dc * i * (1 - c_bar**2)
        di = dc * c_bar * dsigmoid(i)
        df = dc * c[t - 1] * dsigmoid(f)
        for gate, d in (("f", df), ("i", di), ("o", do), ("c", dc_bar)):
            grads["W" + gate] += np.outer(d, z)
            grads["b" + gate] += d
        dz = p["Wf"].T @ df + p["Wi"].T @ di + p["Wc"].T @ dc_bar + p["Wo"].T @ do
        dh_next = dz[:H]
        dc_next = f * dc
    return loss, grads
