"""What a derivation is asked: ordinary problems, and those on which mistakes show that ordinary numbers hide."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ...backends import InvalidProblemError, Problem, Recurrent
from ..systems import System
from ..systems.regimes import REGIMES, Regime, scaled
from ..systems.sizes import with_batch_size, with_seq_len
from .unused_arrays import without_arrays

LONG = 60  # steps: a truncation after 20 or 50 is seen


@dataclass(frozen=True, eq=False)
class Question:
    """A problem that a derivation is asked.

    Attributes:
        name: what distinguishes it, such as `seed 0`, `confident` or `T = 60`.
        problem: the numbers.
        is_ordinary: whether they are drawn as they come, or someone's own.
        regime: what makes a smaller problem one of the same kind.
        system: the network in the sizes of the problem.
    """

    name: str
    problem: Problem
    system: System
    is_ordinary: bool = True
    regime: Regime = lambda problem: problem

    def like(self, problem: Problem) -> Problem | None:
        """Another problem with numbers of the same kind; None where they mean nothing, or leave the dtype's range."""
        try:
            with np.errstate(all="ignore"):
                return self.regime(problem)
        except InvalidProblemError:
            return None

    def without(self, names: Collection[str]) -> Question:
        """The same question with zeros in the place of some parameters and initial states."""
        zeros = partial(without_arrays, names=names)
        return replace(self, problem=zeros(self.problem), regime=_after(self.regime, zeros))

    def those_like(self, problems: Iterable[Problem]) -> Iterator[Problem]:
        """Other problems with numbers of the same kind, as far as they have them."""
        return (like for problem in problems if (like := self.like(problem)) is not None)


def questions(system: System, *, seeds: Sequence[int], dtype: str, scale: float = 1.0) -> list[Question]:
    """The ordinary problems of a system, and then those of the first seed with special numbers or sizes.

    Args:
        system: which does not learn.
        seeds: of the ordinary problems, at least one.
        dtype: `float64` or `float32`.
        scale: a factor for the numbers of all of them.

    Returns:
        The questions. What takes the longest comes last.

    Raises:
        InvalidProblemError: a seed, the dtype or the factor is none.

    Example:
        >>> from gradparity.compare import SYSTEMS
        >>> [question.name for question in questions(SYSTEMS["lstm"], seeds=[0], dtype="float64")]
        ['seed 0', 'confident', 'zeros and ties', 'large gradients', 'one sample', 'T = 60']
    """

    def numbers(problem: Problem) -> Problem:
        return problem if scale == 1 else scaled(problem, scale)

    drawn = {seed: numbers(system.problem(seed=seed, dtype=dtype)) for seed in seeds}
    asked = [Question(f"seed {seed}", problem, system, regime=numbers) for seed, problem in drawn.items()]
    first = asked[0].problem
    for name, regime in REGIMES.items():
        question = Question(name, first, system, False, regime)
        if (problem := question.like(first)) is not None:
            asked.append(replace(question, problem=problem, regime=_after(numbers, regime)))
    sizes: dict[str, System] = {}
    if "batch_size" in system.model.LEADING and system.batch_size > 1:
        sizes["one sample"] = with_batch_size(system, 1)
    if "seq_len" in system.model.LEADING and system.seq_len < LONG:
        sizes[f"T = {LONG}"] = with_seq_len(_quickly_derived(system), LONG)
    for name, other in sizes.items():
        problem = numbers(other.problem(seed=seeds[0], dtype=dtype))
        asked.append(Question(name, problem, other, False, numbers))
    return asked


def _after(numbers: Regime, regime: Regime) -> Regime:
    """First the one, and then the other of the two."""
    return lambda problem: None if (first := numbers(problem)) is None else regime(first)


def _quickly_derived(system: System) -> System:
    """The same network; the sum over all pairs of steps would take our own derivation a minute. The result is equal."""
    model = system.model
    if isinstance(model, Recurrent) and model.differentiation == "expanded":
        return replace(system, model=replace(model, differentiation="reverse"))
    return system
