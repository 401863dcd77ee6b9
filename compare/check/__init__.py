"""The check of one derivation by hand: a person's function is judged, and its mistake shown on a small problem."""

from .checking import check_derivation
from .results import Check
from .user_function import Derivation, Function, load_function

__all__ = [
    "Check",
    "Derivation",
    "Function",
    "check_derivation",
    "load_function",
]
