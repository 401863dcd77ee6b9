"""Learning by gradient descent: its settings, and the trajectory.

Every backend computes its own gradients and its own updates, θ ← θ − η ∂L/∂θ, on the same batches. The whole trajectory
is compared: the loss and the parameters at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...backends import FeedForward, InvalidProblemError, OrderedSystem, Problem, Recurrent
from ...backends.checks import require_integer, require_number
from ...backends.models import Traced
from .blocks import Quantity
from .names import QuantityName

Descend = Callable[[Mapping[str, np.ndarray], Mapping[str, np.ndarray], float], dict[str, np.ndarray]]


class HasGradients(Protocol):
    """The part of an answer that a step needs."""

    @property
    def loss(self) -> Any:
        """L."""

    @property
    def gradients(self) -> dict[str, np.ndarray]:
        """∂L/∂θ, by the parameters' names."""


@dataclass(frozen=True)
class Training:
    """How a system learns.

    Attributes:
        learning_rate: η.
        steps: the largest number of steps.
        batch_size: samples in a batch; None means all samples. Their order is drawn anew in every pass over all
            samples, and the last batch of a pass is smaller if they do not divide evenly.
        until: the relative change of the loss, from one pass to the next, at which learning ends; None takes all
            steps. The loss of the network's definition decides for all, so that all trajectories have one
            length.
        seed: of the order of the samples.

    Raises:
        InvalidProblemError: a rate or a bound is not positive.

    Example:
        >>> from gradparity.compare import SYSTEMS, Training
        >>> training = Training(learning_rate=0.5, steps=3, batch_size=4)
        >>> problem = SYSTEMS["mlp-minibatch-sgd"].problem(seed=0)
        >>> [len(samples) for samples in training.batches(problem)]
        [4, 4, 2]
    """

    learning_rate: float
    steps: int
    batch_size: int | None = None
    until: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        rate = require_number("learning_rate", self.learning_rate)
        if rate <= 0:
            raise InvalidProblemError(f"learning_rate = {rate}, expected a positive number")
        require_integer("steps", self.steps, at_least=1)
        if self.batch_size is not None:
            require_integer("batch_size", self.batch_size, at_least=1)
        if self.until is not None and require_number("until", self.until) <= 0:
            raise InvalidProblemError(f"until = {self.until}, expected a positive number")

    def batches_in_a_pass(self, problem: Problem) -> int:
        """How many batches take every sample once."""
        return -(-problem.batch_size // min(self.batch_size or problem.batch_size, problem.batch_size))

    def batches(self, problem: Problem) -> Iterator[np.ndarray]:
        """The indices of the samples of every step, in ascending order."""
        samples = problem.batch_size
        size = min(self.batch_size or samples, samples)
        rng = np.random.Generator(np.random.PCG64(self.seed))
        done = 0
        while True:
            order = np.arange(samples) if size == samples else rng.permutation(samples)
            for start in range(0, samples, size):
                if done == self.steps:
                    return
                done += 1
                yield np.sort(order[start : start + size])


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The trajectory of one backend.

    Attributes:
        losses: L before every step, (S,).
        params: θ after every step, (S, …), by the parameter's name.
        accuracy: the share of the samples whose label has the largest output after the last step; None without labels.
    """

    losses: np.ndarray
    params: dict[str, np.ndarray]
    accuracy: float | None = None

    @property
    def loss(self) -> float:
        """The last loss."""
        return float(self.losses[-1])


def require_trainable(problem: Problem) -> None:
    """Checks that a problem has something to learn.

    Raises:
        InvalidProblemError: it has not.
    """
    if isinstance(problem.model, OrderedSystem):
        raise InvalidProblemError("an ordered system has no loss to minimize: learning needs a network")
    if isinstance(problem.model, Traced):
        raise InvalidProblemError(f"{problem.model.summary}: it has no batches, and learning needs a network")


def follow(
    problem: Problem,
    training: Training,
    evaluate: Callable[[Problem, int], HasGradients],
    descend: Descend,
) -> Trajectory:
    """Computes a trajectory.

    Args:
        problem: the start.
        training: the settings.
        evaluate: the loss and the gradients of a batch, as a problem, at a step.
        descend: the parameters after one update.

    Returns:
        The losses and the parameters of all steps.
    """
    params = dict(problem.params)
    losses: list[Any] = []
    path: dict[str, list[np.ndarray]] = {name: [] for name in params}
    for step, samples in enumerate(training.batches(problem), start=1):
        answer = evaluate(batch_of(problem, samples, params), step)
        losses.append(answer.loss)
        params = descend(params, {name: answer.gradients[name] for name in params}, training.learning_rate)
        for name, values in params.items():
            path[name].append(values)
        if training.until is not None and _settled(losses, training.until, training.batches_in_a_pass(problem)):
            break
    return Trajectory(np.asarray(losses), {name: np.stack(values) for name, values in path.items()})


def _settled(losses: list[Any], until: float, size: int) -> bool:
    """Whether the loss over a pass of `size` batches is that of the pass before."""
    if len(losses) < 2 * size or len(losses) % size:
        return False
    now, before = (sum(map(float, batches)) for batches in (losses[-size:], losses[-2 * size : -size]))
    return abs(now - before) <= until * abs(now)


def batch_of(problem: Problem, samples: np.ndarray, params: Mapping[str, np.ndarray]) -> Problem:
    """Some samples of a problem, with other parameters. The numbers are not checked: they may diverge."""
    changes: dict[str, Any] = {"params": dict(params)}
    if len(samples) < problem.batch_size:
        axes = {"inputs": -2, "h0": -2, "c0": -2, "lengths": 0, "targets": problem.inputs.ndim - 2}
        for name, axis in axes.items():
            array = getattr(problem, name)
            if array is not None:
                changes[name] = np.take(array, samples, axis=axis)
    return problem.with_unchecked(**changes)


def training_quantities(trajectory: Trajectory) -> dict[str, Quantity]:
    """Every step of a trajectory as a block: `loss_3`, and `U_3` for the parameters after the step."""
    values = {"loss": trajectory.losses, **trajectory.params}
    names = {array: QuantityName.of_array(array) for array in values}
    return {array: Quantity(name, values[array], name.steps(len(values[array]))) for array, name in names.items()}


def accuracy(problem: Problem, outputs: np.ndarray | None) -> float | None:
    """The share of the samples whose label has the largest output.

    Args:
        problem: with the labels.
        outputs: (B, K), or (T, B, K), of which each sequence's last step counts.

    Returns:
        A number from 0 to 1; None without labels or outputs.
    """
    targets = problem.model.target_spec(*problem.leading)
    if targets is None or targets.kind != "label" or problem.targets is None or outputs is None:
        return None
    right = outputs.argmax(axis=-1) == problem.targets
    if isinstance(problem.model, FeedForward):
        return float(right.mean())
    assert isinstance(problem.model, Recurrent)
    last = problem.sequence_lengths
    return float(right[last - 1, np.arange(problem.batch_size)].mean())
