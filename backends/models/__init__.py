"""Models: what is computed, in three families, and what a model has to know of itself."""

from .array_spec import ArraySpec
from .feedforward import FeedForward
from .model import Model, describe, model_from, require_model
from .ordered import OrderedSystem
from .recurrent import CELLS, RESETS, LayerDirection, Recurrent
from .truncation import TRUNCATIONS, Chunks, LastSteps, Truncation, Window

__all__ = [
    "CELLS",
    "RESETS",
    "TRUNCATIONS",
    "ArraySpec",
    "Chunks",
    "FeedForward",
    "LastSteps",
    "LayerDirection",
    "Model",
    "OrderedSystem",
    "Recurrent",
    "Truncation",
    "Window",
    "describe",
    "model_from",
    "require_model",
]
