"""Problems: a model with its numbers; how they are drawn, checked, and kept in a file."""

from .problem import Problem

__all__ = ["Problem"]
