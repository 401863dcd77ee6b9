"""The check of one derivation by hand: a person's function is run, judged, and made smaller."""

from .checking import check_derivation
from .display import numbers, show_check
from .export import check_json
from .results import Check
from .user_function import Derivation, Function, load_function

__all__ = [
    "Check",
    "Derivation",
    "Function",
    "check_derivation",
    "check_json",
    "load_function",
    "numbers",
    "show_check",
]
