"""Answers: what is compared of them, block by block, and what becomes of them along a training."""

from .blocks import GATED_PARAMS, Quantity, expected_shapes, quantities
from .names import QuantityName, gradient_name
from .singles import are_singles
from .training import Training, Trajectory, accuracy, follow, require_trainable, training_quantities

__all__ = [
    "GATED_PARAMS",
    "Quantity",
    "QuantityName",
    "Training",
    "Trajectory",
    "accuracy",
    "are_singles",
    "expected_shapes",
    "follow",
    "gradient_name",
    "quantities",
    "require_trainable",
    "training_quantities",
]
