"""One question, several answers: models, problems, and the backends that answer them."""

from .errors import (
    BrokenBackendError,
    InvalidProblemError,
    MissingFrameworkError,
    RequestError,
    UnknownNameError,
    UnsupportedProblemError,
)
from .interface import Backend, Evaluation
from .model import Model, Recurrent
from .problem import Problem
from .registry import backend_names, get_backend, load_backends

__all__ = [
    "Backend",
    "BrokenBackendError",
    "Evaluation",
    "InvalidProblemError",
    "MissingFrameworkError",
    "Model",
    "Problem",
    "Recurrent",
    "RequestError",
    "UnknownNameError",
    "UnsupportedProblemError",
    "backend_names",
    "get_backend",
    "load_backends",
]
