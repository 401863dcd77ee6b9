"""The conformance suite by its public name."""

from .testing.conformance import *  # noqa: F403
