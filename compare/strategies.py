"""Hypothesis strategies for problems, by their public name."""

from .testing.strategies import *  # noqa: F403
