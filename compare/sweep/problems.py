"""The random problems of a sweep.

Problem i is drawn from (seed, i) alone: its model from (seed, i // numbers), so that `numbers` successive problems
share one model, which JAX compiles once; whatever else JAX would compile anew for is drawn with the model. In the
following, what is listed is equally likely.

- Family: 3 in 9 plain cells, 2 in 9 LSTMs, 2 in 9 GRUs, 1 in 9 feed-forward networks, 1 in 9 ordered systems.
- All: float64 or float32; B in 1…3, every other size in 1…6.
- Recurrent: T in 1…12, but one model in 8 has T = 30 and H = 16, where a large gain is chaotic; one layer, one layer
  truncated (all three, n in 1…T+1), or a stack (two layers, two directions, or both); every loss, reduction and
  `loss_at`; biases or none; lengths or none; the GRU with every reset; the plain cell with every activation, in one
  layer with `Wcat` or without and, not truncated, with every differentiation (the closed form with the identity).
- Feed-forward: one to three layers, every activation, loss and reduction. Ordered: 2 to 5 variables, normal weights.
- By the problem's own number: the seed of `Problem.from_seed` (of an ordered system it draws z_1 alone), the lengths
  in 1…T, and the gain of every W, log-uniform in 0.1…8: from contracting to chaotic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...backends import FeedForward, OrderedSystem, Problem, Recurrent
from ...backends.checks import DTYPES
from ...backends.models import ACTIVATIONS, CELLS, DIFFERENTIATIONS, LOSS_AT, LOSSES, REDUCTIONS, RESETS
from ...backends.models.truncation import TRUNCATIONS

FAMILIES = (*CELLS, "feed-forward", "ordered")
WEIGHTED = ("rnn", "rnn", "rnn", "lstm", "lstm", "gru", "gru", "feed-forward", "ordered")
STACKS = ((2, False), (1, True), (2, True))  # the number of layers, and whether there are two directions
GAINS = (0.1, 8.0)
LONG_STEPS, LONG_UNITS = 30, 16


@dataclass(frozen=True)
class Drawn:
    """A problem of a sweep, its family, and the gain of its W if it has one."""

    number: int
    family: str
    gain: float | None
    problem: Problem


def draw_problem(number: int, *, seed: int = 0, numbers: int = 10) -> Drawn:
    """Problem `number` of the sweep from `seed`."""
    rng = np.random.Generator(np.random.PCG64([seed, number // numbers, 0]))
    family, dtype = _one_of(rng, WEIGHTED), _one_of(rng, DTYPES)
    own = np.random.Generator(np.random.PCG64([seed, number, 1]))
    seed_of_numbers = int(own.integers(2**32))
    if family == "ordered":
        N = _size(rng, 2, 5)
        ordered = OrderedSystem(np.tril(rng.standard_normal((N, N)), -1), rng.standard_normal(N))  # type: ignore[arg-type]
        return Drawn(number, family, None, Problem.from_seed(ordered, seed=seed_of_numbers, dtype=dtype))
    B = _size(rng, 1, 3)
    common = {"loss": _one_of(rng, LOSSES), "reduction": _one_of(rng, REDUCTIONS)}
    if family == "feed-forward":
        sizes = tuple(_size(rng, 1, 6) for _ in range(_size(rng, 2, 4)))
        network = FeedForward(sizes, activation=_one_of(rng, ACTIVATIONS), **common)
        return Drawn(number, family, None, Problem.from_seed(network, seed=seed_of_numbers, batch_size=B, dtype=dtype))
    is_long = _size(rng, 1, 8) == 1
    T = LONG_STEPS if is_long else _size(rng, 1, 12)
    model = _recurrent(rng, family, T, common)
    model = replace(model, hidden_size=LONG_UNITS) if is_long else model
    gain = float(np.exp(own.uniform(*np.log(GAINS))))
    lengths = own.integers(1, T + 1, B) if _one_of(rng, (False, True)) else None
    problem = Problem.from_seed(
        model, seed=seed_of_numbers, seq_len=T, batch_size=B, dtype=dtype, lengths=lengths, recurrent_gain=gain
    )
    return Drawn(number, family, gain, problem)


def _recurrent(rng: np.random.Generator, cell: str, T: int, options: dict[str, Any]) -> Recurrent:
    options = options | {"loss_at": _one_of(rng, LOSS_AT), "bias": _one_of(rng, (False, True))}
    kind = _one_of(rng, ("single", "truncated", "stacked"))
    if kind == "stacked":
        options["num_layers"], options["bidirectional"] = _one_of(rng, STACKS)
    if kind == "truncated":
        options["truncation"] = _one_of(rng, tuple(TRUNCATIONS.values()))(_size(rng, 1, T + 1))
    if cell == "gru":
        options["reset"] = _one_of(rng, RESETS)
    if cell == "rnn":
        options["activation"] = _one_of(rng, ACTIVATIONS)
        options["concatenated"] = kind != "stacked" and _one_of(rng, (False, True))
    if cell == "rnn" and kind == "single":
        options["differentiation"] = _one_of(rng, DIFFERENTIATIONS)
        if options["differentiation"] == "closed_form":
            options["activation"] = "identity"
    return Recurrent(cell, *(_size(rng, 1, 6) for _ in "DHK"), **options)


def _one_of(rng: np.random.Generator, choices: Sequence[Any]) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _size(rng: np.random.Generator, low: int, high: int) -> int:
    return int(rng.integers(low, high + 1))
