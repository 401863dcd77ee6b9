"""Networks that are in no catalogue, forward only, as people write them: no line of theirs may have to change."""
import numpy as np


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a))


def softmax(s, axis=-1):
    e = np.exp(s - np.max(s, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def peephole_lstm(p, x, y):
    T, B, D = x.shape
    H = p["W"].shape[1]
    h = np.zeros((T + 1, B, H)); c = np.zeros((T + 1, B, H))
    loss = 0.0
    for t in range(T):
        a = x[t] @ p["U"].T + h[t] @ p["W"].T + p["b"]
        i = sigmoid(a[:, :H] + p["P"][0] * c[t])
        f = sigmoid(a[:, H:2 * H] + p["P"][1] * c[t])
        g = np.tanh(a[:, 2 * H:3 * H])
        c[t + 1] = f * c[t]
        c[t + 1] += i * g
        o = sigmoid(a[:, 3 * H:] + p["P"][2] * c[t + 1])
        h[t + 1] = o * np.tanh(c[t + 1])
    prob = softmax(np.einsum("tbh,kh->tbk", h[1:], p["V"]) + p["k"])
    tt, bb = np.ogrid[:T, :B]
    return -np.log(prob[tt, bb, y]).sum()


def layernorm_rnn(p, x, y):
    T, B, D = x.shape
    H = len(p["gamma"])
    h = np.zeros((B, H))
    outs = []
    for t in range(T):
        a = np.concatenate([x[t], h], axis=1) @ p["M"].T
        mu = a.mean(axis=1, keepdims=True)
        var = ((a - mu) ** 2).mean(axis=1, keepdims=True)
        h = np.tanh(p["gamma"] * (a - mu) / np.sqrt(var + 1e-5) + p["beta"])
        outs.append(h)
    o = np.stack(outs) @ p["V"].T
    return np.mean((o - y) ** 2)


def attention_rnn(p, x, y):
    """Each step attends to all earlier states; states written into one buffer."""
    T, B, D = x.shape
    H = p["W"].shape[0]
    states = np.empty((B, T, H))
    h = np.zeros((B, H))
    total = 0.0
    for t in range(T):
        h = np.tanh(x[t].dot(p["U"].T) + h.dot(p["W"].T))
        states[:, t, :] = h
        score = np.einsum("bsh,bh->bs", states[:, :t + 1], h @ p["A"])
        w = np.exp(score - score.max(axis=1)[:, None]); w /= w.sum(axis=1)[:, None]
        context = (w[:, :, None] * states[:, :t + 1]).sum(axis=1)
        logits = np.hstack((h, context)) @ p["V"].T
        m = logits.max(1)
        lse = m + np.log(np.exp(logits - m[:, None]).sum(1))
        total += (lse - logits[np.arange(B), y[t]]).sum()
    return total / (T * B)


def leaky_out(p, x, y):
    """Leaky integrator with out= and in-place operators, and views that are written through."""
    T, B, D = x.shape
    H = p["W"].shape[0]
    alpha = sigmoid(p["alpha"])
    a = np.empty((B, H)); h = np.zeros((T + 1, B, H)); loss = 0.0
    for t in range(T):
        before, after = h[t], h[t + 1]
        np.matmul(before, p["W"].T, out=a)
        a += x[t] @ p["U"].T
        np.tanh(a, out=a)
        np.multiply(a, alpha, out=after)
        after += (1 - alpha) * before
        e = after @ p["V"].T - y[t]
        loss += (e * e).sum()
    return loss


def transformer(p, x, y, heads=2):
    """One causal self-attention block with a residual, layer normalisation and a GELU-like MLP."""
    B, T, D = x.shape
    d = D // heads
    q, k, v = (np.reshape(x @ p[n], (B, T, heads, d)).transpose(0, 2, 1, 3) for n in ("Wq", "Wk", "Wv"))
    s = np.einsum("bhid,bhjd->bhij", q, k) / np.sqrt(d)
    mask = np.tril(np.ones((T, T), dtype=bool))
    s = np.where(mask, s, -np.inf)
    w = softmax(s)
    z = (w @ v).transpose(0, 2, 1, 3).reshape(B, T, D) @ p["Wo"]
    r = x + z
    r = (r - r.mean(-1, keepdims=True)) / np.sqrt(r.var(-1, keepdims=True) + 1e-5)
    u = r @ p["W1"]
    out = (u * sigmoid(1.702 * u)) @ p["W2"]
    prob = softmax(out)
    return -np.log(prob[np.arange(B)[:, None], np.arange(T), y]).mean()


def draw(name, seed=0, scale=1):
    r = np.random.default_rng(seed)
    n = lambda *s: r.normal(size=s) / np.sqrt(s[-1])
    T, B, D, H, K = 5 * scale, 2 * scale, 3 * scale, 4 * scale, 3 * scale
    x = r.normal(size=(T, B, D)); lab = r.integers(0, K, (T, B)); yk = r.normal(size=(T, B, K))
    match name:
        case "peephole_lstm": return dict(U=n(4*H, D), W=n(4*H, H), b=n(4*H), P=n(3, H), V=n(K, H), k=n(K)), x, lab
        case "layernorm_rnn": return dict(M=n(H, D+H), gamma=1+n(H), beta=n(H), V=n(K, H)), x, yk
        case "attention_rnn": return dict(U=n(H, D), W=n(H, H), A=n(H, H), V=n(K, 2*H)), x, lab
        case "leaky_out": return dict(U=n(H, D), W=n(H, H), alpha=n(H), V=n(K, H)), x, yk
        case "transformer": return dict(Wq=n(H, H), Wk=n(H, H), Wv=n(H, H), Wo=n(H, H), W1=n(H, 2*H), W2=n(2*H, K)), r.normal(size=(B, T, H)), r.integers(0, K, (B, T))


NAMES = ['peephole_lstm', 'layernorm_rnn', 'attention_rnn', 'leaky_out', 'transformer']
