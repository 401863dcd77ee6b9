"""How libraries lay out the weights of a recurrent layer, in NumPy alone: none of them is imported here."""

from .flax_nnx import NO_B_HN
from .layout import Layout
from .libraries import LAYOUTS, get_layout
from .torch_nn import LAYOUT, WEIGHTS, placed

__all__ = ["LAYOUT", "LAYOUTS", "NO_B_HN", "WEIGHTS", "Layout", "get_layout", "placed"]
