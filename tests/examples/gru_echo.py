"""A GRU in plain NumPy that echoes what it heard some steps before.

It hears random letters, and has to say at every step the one of three steps ago (a dash as long as there is none). The
reset gate comes after the product, as in PyTorch and cuDNN. A batch is stored in rows; learning is by RMSprop.

One line of its gradient is wrong: `gradparity check tests/examples/gru_echo.py:gradients --system gru` says which.
"""

import numpy as np

LETTERS = "-abcde"
DELAY = 3


def init_params(n_in, n_hidden, n_out, rng):
    def weights(rows, columns):
        return rng.uniform(-1, 1, (rows, columns)) / np.sqrt(n_hidden)

    p = {}
    for gate in "rzn":
        p["U" + gate] = weights(n_in, n_hidden)
        p["W" + gate] = weights(n_hidden, n_hidden)
        p["b" + gate] = np.zeros(n_hidden)
    p["bhn"] = np.zeros(n_hidden)
    p["Wo"] = weights(n_hidden, n_out)
    p["bo"] = np.zeros(n_out)
    return p


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def gru_step(p, x, h):
    """The next state, and what the backward pass will need."""
    r = sigmoid(x @ p["Ur"] + h @ p["Wr"] + p["br"])
    z = sigmoid(x @ p["Uz"] + h @ p["Wz"] + p["bz"])
    q = h @ p["Wn"] + p["bhn"]
    n = np.tanh(x @ p["Un"] + p["bn"] + r * q)
    return (1 - z) * n + z * h, (x, h, r, z, q, n)


def gru_step_back(p, grads, cache, dh):
    """Adds a step's part to the gradients, and returns dh of the step before."""
    x, h_prev, r, z, q, n = cache
    dan = dh * (1 - z) * (1 - n**2)
    daz = dh * (h_prev - n) * z * (1 - z)
    dar = dan * q * r * (1 - r)
    dq = dan * r

    grads["Ur"] += x.T @ dar
    grads["Uz"] += x.T @ daz
    grads["Un"] += x.T @ dan
    grads["Wr"] += h_prev.T @ dar
    grads["Wz"] += h_prev.T @ daz
    grads["Wn"] += h_prev.T @ dan
    grads["br"] += dar.sum(axis=0)
    grads["bz"] += daz.sum(axis=0)
    grads["bn"] += dan.sum(axis=0)
    grads["bhn"] += dq.sum(axis=0)
    return dh * z + dar @ p["Wr"].T + daz @ p["Wz"].T + dq @ p["Wn"].T


def run(p, xs, h):
    """The logarithms of the probabilities at every step, with the states and the caches."""
    hs, caches = [], []
    for x in xs:
        h, cache = gru_step(p, x, h)
        hs.append(h)
        caches.append(cache)
    logits = np.array(hs) @ p["Wo"] + p["bo"]
    logits -= logits.max(axis=-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)), hs, caches


def loss_and_grads(p, xs, targets, h0):
    """Cross-entropy summed over steps and batch, the gradients of the parameters, and that of h0."""
    log_probs, hs, caches = run(p, xs, h0)
    steps, batch = np.indices(targets.shape)
    loss = -log_probs[steps, batch, targets].sum()

    do = np.exp(log_probs)
    do[steps, batch, targets] -= 1
    grads = {name: np.zeros_like(value) for name, value in p.items()}
    dh = np.zeros_like(h0)
    for t in reversed(range(len(xs))):
        grads["Wo"] += hs[t].T @ do[t]
        grads["bo"] += do[t].sum(axis=0)
        dh = gru_step_back(p, grads, caches[t], dh + do[t] @ p["Wo"].T)
    return loss, grads, dh


def gradients(params, inputs, targets, h0):
    """The gradient in gradparity's form, which has r, z and n below each other and its weights the other way round."""
    p = {"bhn": params["b_hn"], "Wo": params["V"].T, "bo": params["c"]}
    for name in "UWb":
        p |= {name + gate: rows.T for gate, rows in zip("rzn", np.split(params[name], 3), strict=True)}
    loss, grads, dh0 = loss_and_grads(p, inputs, targets, h0)
    stacked = {name: np.concatenate([grads[name + gate].T for gate in "rzn"]) for name in "UWb"}
    return loss, stacked | {"b_hn": grads["bhn"], "V": grads["Wo"].T, "c": grads["bo"], "h0": dh0}


def make_batch(steps, batch, rng):
    heard = rng.integers(1, len(LETTERS), (steps, batch))
    echo = np.zeros_like(heard)
    echo[DELAY:] = heard[:-DELAY]
    return heard, echo


def main():
    rng = np.random.default_rng(0)
    n_hidden, batch = 32, 32
    one_hot = np.eye(len(LETTERS))
    p = init_params(len(LETTERS), n_hidden, len(LETTERS), rng)
    mean_square = {name: np.zeros_like(value) for name, value in p.items()}

    for step in range(1, 1001):
        heard, echo = make_batch(20, batch, rng)
        loss, grads, _ = loss_and_grads(p, one_hot[heard], echo, np.zeros((batch, n_hidden)))
        for name, g in grads.items():
            g = g / echo.size
            mean_square[name] = 0.99 * mean_square[name] + 0.01 * g**2
            p[name] -= 0.003 * g / (np.sqrt(mean_square[name]) + 1e-8)
        if step == 1 or step % 200 == 0:
            print(f"step {step:4d}  loss {loss / echo.size:.4f}")

    heard, echo = make_batch(40, 1, rng)
    log_probs, _, _ = run(p, one_hot[heard], np.zeros((1, n_hidden)))
    for name, row in (("heard", heard), ("echo", echo), ("GRU", log_probs.argmax(axis=-1))):
        print(f"{name:>5} ", "".join(LETTERS[index] for index in row.ravel()))


if __name__ == "__main__":
    main()
