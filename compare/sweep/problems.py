"""The random problems of a sweep.

Problem i is drawn from (seed, i) alone: its model from (seed, i // numbers), so that `numbers` successive problems
share one model, which JAX compiles once; whatever else JAX would compile anew for is drawn with the model. The models
are those of `systems.random_models`; one in 20 has all sizes 1, and one in 40 recurrent ones T = 300. In the following,
what is listed is equally likely.

- Family: 3 in 9 plain cells, 2 in 9 LSTMs, 2 in 9 GRUs, 1 in 9 feed-forward networks, 1 in 9 ordered systems.
- All: float64 or float32; B in 1…3, every other size in 1…6.
- Recurrent: T in 1…12, but one model in 8 has T = 30 and H = 16, where a large gain is chaotic; one layer, one layer
  truncated (all three, n in 1…T+1), or a stack (two layers, two directions, or both); every loss, reduction and
  `loss_at`; biases or none; lengths or none; the GRU with every reset; the plain cell with every activation, in one
  layer with `Wcat` or without and, not truncated, with every differentiation (the closed form with the identity).
- Feed-forward: one to three layers, every activation, loss and reduction. Ordered: 2 to 5 variables, normal weights.
- By the problem's own number: the seed of `Problem.from_seed` (of an ordered system it draws z_1 alone), the lengths
  in 1…T, and the gain of every W, log-uniform in 0.1…8: from contracting to chaotic. Every second problem is in a
  regime, see `regimes`; with T = 300 all are, and W is orthogonal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...backends import Problem, Recurrent
from ..systems.random_models import ModelSpace, RandomModel, random_model
from .regimes import REGIMES

SWEEP_SPACE = ModelSpace(with_long=True)
SIZES_ONE = ModelSpace((1, 1), (1, 1), (1, 1), depths=(2, 2), variables=(1, 1))
VERY_LONG = ModelSpace(batch_sizes=(1, 2), seq_lens=(300, 300))
SPACES = (*(SWEEP_SPACE,) * 37, SIZES_ONE, SIZES_ONE, VERY_LONG)
ORDINARY = ""
GAIN_RANGE = (0.1, 8.0)


@dataclass(frozen=True)
class SweepProblem:
    """A problem of a sweep.

    Attributes:
        number: in the sweep.
        family: of `FAMILY_NAMES`.
        gain: by which W was multiplied; None where there is no W.
        regime: of `REGIMES`; empty if it is in none.
        problem: the model with its numbers.
    """

    number: int
    family: str
    gain: float | None
    regime: str
    problem: Problem


class SeededChooser:
    """Draws evenly from a NumPy generator. An option with one value draws nothing."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def one_of(self, option: str, values: Sequence[Any]) -> Any:
        """One of the values."""
        return values[int(self._rng.integers(len(values)))] if len(values) > 1 else values[0]

    def integer(self, low: int, high: int) -> int:
        """An integer, both ends included."""
        return int(self._rng.integers(low, high + 1))

    def numbers(self, *shape: int) -> np.ndarray:
        """Standard normal numbers."""
        return self._rng.standard_normal(shape)


def draw_problem(number: int, *, seed: int = 0, numbers: int = 10) -> SweepProblem:
    """Problem `number` of the sweep from `seed`; the same whatever else is drawn.

    Args:
        number: from 0.
        seed: of the sweep.
        numbers: how many successive problems share a model.

    Returns:
        The problem, with its family and gain.

    Example:
        >>> drawn = draw_problem(12, seed=0)
        >>> drawn.family, drawn.problem.dtype.name
        ('ordered', 'float32')
        >>> drawn.problem.fingerprint == draw_problem(12, seed=0).problem.fingerprint
        True
    """
    choose = SeededChooser(np.random.Generator(np.random.PCG64([seed, number // numbers, 0])))
    space = choose.one_of("space", SPACES)
    drawn = random_model(choose, space)
    if space is VERY_LONG and isinstance(drawn.model, Recurrent):  # a window of n would take T·n steps
        drawn = drawn._replace(model=replace(drawn.model, truncation=None))
    rng = np.random.Generator(np.random.PCG64([seed, number, 1]))  # of what differs between problems of one model
    options: dict[str, Any] = {"seed": int(rng.integers(2**32)), "dtype": drawn.dtype}
    options |= {name: getattr(drawn, name) for name in drawn.model.LEADING}
    gain = None
    if isinstance(drawn.model, Recurrent):
        gain = float(np.exp(rng.uniform(*np.log(GAIN_RANGE))))
        has_lengths = choose.one_of("has_lengths", (False, True))
        lengths = rng.integers(1, drawn.seq_len, drawn.batch_size, endpoint=True) if has_lengths else None
        options |= {"recurrent_gain": gain, "lengths": lengths}
    problem = Problem.from_seed(drawn.model, **options)
    regime = _draw_regime(rng, drawn)
    changed = REGIMES[regime](problem, rng) if regime else None
    return SweepProblem(number, drawn.family, gain, regime if changed else ORDINARY, changed or problem)


def _draw_regime(rng: np.random.Generator, drawn: RandomModel) -> str:
    if drawn.seq_len == VERY_LONG.seq_lens[0]:
        return "orthogonal"
    return str(rng.choice(list(REGIMES))) if rng.integers(2) else ORDINARY
