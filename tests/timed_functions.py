"""Functions of one's own for the benchmark: the same gradient in NumPy, PyTorch and JAX, and planted faults."""

from __future__ import annotations

from gradparity.compare.function_bench import run_function_bench

IN_NUMPY = """
import os
import sys
import time

import numpy as np

calls = []


def arguments(rng, T=4, D=3):
    params = {"W": rng.normal(size=(D, D)), "v": rng.normal(size=D)}
    return params, rng.normal(size=(T, D))


def right(params, x):
    W, v = params["W"], params["v"]
    h = [np.zeros_like(v)]
    for row in x:
        h.append(np.tanh(W @ h[-1] + row))
    dW, dh = np.zeros_like(W), v
    for t in reversed(range(len(x))):
        da = dh * (1 - h[t + 1] ** 2)
        dW += np.outer(da, h[t])
        dh = W.T @ da
    return v @ h[-1], {"W": dW, "v": h[-1]}


def wrong(params, x):
    loss, gradients = right(params, x)
    return loss, gradients | {"W": gradients["W"].T}


def another_loss(params, x):
    loss, gradients = right(params, x)
    return 2 * loss, {name: 2 * array for name, array in gradients.items()}


def raises(params, x):
    raise ValueError("no batch")


def ends(params, x):
    os._exit(3)


def hangs(params, x):
    time.sleep(1000)


def in_place(params, x):
    answer = right(params, x)
    params["W"] *= 0.5
    return answer


def narrow(params, x):
    loss, gradients = right(params, x)
    return loss, {name: array.astype("float32") for name, array in gradients.items()}


def remembers(params, x):
    calls.append(right(params, x))
    return calls[-1][0], {name: sum(one[1][name] for one in calls) for name in params}


def incomplete(params, x):
    loss, gradients = right(params, x)
    return loss, {"W": gradients["W"]}


def loud(params, x):
    print("loud")
    return right(params, x)


def wide(params, x):
    loss, gradients = right(params, x)
    return loss, {name: array.astype("float64") for name, array in gradients.items()}


def nan(params, x):
    loss, gradients = right(params, x)
    return loss, gradients | {"v": gradients["v"] * float("nan")}


def unseen(params, x):
    W = params["W"]
    return right(params | {"W": np.fft.ifft(np.fft.fft(W)).real}, x)  # complex numbers are not recorded


def unseen_wrong(params, x):
    loss, gradients = unseen(params, x)
    gradients["v"][1] += 1e-10
    return loss, gradients
"""
IN_TORCH = """
import torch


def in_torch(params, x):
    W, v = (array.detach().requires_grad_() for array in params.values())
    h = torch.zeros_like(v)
    for row in x:
        h = torch.tanh(W @ h + row)
    loss = v @ h
    return loss, torch.autograd.grad(loss, (W, v))


def accumulates(params, x):
    W, v = (array.requires_grad_() for array in params.values())
    h = torch.zeros_like(v)
    for row in x:
        h = torch.tanh(W @ h + row)
    loss = v @ h
    loss.backward()
    return loss.detach(), {"dW": W.grad, "dv": v.grad}
"""
IN_JAX = """
import jax
import jax.numpy as jnp


def loss(params, x):
    h = jnp.zeros_like(params["v"])
    for row in x:
        h = jnp.tanh(params["W"] @ h + row)
    return params["v"] @ h


in_jax = jax.jit(jax.value_and_grad(loss))


def in_half_of_it(params, x):
    return in_jax({name: array.astype("float32") for name, array in params.items()}, x.astype("float32"))
"""
FILES = {"mine.py": IN_NUMPY, "torch_side.py": IN_TORCH, "jax_side.py": IN_JAX}


def write_files(folder):
    """The files with the functions, in a folder."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def bench(folder, *names, **options):
    """The benchmark of some of these functions; of `mine.py` if no file is named."""
    targets = [f"{folder}/{name}" if ":" in name else f"{folder}/mine.py:{name}" for name in names]
    return run_function_bench(targets, rounds=options.pop("rounds", 1), **options)
