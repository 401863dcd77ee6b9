"""A feed-forward net of several layers with relu, a softmax and weight decay; gradients are a list put in a dict."""

import numpy as np


def arguments(rng, B=5, D=3, H=4, K=3):
    sizes = [D, H, H, H, K]
    weights = [rng.normal(size=(sizes[layer], sizes[layer + 1])) for layer in range(4)]
    return weights, [rng.normal(size=size) for size in sizes[1:]], rng.normal(size=(B, D)), np.eye(K)[np.arange(B) % K]


def gradients(weights, biases, x, onehot, decay=0.1):
    acts, pres = [x], []
    for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
        pres.append(acts[-1] @ w + b)
        acts.append(np.maximum(0, pres[-1]) if layer < len(weights) - 1 else pres[-1])
    logits = acts[-1] - acts[-1].max(axis=1, keepdims=True)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss = -np.sum(onehot * np.log(probs)) / len(x)
    for w in weights:
        loss += 0.5 * decay * np.sum(w**2)
    # backward
    dweights, dbiases = [None] * len(weights), [None] * len(weights)
    delta = (probs - onehot) / len(x)
    for layer in reversed(range(len(weights))):
        dweights[layer] = acts[layer].T @ delta + decay * weights[layer]
        dbiases[layer] = delta.sum(axis=0)
        if layer > 0:
            delta = (delta @ weights[layer].T) * (pres[layer - 1] > 0)
    return loss, {"weights": dweights, "biases": dbiases}
