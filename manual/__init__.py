"""Gradients derived by hand, in plain NumPy.

The derivation begins in `derivation.md`, next to this file; a line of code that carries a number is the equation
of that number there. `equations` has the gradients one equation a line, and `plain` runs these lines in loops; the
other files compute the same fast. T is the number of time steps, B the batch size, and D, H and K are the sizes of
the input, the state and the output. Arrays are time-major, and a batch is stored in rows.
"""

from . import feedforward, jacobians, ordered
from .activations import ACTIVATIONS, Activation
from .answer import Answer
from .buffers import Buffers
from .learning import descend
from .losses import LOSSES
from .network import loss_and_gradients

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "Activation",
    "Answer",
    "Buffers",
    "descend",
    "feedforward",
    "jacobians",
    "loss_and_gradients",
    "ordered",
]
