"""Models and problems, and the backends that compute their losses and gradients."""

from .errors import (
    BrokenBackendError,
    InvalidProblemError,
    MissingFrameworkError,
    RequestError,
    UnknownNameError,
    UnsupportedProblemError,
)
from .interface import Backend, Evaluation
from .models import Chunks, FeedForward, LastSteps, Model, OrderedSystem, Recurrent, Window
from .problems import Problem
from .registry import backend_names, default_backend_names, get_backend, load_backends
from .tracing.stopping import stopped

__all__ = [
    "Backend",
    "BrokenBackendError",
    "Chunks",
    "Evaluation",
    "FeedForward",
    "InvalidProblemError",
    "LastSteps",
    "MissingFrameworkError",
    "Model",
    "OrderedSystem",
    "Problem",
    "Recurrent",
    "RequestError",
    "UnknownNameError",
    "UnsupportedProblemError",
    "Window",
    "backend_names",
    "default_backend_names",
    "get_backend",
    "load_backends",
    "stopped",
]
