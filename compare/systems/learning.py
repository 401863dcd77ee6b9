"""How a system learns, as far as a person asks for it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...backends import OrderedSystem, RequestError
from ..answers import Training
from .catalogue import System

LEARNING_RATE = 0.5  # of a system that has none of its own


@dataclass(frozen=True)
class Learning:
    """What was asked for about learning; None leaves it to the system.

    Attributes:
        steps: how many; makes every system learn.
        learning_rate: η.
        batch_size: samples in a batch.
        until: see `Training`.
    """

    steps: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    until: float | None = None

    @property
    def asked(self) -> dict[str, float]:
        """What was asked for."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def of(self, system: System) -> System:
        """The system as it is to learn: losses are averaged, so that a step does not grow with the batch."""
        if not self.asked:
            return system
        if system.training is None and self.steps is None:
            name = next(iter(self.asked)).replace("_", "-")
            raise RequestError(f"--{name} is about learning, but {system.name} does not learn: add --steps N")
        if isinstance(system.model, OrderedSystem):
            raise RequestError(f"--steps: {system.name} has no loss to minimize, expected a network")
        training = replace(system.training or Training(LEARNING_RATE, 1), **self.asked)  # type: ignore[arg-type]
        return replace(system, model=replace(system.model, reduction="mean"), training=training)
