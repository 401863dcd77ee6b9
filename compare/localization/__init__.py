"""Fault localization: which expression of a way back is wrong, told by experiments on the recorded run."""

from .search import MOST_OPERATIONS
from .whole import search
from .wording import Localization, Located, in_words, localization_from
from .written_program import WrittenProgram

__all__ = ["MOST_OPERATIONS", "Localization", "Located", "WrittenProgram", "in_words", "localization_from", "search"]
