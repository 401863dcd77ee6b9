"""The check of one derivation by hand: a person's function is run, judged, and made smaller."""

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
