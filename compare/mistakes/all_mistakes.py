"""All mistakes, and the variants in which each can be planted into a problem's answer."""

from __future__ import annotations

from collections.abc import Iterator

from ...backends import Problem
from .cells import GRU, LSTM, PLAIN, TIME
from .changed_answers import CHANGED_ANSWERS
from .changed_problems import CHANGED_PROBLEMS
from .execution import run
from .mistake import Mistake, Variant
from .readouts import ORDERED, READOUTS

MISTAKES = (*PLAIN, *TIME, *LSTM, *GRU, *READOUTS, *ORDERED, *CHANGED_PROBLEMS, *CHANGED_ANSWERS)


def variants_to_plant(problem: Problem) -> Iterator[tuple[Mistake, Variant]]:
    """Every variant of every mistake that applies to a problem; what is read off an answer is read off half of it."""
    half = {name: array / 2 for name, array in run(problem).values.items()}
    for mistake in MISTAKES:
        for variant in mistake.on(problem, half):
            yield mistake, variant
