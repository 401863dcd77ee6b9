"""Gradients derived by hand, in plain NumPy.

The derivation begins in `derivation.md`, next to this file. `equations` has every gradient in plain NumPy, one equation
a line, and `plain_loops` runs these lines in loops: read them first. The other files compute the same fast. There, a
line that ends in `# (58)` completes the equation of that number; one that ends in `# of (58): …` computes a part, and
says which. T is the number of time steps, B the batch size, and D, H and K are the sizes of the input, the state and
the output. Arrays are time-major, and a batch is stored in rows.
"""

from . import feedforward, jacobians, ordered
from .activations import ACTIVATIONS, Activation
from .buffers import Buffers
from .learning import descend
from .losses import LOSSES
from .network import loss_and_gradients
from .result import LossAndGradients

__all__ = [
    "ACTIVATIONS",
    "LOSSES",
    "Activation",
    "Buffers",
    "LossAndGradients",
    "descend",
    "feedforward",
    "jacobians",
    "loss_and_gradients",
    "ordered",
]
