"""The catalogue of mistakes that people make in deriving and writing a gradient, each as a change of a few lines."""

from .all_mistakes import MISTAKES, variants_to_plant
from .cells import GRU, LSTM, PLAIN, TIME
from .changed_answers import CHANGED_ANSWERS
from .changed_problems import CHANGED_PROBLEMS
from .execution import has_lines, run
from .mistake import Mistake, Values, Variant, attempt, together, values_of
from .readouts import ORDERED, READOUTS
from .suspects import Diagnosis, Suspect

__all__ = [
    "CHANGED_ANSWERS",
    "CHANGED_PROBLEMS",
    "GRU",
    "LSTM",
    "MISTAKES",
    "ORDERED",
    "PLAIN",
    "READOUTS",
    "TIME",
    "Diagnosis",
    "Mistake",
    "Suspect",
    "Values",
    "Variant",
    "attempt",
    "has_lines",
    "run",
    "together",
    "values_of",
    "variants_to_plant",
]
