"""How libraries lay out the weights of a recurrent layer, in NumPy alone: none of them is imported here."""

from .layout import Layout
from .libraries import LAYOUTS, get_layout

__all__ = ["LAYOUTS", "Layout", "get_layout"]
