"""The detection matrix: every mistake before five ways of checking a gradient, and their false alarms."""

from .checks import CHECKS
from .display import as_values, page, show_detection
from .plants import plants, right_problems
from .run import PART_OF, Correct, Detection, Planted, choose_checks, detect, mistake_of

__all__ = [
    "CHECKS",
    "PART_OF",
    "Correct",
    "Detection",
    "Planted",
    "as_values",
    "choose_checks",
    "detect",
    "mistake_of",
    "page",
    "plants",
    "right_problems",
    "show_detection",
]
