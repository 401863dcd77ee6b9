"""The plain cell, a step at a time, with vectors that are columns; a softmax at every step."""

import numpy as np


def arguments(rng, T=4, D=3, H=4, K=3):
    shapes = {"Wxh": (H, D), "Whh": (H, H), "Why": (K, H), "bh": (H, 1), "by": (K, 1)}
    params = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    return params, rng.normal(size=(T, D, 1)), rng.integers(0, K, T), rng.normal(size=(H, 1))


def gradients(params, inputs, targets, hprev):
    Wxh, Whh, Why = params["Wxh"], params["Whh"], params["Why"]
    hs, ps = {-1: hprev}, {}
    loss = 0.0
    for t in range(len(inputs)):
        hs[t] = np.tanh(Wxh @ inputs[t] + Whh @ hs[t - 1] + params["bh"])
        ys = Why @ hs[t] + params["by"]
        ps[t] = np.exp(ys) / np.sum(np.exp(ys))
        loss += -np.log(ps[t][targets[t], 0])
    # backward
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros_like(params["bh"]), np.zeros_like(params["by"])
    dhnext = np.zeros_like(hprev)
    for t in reversed(range(len(inputs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1
        dWhy += np.dot(dy, hs[t].T)
        dby += dy
        dh = np.dot(Why.T, dy) + dhnext
        draw = (1 - hs[t] * hs[t]) * dh
        dbh += draw
        dWxh += np.dot(draw, inputs[t].T)
        dWhh += np.dot(draw, hs[t - 1].T)
        dhnext = np.dot(Whh.T, draw)
    return loss, {"Wxh": dWxh, "Whh": dWhh, "Why": dWhy, "bh": dbh, "by": dby}
