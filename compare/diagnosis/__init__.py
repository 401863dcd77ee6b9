"""The diagnosis: which mistake of the catalogue gives a wrong gradient, and how that is said."""

from .search import diagnose, diagnosed, wrong_values
from .wording import describe_diagnosis, shown_gradient

__all__ = ["describe_diagnosis", "diagnose", "diagnosed", "shown_gradient", "wrong_values"]
