"""States and their derivatives are kept in arrays over the whole sequence; the sums over it are by einsum."""

import numpy as np


def arguments(rng, T=4, B=2, D=3, H=4, K=3):
    weights = [rng.normal(size=shape) for shape in ((D, H), (H, H), (H,), (H, K))]
    return *weights, rng.normal(size=(B, T, D)), rng.normal(size=(B, T, K))


def gradients(Wi, Wr, beta, Wo, X, Y):
    B, T, _ = X.shape
    H = len(beta)
    drive = np.einsum("btd,dh->bth", X, Wi) + beta
    S = np.zeros((B, T + 1, H))
    for t in range(T):
        S[:, t + 1] = np.tanh(drive[:, t] + np.einsum("bh,hk->bk", S[:, t], Wr))
    P = np.einsum("bth,hk->btk", S[:, 1:], Wo)
    R = P - Y
    loss = np.mean(R**2)
    # backward
    dP = 2 * R / R.size
    dWo = np.einsum("bth,btk->hk", S[:, 1:], dP)
    dS = np.einsum("btk,hk->bth", dP, Wo)
    dA = np.zeros((B, T, H))
    later = np.zeros((B, H))
    for t in reversed(range(T)):
        dA[:, t] = (dS[:, t] + later) * (1 - S[:, t + 1] ** 2)
        later = np.einsum("bk,hk->bh", dA[:, t], Wr)
    dWi = np.einsum("btd,bth->dh", X, dA)
    dWr = np.einsum("bth,btk->hk", S[:, :-1], dA)
    dbeta = dA.sum(axis=(0, 1))
    return loss, {"Wi": dWi, "Wr": dWr, "beta": dbeta, "Wo": dWo}
