"""One question, several answers: models, problems, and the backends that answer them."""

from .errors import (
    BrokenBackendError,
    InvalidProblemError,
    MissingFrameworkError,
    RequestError,
    UnknownNameError,
    UnsupportedProblemError,
)
from .feedforward import FeedForward
from .interface import Backend, Evaluation
from .model import Model
from .ordered import OrderedSystem
from .problem import Problem
from .recurrent import Recurrent
from .registry import backend_names, default_backend_names, get_backend, load_backends
from .truncation import Chunks, LastSteps, Window

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
]
