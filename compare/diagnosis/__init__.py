"""The diagnosis: which mistake gives the wrong gradient that was handed in, and how that is said."""

from .search import diagnose, diagnosed, wrong_values
from .wording import named, shown_gradient

__all__ = ["diagnose", "diagnosed", "named", "shown_gradient", "wrong_values"]
