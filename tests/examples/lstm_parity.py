"""An LSTM in plain NumPy that learns to tell parity.

It reads random bits and says after each of them whether the ones so far are even or odd in number. The gates share one
matrix on [x, h]; their columns come in the order forget, input, output, candidate. A batch is stored in rows.

One line of its gradient is wrong: `gradparity check tests/examples/lstm_parity.py:gradients` says which.
"""

import numpy as np


def sigmoid(a):
    return 0.5 * (1 + np.tanh(0.5 * a))


class LSTM:
    """One layer of LSTM and a softmax on top of it."""

    def __init__(self, n_in, n_hidden, n_out, seed=0):
        rng = np.random.default_rng(seed)
        self.n_in, self.n_hidden = n_in, n_hidden
        self.W = rng.normal(0, 1 / np.sqrt(n_in + n_hidden), (n_in + n_hidden, 4 * n_hidden))
        self.b = np.zeros(4 * n_hidden)
        self.b[:n_hidden] = 1  # remember, to begin with
        self.W_out = rng.normal(0, 1 / np.sqrt(n_hidden), (n_hidden, n_out))
        self.b_out = np.zeros(n_out)

    def forward(self, xs, h, c):
        """The probabilities of the classes after each step; xs is (steps, batch, n_in)."""
        H = self.n_hidden
        self.xh, self.gates, self.c, self.h = [], [], [c], [h]
        probabilities = []
        for x in xs:
            xh = np.hstack([x, h])
            a = xh @ self.W + self.b
            f, i, o = (sigmoid(a[:, k * H : (k + 1) * H]) for k in range(3))
            g = np.tanh(a[:, 3 * H :])
            c = f * c + i * g
            h = o * np.tanh(c)
            logits = h @ self.W_out + self.b_out
            p = np.exp(logits - logits.max(axis=1, keepdims=True))
            probabilities.append(p / p.sum(axis=1, keepdims=True))
            self.xh.append(xh)
            self.gates.append((f, i, o, g))
            self.c.append(c)
            self.h.append(h)
        self.p = np.array(probabilities)
        return self.p

    def loss(self, labels):
        """Cross-entropy of the last forward pass, summed over steps and batch."""
        return -np.log(np.take_along_axis(self.p, labels[..., None], axis=2)).sum()

    def backward(self, labels):
        """The gradient of the loss: of the four parameters by name, and of the initial h and c."""
        grads = {name: np.zeros_like(getattr(self, name)) for name in ("W", "b", "W_out", "b_out")}
        dh_next, dc_next = np.zeros_like(self.h[0]), np.zeros_like(self.c[0])
        for t in reversed(range(len(labels))):
            dlogits = self.p[t].copy()
            dlogits[np.arange(len(dlogits)), labels[t]] -= 1
            grads["W_out"] += self.h[t + 1].T @ dlogits
            grads["b_out"] += dlogits.sum(axis=0)

            f, i, o, g = self.gates[t]
            tanh_c = np.tanh(self.c[t + 1])
            dh = dlogits @ self.W_out.T + dh_next
            dc = dh * o * (1 - tanh_c**2) + dc_next
            do = dh * tanh_c
            df = dc * self.c[t + 1]
            di = dc * g
            dg = dc * i
            da = np.hstack([df * f * (1 - f), di * i * (1 - i), do * o * (1 - o), dg * (1 - g**2)])
            grads["W"] += self.xh[t].T @ da
            grads["b"] += da.sum(axis=0)
            dh_next = da @ self.W[self.n_in :].T
            dc_next = dc * f
        return grads, dh_next, dc_next


class Adam:
    def __init__(self, rate):
        self.rate, self.t, self.m, self.v = rate, 0, {}, {}

    def update(self, model, grads):
        self.t += 1
        for name, g in grads.items():
            self.m[name] = 0.9 * self.m.get(name, 0) + 0.1 * g
            self.v[name] = 0.999 * self.v.get(name, 0) + 0.001 * g**2
            m, v = self.m[name] / (1 - 0.9**self.t), self.v[name] / (1 - 0.999**self.t)
            getattr(model, name)[...] -= self.rate * m / (np.sqrt(v) + 1e-8)


def gradients(params, inputs, targets, h0, c0):
    """The gradient in gradparity's form, which has the gates below each other in the order i f g o."""
    U, W, b, V, c = params.values()

    def reorder(rows, order):
        return np.concatenate([np.split(rows, 4)[k] for k in order])

    model = LSTM(U.shape[1], W.shape[1], len(V))
    model.W, model.b = reorder(np.hstack([U, W]), (1, 0, 3, 2)).T, reorder(b, (1, 0, 3, 2))
    model.W_out, model.b_out = V.T, c
    model.forward(inputs, h0, c0)
    grads, dh0, dc0 = model.backward(targets)
    dU, dW = np.split(reorder(grads["W"].T, (1, 0, 3, 2)), [model.n_in], axis=1)
    db = reorder(grads["b"], (1, 0, 3, 2))
    dV, dc = grads["W_out"].T, grads["b_out"]
    return model.loss(targets), {"U": dU, "W": dW, "b": db, "V": dV, "c": dc, "h0": dh0, "c0": dc0}


def arguments(rng, steps=5, batch=2, n_in=3, n_hidden=4, n_out=2):
    """What `gradparity check` calls it with, if no network of the catalogue is named."""
    shapes = {"U": (4 * n_hidden, n_in), "W": (4 * n_hidden, n_hidden), "b": 4 * n_hidden}
    shapes |= {"V": (n_out, n_hidden), "c": n_out}
    params = {name: rng.normal(0, 0.5, shape) for name, shape in shapes.items()}
    x, labels = rng.normal(size=(steps, batch, n_in)), rng.integers(0, n_out, (steps, batch))
    return params, x, labels, *rng.normal(size=(2, batch, n_hidden))


def random_bits(steps, batch, rng):
    bits = rng.integers(0, 2, (steps, batch))
    return bits[..., None].astype(float), bits.cumsum(axis=0) % 2


def main():
    rng = np.random.default_rng(1)
    model, adam = LSTM(n_in=1, n_hidden=16, n_out=2), Adam(0.01)
    start = np.zeros((64, model.n_hidden))
    for step in range(1, 601):
        bits, parity = random_bits(12, 64, rng)
        p = model.forward(bits, start, start)
        grads, _, _ = model.backward(parity)
        adam.update(model, {name: g / parity.size for name, g in grads.items()})
        if step == 1 or step % 100 == 0:
            accuracy = (p.argmax(axis=2) == parity).mean()
            print(f"step {step:4d}  loss {model.loss(parity) / parity.size:.4f}  accuracy {accuracy:.1%}")

    bits, parity = random_bits(40, 1, rng)
    predicted = model.forward(bits, start[:1], start[:1]).argmax(axis=2)
    for name, row in (("bits", bits), ("parity", parity), ("LSTM", predicted)):
        print(f"{name:>6} ", "".join(str(int(bit)) for bit in row.ravel()))


if __name__ == "__main__":
    main()
