"""Backends with one planted fault each: the hand derivation's answer, changed before it is handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
from gradparity.backends import Evaluation, Model, Problem, get_backend

Arrays = Mapping[str, np.ndarray]
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


class Learner(Faulty):
    """Its answers are right, and its update is its own."""

    def __init__(self, descend: Callable[[Arrays, Arrays, float], object], name: str = "mine") -> None:
        super().__init__(nothing, name)
        self.descend = descend


def nothing(answer: Evaluation, problem: Problem) -> None:
    """No fault."""


def move_one_entry(name: str, relative: float) -> Change:
    """Moves the smallest entry of a gradient by a part of its largest."""
    return in_gradients(name, lambda gradient: with_one_entry_moved(gradient, relative))


def with_one_entry_moved(array: np.ndarray, relative: float) -> np.ndarray:
    """The array with its smallest entry moved by a part of its largest."""
    moved = array.copy()
    moved[np.unravel_index(np.argmin(np.abs(array)), array.shape)] += relative * np.abs(array).max()
    return moved


def in_gradients(name: str, function: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Replaces a gradient by a function of it."""

    def change(answer: Evaluation, problem: Problem) -> None:
        answer.gradients[name] = function(answer.gradients[name])

    return change


def rounded_to_float32(answer: Evaluation, problem: Problem) -> Evaluation:
    """All that is answered, as a computation in float32 would give it."""

    def rounded(arrays: Arrays) -> dict[str, np.ndarray]:
        return {name: array.astype("float32").astype(array.dtype) for name, array in arrays.items()}

    (outputs,) = rounded({"outputs": answer.outputs}).values()
    return Evaluation(float(np.float32(answer.loss)), rounded(answer.gradients), outputs, rounded(answer.adjoints))


def in_gate(name: str, gate: str, function: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Replaces one gate's part of a gradient by a function of it."""

    def change(answer: Evaluation, problem: Problem) -> None:
        gates = problem.model.gates
        part = np.split(answer.gradients[name], len(gates))[gates.index(gate)]
        part[...] = function(part)

    return change


def in_adjoints(*places: tuple[str, int], factor: float = -1.0) -> Change:
    """Multiplies adjoints, each given by its variable's name and the step, counted from 1."""

    def change(answer: Evaluation, problem: Problem) -> None:
        for name, step in places:
            answer.adjoints[name][step - 1] *= factor

    return change


def from_step(first: int, change: Change) -> Change:
    """Makes the change from that step of a trajectory on."""
    step = 0

    def later(answer: Evaluation, problem: Problem) -> Evaluation | None:
        nonlocal step
        step += 1
        return change(answer, problem) if step >= first else None

    return later
