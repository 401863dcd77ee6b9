"""The check of one derivation by hand: a person's function is judged, and its mistake shown on a small problem."""

from .checking import check_derivation
from .display import show_check, small_problem_text
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
    "show_check",
    "small_problem_text",
]
