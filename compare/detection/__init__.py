"""The detection matrix: every mistake before five ways of checking a gradient, and their false alarms."""

from .checks import CHECKS
from .plants import plants, right_problems
from .run import PART_OF, Correct, Detection, Planted, choose_checks, detect, mistake_of

__all__ = [
    "CHECKS",
    "PART_OF",
    "Correct",
    "Detection",
    "Planted",
    "choose_checks",
    "detect",
    "mistake_of",
    "plants",
    "right_problems",
]
