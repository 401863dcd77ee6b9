"""Gradient flow: how far the loss of the last step reaches back, measured, drawn and shown."""

from .charts import flow_figure
from .display import show_flows
from .export import flow_rows
from .measurement import DEFAULT_SYSTEMS, SCALES, measure_flow

__all__ = ["DEFAULT_SYSTEMS", "SCALES", "flow_figure", "flow_rows", "measure_flow", "show_flows"]
