"""The catalogue of mistakes that people make in deriving and writing a gradient, each as a change of a few lines."""

from .catalogue import MISTAKES, forms_to_plant
from .execution import run
from .mistake import Form, Mistake, Values, attempt, together, values_of

__all__ = ["MISTAKES", "Form", "Mistake", "Values", "attempt", "forms_to_plant", "run", "together", "values_of"]
