"""The catalogue of mistakes that people make in deriving and writing a gradient, each as a change of a few lines."""

from .answers import ANSWERS
from .cells import GRU, LSTM, PLAIN, TIME
from .diagnosis import Diagnosis, Suspect
from .execution import has_lines, run
from .known import MISTAKES, variants_to_plant
from .mistake import Mistake, Values, Variant, attempt, together, values_of
from .questions import QUESTIONS
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
