"""How a system learns, as far as the options of a command state it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...backends import OrderedSystem, RequestError
from ...backends.models import Traced
from ..answers import Training
from .catalogue import System

DEFAULT_LEARNING_RATE = 0.5  # of a system without a training


@dataclass(frozen=True)
class Learning:
    """The options about learning; None leaves one to the system.

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
    def stated(self) -> dict[str, float]:
        """The options that are not None."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def apply_to(self, system: System) -> System:
        """The system as it is to learn: losses are averaged, so that a step does not grow with the batch.

        Raises:
            RequestError: the system does not learn, or has no loss to minimize.

        Example:
            >>> from gradparity.compare import SYSTEMS
            >>> Learning(steps=5).apply_to(SYSTEMS["lstm"]).training
            Training(learning_rate=0.5, steps=5, batch_size=None, until=None, seed=0)
        """
        if not self.stated:
            return system
        if system.training is None and self.steps is None:
            name = next(iter(self.stated)).replace("_", "-")
            raise RequestError(f"--{name} is about learning, but {system.name} does not learn: add --steps N")
        if isinstance(system.model, OrderedSystem | Traced):
            what = "is a recorded function" if isinstance(system.model, Traced) else "has no loss to minimize"
            raise RequestError(f"--steps: {system.name} {what}, expected a network")
        training = replace(system.training or Training(DEFAULT_LEARNING_RATE, 1), **self.stated)  # type: ignore[arg-type]
        return replace(system, model=replace(system.model, reduction="mean"), training=training)
