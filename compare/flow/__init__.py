"""Gradient flow: how far the loss of the last step reaches back, measured, drawn and shown."""

from .charts import flow_figure
from .display import show_flows
from .measurement import DEFAULT_SYSTEMS, SCALES, GradientFlow, measure_flow

__all__ = ["DEFAULT_SYSTEMS", "SCALES", "GradientFlow", "flow_figure", "measure_flow", "show_flows"]
