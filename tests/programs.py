"""Gradients of small networks as people write them, each in another way; a test makes a mistake in their text."""

from __future__ import annotations

import numpy as np


def sigmoid(a):
    return np.exp(-np.logaddexp(0, -a))


def softmax(o):
    return np.exp(o - np.logaddexp.reduce(o, axis=0))


def one_hot(y, size):
    return np.eye(size)[:, y]


def elman(params, inputs, targets, h0, lengths=None):
    """The plain cell with tanh and the softmax; vectors are columns, one for each sample."""
    U, W, b, V, c = (array if array.ndim == 2 else array[:, None] for array in params.values())
    T, B = targets.shape
    lengths = np.full(B, T) if lengths is None else lengths
    seen = [t < lengths for t in range(T)]
    w = 1.0
    start = h0.T
    states, after, ps, loss = [], start, [], 0.0
    for t in range(T):
        after = np.where(seen[t], np.tanh(U @ inputs[t].T + W @ after + b), after)
        states.append(after)
        ps.append(softmax(V @ states[t] + c))
        loss -= w * np.log((one_hot(targets[t], len(c)) * ps[t]).sum(axis=0))[seen[t]].sum()
    dU, dW, db, dV, dc = (np.zeros_like(array) for array in (U, W, b, V, c))
    dx = np.zeros_like(inputs)
    dh_next = np.zeros_like(start)
    for t in range(T)[::-1]:
        before = states[t - 1] if t > 0 else start
        y = one_hot(targets[t], len(c))
        do = w * (ps[t] - y) * seen[t]
        dV += do @ states[t].T
        dc += do.sum(axis=1, keepdims=True)
        dh = V.T @ do + dh_next
        da = (1 - states[t] ** 2) * dh * seen[t]
        dU += da @ inputs[t]
        dW += da @ before.T
        db += da.sum(axis=1, keepdims=True)
        dx[t] = (U.T @ da).T
        dh_next = W.T @ da + dh * ~seen[t]
    return loss, {"U": dU, "W": dW, "b": db[:, 0], "V": dV, "c": dc[:, 0], "h0": dh_next.T, "inputs": dx}


def windowed(params, inputs, targets, h0):
    """The same, loss by loss, each of them reaching back over 3 steps at most."""
    U, W, b, V, c = params.values()
    h = {-1: h0}
    loss = 0.0
    gradients = {name: np.zeros_like(array) for name, array in params.items()}
    n = 3
    for t, (x, y) in enumerate(zip(inputs, targets, strict=True)):
        h[t] = np.tanh(x @ U.T + h[t - 1] @ W.T + b)
        p = softmax((h[t] @ V.T + c).T).T
        loss -= np.log(p[range(len(y)), y]).sum()
        do = p - np.eye(len(c))[y]
        gradients["V"] += do.T @ h[t]
        gradients["c"] += do.sum(axis=0)
        dh = do @ V
        for k in range(t, max(t - n, -1), -1):
            da = dh * (1 - h[k] ** 2)
            gradients["U"] += da.T @ inputs[k]
            gradients["W"] += da.T @ h[k - 1]
            gradients["b"] += da.sum(axis=0)
            dh = da @ W
    return loss, gradients


def lstm(params, inputs, targets, h0, c0):
    """One sample at a time, and one matrix for each gate."""
    U, W, b, V, c = (params[name] for name in ("U", "W", "b", "V", "c"))
    (Ui, Uf, Ug, Uo), (Wi, Wf, Wg, Wo), (bi, bf, bg, bo) = (np.split(array, 4) for array in (U, W, b))
    loss, g = 0.0, {name: np.zeros_like(array) for name, array in params.items()}
    dh0, dc0 = np.zeros_like(h0), np.zeros_like(c0)
    h, s = h0[0], c0[0]
    for sample in range(len(h0)):
        h, s = h0[sample], c0[sample]
        kept = []
        for x, y in zip(inputs[:, sample], targets[:, sample], strict=True):
            i, f = sigmoid(Ui @ x + Wi @ h + bi), sigmoid(Uf @ x + Wf @ h + bf)
            m, o = np.tanh(Ug @ x + Wg @ h + bg), sigmoid(Uo @ x + Wo @ h + bo)
            h_old, s_old = h, s
            s = f * s_old + i * m
            h = o * np.tanh(s)
            p = softmax(V @ h + c)
            loss -= np.log(p[y])
            kept.append((x, p - np.eye(len(c))[y], i, f, m, o, h_old, s_old, h, s))
        dh_next, ds_next = np.zeros_like(h), np.zeros_like(s)
        for x, dy, i, f, m, o, h_old, s_old, h_new, s_new in reversed(kept):
            dh = V.T @ dy + dh_next
            ds = ds_next + dh * o * (1 - np.tanh(s_new) ** 2)
            to = dh * np.tanh(s_new) * o * (1 - o)
            tf = ds * s_old * f * (1 - f)
            ti = ds * m * i * (1 - i)
            tm = ds * i * (1 - m**2)
            all_gates = np.concatenate([ti, tf, tm, to])
            g["V"] += np.outer(dy, h_new)
            g["c"] += dy
            g["U"] += np.outer(all_gates, x)
            g["W"] += np.outer(all_gates, h_old)
            g["b"] += all_gates
            dh_next = Wi.T @ ti + Wf.T @ tf + Wg.T @ tm + Wo.T @ to
            ds_next = ds * f
        dh0[sample], dc0[sample] = dh_next, ds_next
    return loss, g | {"h0": dh0, "c0": dc0}


def gru(params, inputs, targets, h0):
    """The reset gate after the product."""
    (Ur, Uz, Un), (Wr, Wz, Wn), (br, bz, bn) = (np.split(params[name], 3) for name in ("U", "W", "b"))
    b_hn, V, c = params["b_hn"], params["V"], params["c"]
    state, steps, loss = h0, [], 0.0
    for x, y in zip(inputs, targets, strict=True):
        r, z = sigmoid(x @ Ur.T + state @ Wr.T + br), sigmoid(x @ Uz.T + state @ Wz.T + bz)
        q = state @ Wn.T + b_hn
        n = np.tanh(x @ Un.T + bn + r * q)
        new = n + z * (state - n)
        p = softmax((new @ V.T + c).T).T
        loss -= np.log(p[range(len(y)), y]).sum()
        steps.append((x, state, r, z, q, n, new, p - np.eye(len(c))[y]))
        state = new
    dU, dW, db = ([np.zeros_like(part) for part in gates] for gates in ((Ur, Uz, Un), (Wr, Wz, Wn), (br, bz, bn)))
    d_bhn, dV, dc, dh = np.zeros_like(b_hn), np.zeros_like(V), np.zeros_like(c), np.zeros_like(h0)
    for x, old, r, z, q, n, new, do in steps[::-1]:
        dV += do.T @ new
        dc += do.sum(axis=0)
        dh = dh + do @ V
        dn = dh * (1 - z) * (1 - n**2)
        dz = dh * (old - n) * z * (1 - z)
        dr = dn * q * r * (1 - r)
        dq = dn * r
        for k, (from_x, from_h) in enumerate(((dr, dr), (dz, dz), (dn, dq))):
            dU[k] += from_x.T @ x
            dW[k] += from_h.T @ old
            db[k] += from_x.sum(axis=0)
        d_bhn += dq.sum(axis=0)
        dh = dh * z + dr @ Wr + dz @ Wz + dq @ Wn
    whole = {"U": np.concatenate(dU), "W": np.concatenate(dW), "b": np.concatenate(db)}
    return loss, whole | {"b_hn": d_bhn, "V": dV, "c": dc, "h0": dh}


def perceptron(params, inputs, targets):
    """Three layers of logistic units with the squared error, one sample at a time."""
    weights, biases = list(params.values())[::2], list(params.values())[1::2]
    loss, dW, db = 0.0, [np.zeros_like(W) for W in weights], [np.zeros_like(b) for b in biases]
    for x, y in zip(inputs, targets, strict=True):
        a = [x]
        for W, b in zip(weights, biases, strict=True):
            a.append(sigmoid(W @ a[-1] + b))
        loss += ((a[-1] - y) ** 2).sum() / 2
        delta = (a[-1] - y) * a[-1] * (1 - a[-1])
        for k in (2, 1, 0):
            dW[k] += np.outer(delta, a[k])
            db[k] += delta
            delta = weights[k].T @ delta * (a[k] * (1 - a[k]))
    return loss, {f"{n}{k + 1}": d[k] for n, d in (("W", dW), ("b", db)) for k in range(3)}
