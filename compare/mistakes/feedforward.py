"""Runs the lines of what has no time: feed-forward networks and ordered systems."""

from __future__ import annotations

import numpy as np

from ...backends import FeedForward, OrderedSystem, Problem
from ...manual.losses import loss_weight
from . import equation_sections as sections
from .namespace import LineResults, Names, Replaced, execute, functions, one_hot, with_replacements


def run_feed_forward(problem: Problem, model: FeedForward, replaced: Replaced) -> LineResults:
    """The loss and the gradients of a feed-forward network."""
    forward = with_replacements(sections.LAYER_FORWARD, replaced, "layer")
    backward = with_replacements(sections.LAYER_BACKWARD, replaced, "layer")
    hidden = with_replacements(sections.LAYER_HIDDEN, replaced, "hidden")
    output = with_replacements(sections.OUTPUT[model.loss], replaced, "output", model.loss)
    B, L = problem.batch_size, len(model.sizes) - 1
    w = np.full((B, 1), loss_weight(np.ones(B, dtype=bool), model.reduction), problem.dtype)
    Y = one_hot(problem, model.sizes[-1])
    constants = functions(model.activation) | {"T": 1, "B": B, "K": model.sizes[-1], "w": w, "Y": Y, "last": True}
    layers: list[Names] = []
    for number in range(1, L + 1):
        W, b = problem.params[f"W{number}"], problem.params[f"b{number}"]
        sums = {"dW": np.zeros_like(W), "db": np.zeros_like(b), "loss": problem.dtype.type(0)}
        below = layers[-1]["a"] if layers else problem.inputs
        layers.append(execute(forward, constants | sums | {"W": W, "b": b, "a_below": below}))
    values: dict[str, np.ndarray] = {}
    for number in range(L, 0, -1):
        names = execute(output if number == L else hidden, layers[number - 1])
        execute(backward, names)
        values |= {f"W{number}": names["dW"], f"b{number}": names["db"]}
        if number > 1:
            layers[number - 2]["da"] = names["da_below"]
    values |= {"loss": np.asarray(layers[-1]["loss"]), "inputs": layers[0]["da_below"]}
    return LineResults({name: values[name] for name in ("loss", *problem.differentiable)})


def run_ordered(problem: Problem, model: OrderedSystem, replaced: Replaced) -> LineResults:
    """E, and the total derivatives of an ordered system."""
    forward = with_replacements(sections.ORDERED_FORWARD, replaced, "ordered")
    backward = with_replacements(sections.ORDERED_BACKWARD, replaced, "ordered")
    A, N = problem.params["A"], model.size
    c = np.array(model.objective, problem.dtype)
    z, E = np.zeros_like(A, shape=N), problem.dtype.type(0)
    z[:1] = problem.inputs
    for i in range(N):
        names = execute(forward, {"A_i": A[i, :i], "z": z[:i], "z_i": z[i], "first": i == 0, "c_i": c[i], "E": E})
        z[i], E = names["z_i"], names["E"]
    total, dA = np.zeros_like(z), np.zeros_like(A)
    for i in reversed(range(N)):
        names = {"c_i": c[i], "total": total[i + 1 :], "A_later": A[i + 1 :, i], "A_i": A[i, :i], "z": z[:i]}
        execute(backward, names)
        total[i], dA[i, :i] = names["total_i"], names["dA_i"]
    return LineResults({"loss": np.asarray(E), "A": dA, "inputs": total[:1].copy()})
