"""Truncated backpropagation through time: its three meanings, which are not interchangeable.

Each has a number n of steps; with n at least T, each is no truncation.

Source: R. J. Williams and J. Peng, "An efficient gradient-based algorithm for on-line training of recurrent network
trajectories", Neural Computation 2 (1990). Their BPTT(h) is `Window(h)`, and BPTT(h; h') with h = h' is `Chunks(h)`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..checks import require_integer


@dataclass(frozen=True)
class _Steps:
    """What the three have in common: n steps."""

    steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", require_integer("steps", self.steps, at_least=1))


@dataclass(frozen=True)
class Window(_Steps):
    """Each loss L_t flows back through at most n applications of the cell, those of the steps t−n+1 … t.

    n = 1 keeps only the immediate term. (Several public programs implement n + 1 under the name n.) h_0 receives a
    gradient from the windows that begin at the first step.

    Attributes:
        steps: n, at least 1.

    Raises:
        InvalidProblemError: n is not an integer of at least 1.

    Example:
        >>> from gradparity.backends import Recurrent, Window
        >>> Recurrent("rnn", 3, 5, 4, truncation=Window(2)).truncation
        Window(steps=2)
    """


@dataclass(frozen=True)
class Chunks(_Steps):
    """The state is carried from chunk to chunk of n steps, and the gradient stops at each boundary.

    Attributes:
        steps: n, at least 1.

    Raises:
        InvalidProblemError: n is not an integer of at least 1.

    Example:
        >>> from gradparity.backends import Chunks, Recurrent
        >>> Recurrent("lstm", 3, 5, 4, truncation=Chunks(20)).summary
        'lstm (softmax_cross_entropy, Chunks(20))'
    """


@dataclass(frozen=True)
class LastSteps(_Steps):
    """Only a sequence's last n applications of the cell are differentiated; earlier losses reach V and c only.

    Attributes:
        steps: n, at least 1.

    Raises:
        InvalidProblemError: n is not an integer of at least 1.

    Example:
        >>> from gradparity.backends import LastSteps
        >>> LastSteps(0)
        Traceback (most recent call last):
        gradparity.backends.errors.InvalidProblemError: steps = 0, expected an integer of at least 1
    """


Truncation = Window | Chunks | LastSteps
TRUNCATIONS: dict[str, type[Truncation]] = {"window": Window, "chunks": Chunks, "last_steps": LastSteps}
