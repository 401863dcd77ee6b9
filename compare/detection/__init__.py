"""The detection matrix: every mistake before five gradient checks, and how often these call wrong what is right."""

from .cases import CorrectCase, MistakeCase, correct_cases, mistake_cases
from .checks import CHECKS
from .display import show_detection
from .export import detection_page, detection_values
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
    "detection_page",
    "detection_values",
    "mistake_cases",
    "mistake_of",
    "show_detection",
]
