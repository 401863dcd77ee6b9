"""How libraries lay out the weights of a recurrent layer, in NumPy alone: none of them is imported here."""

from .catalogue import LAYOUTS, get_layout
from .layout import Layout

__all__ = ["LAYOUTS", "Layout", "get_layout"]
