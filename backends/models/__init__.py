"""Models: what is computed, in four families, and what a model has to know of itself."""

from .array_spec import ArraySpec
from .cells import CELLS
from .feedforward import FeedForward
from .model import Model, Network, describe, model_from, require_model
from .model_options import ACTIVATIONS, DIFFERENTIATIONS, LOSS_AT, LOSSES, REDUCTIONS, RESETS
from .ordered import OrderedSystem
from .recurrent import LayerDirection, Recurrent
from .traced import Traced
from .truncation import TRUNCATIONS, Chunks, LastSteps, Truncation, Window

__all__ = [
    "ACTIVATIONS",
    "CELLS",
    "DIFFERENTIATIONS",
    "LOSSES",
    "LOSS_AT",
    "REDUCTIONS",
    "RESETS",
    "TRUNCATIONS",
    "ArraySpec",
    "Chunks",
    "FeedForward",
    "LastSteps",
    "LayerDirection",
    "Model",
    "Network",
    "OrderedSystem",
    "Recurrent",
    "Traced",
    "Truncation",
    "Window",
    "describe",
    "model_from",
    "require_model",
]
