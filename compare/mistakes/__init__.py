"""The catalogue of mistakes that people make in deriving and writing a gradient, each as a change of a few lines."""

from .execution import has_lines, run
from .known import MISTAKES, forms_to_plant
from .mistake import Form, Mistake, Values, attempt, together, values_of

__all__ = [
    "MISTAKES",
    "Form",
    "Mistake",
    "Values",
    "attempt",
    "forms_to_plant",
    "has_lines",
    "run",
    "together",
    "values_of",
]
