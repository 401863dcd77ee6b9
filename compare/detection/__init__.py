"""The detection matrix: mistakes before five gradient checks, right gradients, and slips in programs of our own."""

from .cases import CorrectCase, MistakeCase, correct_cases, mistake_cases
from .checks import CHECKS
from .chosen_cases import ChosenCases, Part, choose_cases
from .numbered_run import run_detection
from .own import PROGRAMS, OwnCase, own_cases
from .own_results import OwnResult
from .results import OWN_CHECK, PART_OF, CorrectResult, Detection, MistakeResult
from .run import choose_checks, detect, mistake_of

__all__ = [
    "CHECKS",
    "OWN_CHECK",
    "PART_OF",
    "PROGRAMS",
    "ChosenCases",
    "CorrectCase",
    "CorrectResult",
    "Detection",
    "MistakeCase",
    "MistakeResult",
    "OwnCase",
    "OwnResult",
    "Part",
    "choose_cases",
    "choose_checks",
    "correct_cases",
    "detect",
    "mistake_cases",
    "mistake_of",
    "own_cases",
    "run_detection",
]
