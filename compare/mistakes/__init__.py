"""The catalogue of mistakes that people make in deriving and writing a gradient, each as a change of a few lines."""

from .cells import GRU, LSTM, PLAIN, TIME
from .changed_answers import ANSWERS
from .changed_problems import QUESTIONS
from .diagnosis import Diagnosis, Suspect
from .execution import has_lines, run
from .known import MISTAKES, variants_to_plant
from .mistake import Mistake, Values, Variant, attempt, together, values_of
from .readouts import ORDERED, READOUTS

__all__ = [
    "ANSWERS",
    "GRU",
    "LSTM",
    "MISTAKES",
    "ORDERED",
    "PLAIN",
    "QUESTIONS",
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
