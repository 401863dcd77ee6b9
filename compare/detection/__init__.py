"""The detection matrix: every mistake before five ways of checking a gradient, and their false alarms."""

from .run import PART_OF, Correct, Detection, Planted, choose_checks, detect, mistake_of

__all__ = ["PART_OF", "Correct", "Detection", "Planted", "choose_checks", "detect", "mistake_of"]
