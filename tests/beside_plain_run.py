"""What it takes to judge one's own function, beside its plain run: `python tests/beside_plain_run.py`.

Two programs as people write them, a plain cell and an LSTM. Each step is timed in turn, in rounds, on one core; shown
is the median, and how many plain runs it is worth. `nox --sessions recording` does it.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from gradparity.backends import Problem, get_backend
from gradparity.backends.tracing.trace import traced_call
from gradparity.compare import check_gradients
from gradparity.compare.certificate import certify
from gradparity.compare.functions.recorded_loss import TracedLoss
from gradparity.compare.jobs import thread_limits

ROUNDS = 5
RNG = np.random.default_rng(0)


def rnn(params, x, y):
    """20,000 parameters, and squared errors of the last state."""
    U, W, b, V = params["U"], params["W"], params["b"], params["V"]
    h = np.zeros((len(x) + 1, x.shape[1], len(b)))
    for t in range(len(x)):
        h[t + 1] = np.tanh(x[t] @ U + h[t] @ W + b)
    error = h[-1] @ V - y
    g = {name: np.zeros_like(array) for name, array in params.items()}
    g["V"] = h[-1].T @ error
    dh = error @ V.T
    for t in reversed(range(len(x))):
        da = dh * (1 - h[t + 1] ** 2)
        g["U"] += x[t].T @ da
        g["W"] += h[t].T @ da
        g["b"] += da.sum(axis=0)
        dh = da @ W.T
    return 0.5 * (error**2).sum(), g


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def lstm(params, x, y):
    """One matrix for all gates, and squared errors of every state."""
    W, b = params["W"], params["b"]
    n = len(b) // 4
    h, c = np.zeros((x.shape[1], n)), np.zeros((x.shape[1], n))
    kept, loss = [], 0.0
    for t in range(len(x)):
        together = np.concatenate([x[t], h], axis=1)
        a = together @ W + b
        i, f, o, g = sigmoid(a[:, :n]), sigmoid(a[:, n : 2 * n]), sigmoid(a[:, 2 * n : 3 * n]), np.tanh(a[:, 3 * n :])
        before, c = c, f * c + i * g
        h = o * np.tanh(c)
        kept.append((together, i, f, o, g, before, c, h))
        loss += 0.5 * ((h - y[t]) ** 2).sum()
    dW, db, dh, dc = np.zeros_like(W), np.zeros_like(b), np.zeros_like(h), np.zeros_like(c)
    for t in reversed(range(len(x))):
        together, i, f, o, g, before, c, h = kept[t]
        dh = dh + h - y[t]
        tc = np.tanh(c)
        dc = dc + dh * o * (1 - tc**2)
        gates = [dc * g * i * (1 - i), dc * before * f * (1 - f), dh * tc * o * (1 - o), dc * i * (1 - g**2)]
        da = np.concatenate(gates, axis=1)
        dW += together.T @ da
        db += da.sum(axis=0)
        dh = (da @ W.T)[:, x.shape[2] :]
        dc = dc * f
    return loss, {"W": dW, "b": db}


def _normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape) / np.sqrt(shape[0])


PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "rnn, 20,000 parameters, T 50 B 8": (
        rnn,
        (
            {"U": _normal(32, 120), "W": _normal(120, 120), "b": _normal(120), "V": _normal(120, 10)},
            RNG.normal(size=(50, 8, 32)),
            RNG.normal(size=(8, 10)),
        ),
    ),
    "lstm, T 50 B 8 D 16 H 64": (
        lstm,
        ({"W": _normal(80, 256), "b": _normal(256)}, RNG.normal(size=(50, 8, 16)), RNG.normal(size=(50, 8, 64))),
    ),
}


def steps_of(function: Callable[..., Any], arguments: tuple[Any, ...]) -> dict[str, Callable[[], object]]:
    """What is timed, by its name."""
    names = ("params", "x", "y")
    given = dict(zip(names, arguments, strict=True))
    paths = {name: f"params[{name!r}]" for name in arguments[0]}

    def verified() -> Problem:
        return TracedLoss(function, given, lambda value: value[0]).as_problem(paths).problem

    problem = verified()
    tape, torch = (get_backend(name) for name in ("tape", "torch"))
    return {
        "plain run": lambda: function(*arguments),
        "recorded": lambda: traced_call(function, given),
        "recorded and verified": verified,
        "tape": lambda: tape.evaluate(problem),
        "torch": lambda: torch.evaluate(problem),
        "enclosed": lambda: certify(problem),
        "the whole check": lambda: check_gradients(function, *arguments),
    }


def main() -> None:
    """Prints a table for each program."""
    os.environ.update(thread_limits(1))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for label, (function, arguments) in PROGRAMS.items():
        steps = steps_of(function, arguments)
        taken: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(ROUNDS):
            for name, step in steps.items():
                if name == "the whole check" and taken[name]:
                    continue  # it takes long, and JAX compiles but once
                started = time.perf_counter()
                step()
                taken[name].append(time.perf_counter() - started)
        print(f"{label:34} median (s)  plain runs")
        plain = statistics.median(taken["plain run"])
        for name, seconds in taken.items():
            median = statistics.median(seconds)
            print(f"  {name:32} {median:10.4f}  {median / plain:10.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
