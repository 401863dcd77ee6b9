"""Layer normalisation inside a recurrent cell: forward and backward are functions that hand a cache over."""

import numpy as np


def arguments(rng, T=4, B=2, D=3, H=4):
    params = {"U": rng.normal(size=(D, H)), "W": rng.normal(size=(H, H)), "gain": rng.normal(size=H)}
    return params | {"shift": rng.normal(size=H)}, rng.normal(size=(T, B, D)), rng.normal(size=(B, H))


def normalise(a, gain, shift, eps=1e-5):
    centred = a - a.mean(axis=1, keepdims=True)
    std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + eps)
    unit = centred / std
    return gain * unit + shift, (unit, std, gain)


def gradients(params, x, target):
    U, W, gain, shift = (params[name] for name in ("U", "W", "gain", "shift"))
    h, caches = [np.zeros_like(target)], []
    for step in x:
        a, cache = normalise(step @ U + h[-1] @ W, gain, shift)
        h.append(np.tanh(a))
        caches.append(cache)
    loss = -np.sum(h[-1] * target)
    # backward
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    dh = -target
    for t in reversed(range(len(x))):
        unit, std, gain = caches[t]
        dnorm = dh * (1 - h[t + 1] ** 2)
        grads["gain"] += np.sum(dnorm * unit, axis=0)
        grads["shift"] += np.sum(dnorm, axis=0)
        dunit = dnorm * gain
        mean = dunit.mean(axis=1, keepdims=True)
        along = (dunit * unit).mean(axis=1, keepdims=True)
        da = (dunit - mean - unit * along) / std
        grads["U"] += x[t].T @ da
        grads["W"] += h[t].T @ da
        dh = da @ W.T
    return loss, grads
