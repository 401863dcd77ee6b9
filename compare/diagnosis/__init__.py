"""The diagnosis: which mistake of the catalogue gives a wrong gradient, and how that is said."""

from .search import Findings, diagnose, diagnosed, find_mistakes, wrong_values
from .wording import describe_diagnosis, shown_gradient

__all__ = ["Findings", "describe_diagnosis", "diagnose", "diagnosed", "find_mistakes", "shown_gradient", "wrong_values"]
