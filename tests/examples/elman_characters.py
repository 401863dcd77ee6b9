"""A character-level Elman network in plain NumPy.

It reads a short text in chunks, carries the state from one chunk to the next, learns by Adagrad to predict the next
character, and writes a few lines of its own at the end. Vectors are columns; there is no batch.

One line of its gradient is wrong, and this says which:
`gradparity check tests/examples/elman_characters.py:gradients --system elman-softmax`.
"""

import numpy as np

TEXT = """\
the ferry leaves at seven, when the harbour is still grey.
the baker's boy is on it, and the postman with his bag,
and an old woman who sells eggs on the other side.
at noon the ferry comes back, and the baker's boy is asleep.
the postman reads the cards that nobody will miss till four.
the old woman has sold her eggs, and counts the coins again.
at seven the harbour is grey once more, and the ferry is still.
"""
HIDDEN = 48
CHUNK = 20
EPOCHS = 300


def init_network(vocabulary, hidden, rng):
    return {
        "Wxh": rng.normal(0, 0.1, (hidden, vocabulary)),
        "Whh": rng.normal(0, 0.5 / np.sqrt(hidden), (hidden, hidden)),
        "Why": rng.normal(0, 0.1, (vocabulary, hidden)),
        "bh": np.zeros((hidden, 1)),
        "by": np.zeros((vocabulary, 1)),
    }


def softmax(y):
    e = np.exp(y - y.max())
    return e / e.sum()


def step(net, x, h):
    return np.tanh(net["Wxh"] @ x + net["Whh"] @ h + net["bh"])


def forward(net, xs, h_init):
    """The states and the predictions after each of the inputs xs, a list of columns."""
    hs, ps = [], []
    h = h_init
    for x in xs:
        h = step(net, x, h)
        hs.append(h)
        ps.append(softmax(net["Why"] @ h + net["by"]))
    return hs, ps


def loss_and_gradient(net, xs, labels, h_init):
    """Cross-entropy summed over the chunk, its gradient, and the state to go on from."""
    hs, ps = forward(net, xs, h_init)
    loss = -sum(np.log(p[label, 0]) for p, label in zip(ps, labels, strict=True))

    grad = {name: np.zeros_like(value) for name, value in net.items()}
    dh_next = np.zeros_like(h_init)
    for t in reversed(range(len(xs))):
        dy = ps[t].copy()
        dy[labels[t]] -= 1
        grad["Why"] += dy @ hs[t].T
        grad["by"] += dy
        dh = net["Why"].T @ dy + dh_next
        da = (1 - hs[t] ** 2) * dh
        grad["Wxh"] += da @ xs[t].T
        grad["Whh"] += da @ hs[t - 1].T
        grad["bh"] += da
        dh_next = net["Whh"].T @ da
    return loss, grad, hs[-1]


def sample(net, h, index, length, rng, temperature=0.5):
    columns = np.eye(len(net["by"]))[:, :, None]
    indices = []
    for _ in range(length):
        h = step(net, columns[index], h)
        p = softmax((net["Why"] @ h + net["by"]) / temperature)
        index = rng.choice(len(p), p=p[:, 0])
        indices.append(index)
    return indices


def gradients(params, inputs, targets, h0):
    """The gradient in gradparity's form: one sequence of the batch after the other."""
    names = {"U": "Wxh", "W": "Whh", "b": "bh", "V": "Why", "c": "by"}
    net = {names[name]: value.reshape(len(value), -1) for name, value in params.items()}
    total, summed = 0.0, {name: np.zeros_like(value) for name, value in params.items()}
    for n in range(len(h0)):
        loss, grad, _ = loss_and_gradient(net, list(inputs[:, n, :, None]), targets[:, n], h0[n, :, None])
        total += loss
        for name, value in params.items():
            summed[name] += grad[names[name]].reshape(value.shape)
    return total, summed


def main():
    rng = np.random.default_rng(0)
    characters = sorted(set(TEXT))
    indices = np.array([characters.index(character) for character in TEXT])
    columns = np.eye(len(characters))[:, :, None]
    net = init_network(len(characters), HIDDEN, rng)
    squares = {name: np.full_like(value, 1e-8) for name, value in net.items()}

    for epoch in range(1, EPOCHS + 1):
        h, total = np.zeros((HIDDEN, 1)), 0.0
        for start in range(0, len(indices) - 1, CHUNK):
            labels = indices[start + 1 : start + CHUNK + 1]
            xs = [columns[index] for index in indices[start : start + len(labels)]]
            loss, grad, h = loss_and_gradient(net, xs, labels, h)
            total += loss
            for name, g in grad.items():
                g = np.clip(g, -5, 5)
                squares[name] += g**2
                net[name] -= 0.03 * g / np.sqrt(squares[name])
        if epoch == 1 or epoch % 50 == 0:
            print(f"epoch {epoch:3d}  loss {total / (len(indices) - 1):.3f} per character")

    written = sample(net, h, indices[-1], 200, rng)  # it goes on where the text ends
    print("".join(characters[index] for index in written))


if __name__ == "__main__":
    main()
