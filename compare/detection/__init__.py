"""The detection matrix: every mistake before five gradient checks, and how often these call wrong what is right."""

from .cases import CorrectCase, MistakeCase, correct_cases, mistake_cases
from .checks import CHECKS
from .results import PART_OF, CorrectResult, Detection, MistakeResult
from .run import choose_checks, detect, mistake_of

__all__ = [
    "CHECKS",
    "PART_OF",
    "CorrectCase",
    "CorrectResult",
    "Detection",
    "MistakeCase",
    "MistakeResult",
    "choose_checks",
    "correct_cases",
    "detect",
    "mistake_cases",
    "mistake_of",
]
