"""Backends with one planted fault each: the hand derivation's answer, changed before it is handed in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from gradparity.backends import Evaluation, Model, Problem, get_backend

Change = Callable[[Evaluation, Problem], Evaluation | None]


class Faulty:
    """The change gets a copy of the right answer and the problem that the backend was given."""

    def __init__(self, change: Change, name: str = "mine") -> None:
        self.change = change
        self.name = name

    def supports(self, model: Model, dtype: str) -> str:
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        right = get_backend("manual").evaluate(problem, trace=trace)
        copy = replace(
            right,
            gradients={name: array.copy() for name, array in right.gradients.items()},
            adjoints={name: array.copy() for name, array in right.adjoints.items()},
            outputs=right.outputs.copy(),
        )
        return self.change(copy, problem) or copy

    def prepare(self, problem: Problem) -> Callable[[], Evaluation]:
        return lambda: self.evaluate(problem)


def nothing(answer: Evaluation, problem: Problem) -> None:
    """No fault."""


def move_one_entry(name: str, relative: float) -> Change:
    """Moves the smallest entry of a gradient by a part of its largest."""

    def change(answer: Evaluation, problem: Problem) -> None:
        gradient = answer.gradients[name]
        index = np.unravel_index(np.argmin(np.abs(gradient)), gradient.shape)
        gradient[index] += relative * np.abs(gradient).max()

    return change


def in_gradients(name: str, function: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Replaces a gradient by a function of it."""

    def change(answer: Evaluation, problem: Problem) -> None:
        answer.gradients[name] = function(answer.gradients[name])

    return change
