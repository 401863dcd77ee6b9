"""One sample after another, each a sequence of its own length; the last state is classified."""

import numpy as np


def arguments(rng, N=3, D=3, H=4):
    sequences = [rng.normal(size=(3 + n % 2, D)) for n in range(N)]
    labels = rng.integers(0, 2, N).astype(float)
    return rng.normal(size=(H, D)), rng.normal(size=(H, H)), rng.normal(size=H), rng.normal(size=H), sequences, labels


def gradients(A, R, bias, v, sequences, labels):
    loss = 0.0
    dA, dR, dbias, dv = np.zeros_like(A), np.zeros_like(R), np.zeros_like(bias), np.zeros_like(v)
    for sequence, label in zip(sequences, labels, strict=True):
        states = [np.zeros(len(R))]
        for x in sequence:
            states.append(np.tanh(A @ x + R @ states[-1] + bias))
        logit = v @ states[-1]
        loss += np.log(1 + np.exp(logit)) - label * logit
        # backward
        dlogit = 1 / (1 + np.exp(-logit)) - label
        dv += dlogit * states[-1]
        dstate = dlogit * v
        for t in range(len(sequence), 0, -1):
            dpre = dstate * (1 - states[t] ** 2)
            dA += np.outer(dpre, sequence[t - 1])
            dR += np.outer(dpre, states[t - 1])
            dbias += dpre
            dstate = R.T @ dpre
    n = len(sequences)
    sums = {"A": dA, "R": dR, "bias": dbias, "v": dv}
    return loss / n, {name: total / n for name, total in sums.items()}
