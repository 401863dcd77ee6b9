"""The diagnosis: which mistake gives the wrong gradient that was handed in, and how that is said."""

from .search import Diagnosis, diagnose, diagnose_backends, wrong_values
from .wording import named, shown_gradient

__all__ = ["Diagnosis", "diagnose", "diagnose_backends", "named", "shown_gradient", "wrong_values"]
