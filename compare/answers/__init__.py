"""Answers: what is compared of them, block by block, and what becomes of them along a training."""

from .blocks import Quantity, derivative, expected_shapes, quantities
from .training import Training, Trajectory, accuracy, follow, require_trainable, training_quantities

__all__ = [
    "Quantity",
    "Training",
    "Trajectory",
    "accuracy",
    "derivative",
    "expected_shapes",
    "follow",
    "quantities",
    "require_trainable",
    "training_quantities",
]
