"""Gradient flow: how far the loss of the last step reaches back, measured, drawn and shown."""

from .measurement import DEFAULT_SYSTEMS, SCALES, GradientFlow, measure_flow

__all__ = ["DEFAULT_SYSTEMS", "SCALES", "GradientFlow", "measure_flow"]
