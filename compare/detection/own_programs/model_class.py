"""A model that keeps its parameters and its gradients, with a forward and a backward method."""

import numpy as np

WRT = {"U": "model.U", "W": "model.W", "V": "model.V", "b": "model.b"}


class Model:
    def __init__(self, rng, D, H, K):
        self.U, self.W, self.V = rng.normal(size=(D, H)), rng.normal(size=(H, H)), rng.normal(size=(H, K))
        self.b = rng.normal(size=H)
        self.dU, self.dW, self.dV, self.db = (np.zeros_like(p) for p in (self.U, self.W, self.V, self.b))

    def forward(self, xs):
        self.xs = xs
        self.hs = [np.zeros((xs.shape[1], len(self.b)))]
        for x in xs:
            self.hs.append(np.tanh(x @ self.U + self.hs[-1] @ self.W + self.b))
        return self.hs[-1] @ self.V

    def backward(self, dout):
        # backward
        for grad in (self.dU, self.dW, self.db):
            grad[...] = 0
        self.dV[...] = self.hs[-1].T @ dout
        dh = dout @ self.V.T
        for t in range(len(self.xs))[::-1]:
            da = dh * (1.0 - self.hs[t + 1] ** 2)
            self.dU += self.xs[t].T @ da
            self.dW += self.hs[t].T @ da
            self.db += np.sum(da, axis=0)
            dh = da @ self.W.T
        # end


def arguments(rng, T=4, B=2, D=3, H=4, K=3):
    return Model(rng, D, H, K), rng.normal(size=(T, B, D)), rng.integers(0, K, B)


def gradients(model, xs, labels):
    logits = model.forward(xs)
    rows = np.arange(len(labels))
    shifted = logits - logits.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    loss = -logp[rows, labels].mean()
    dlogits = np.exp(logp)
    dlogits[rows, labels] -= 1
    model.backward(dlogits / len(labels))
    return loss, {"U": model.dU, "W": model.dW, "V": model.dV, "b": model.db}
