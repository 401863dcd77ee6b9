"""Every network written from its equations, on a reverse-mode tape that computes with whatever numbers it is given.

In balls it encloses the exact answer; in floating-point numbers that round at random it measures what rounding does.
Nothing of it is shared with the hand derivation or a framework.
"""

from .networks import CELLS, differentiate, final_states, number_of_cells
from .numbers import Floats, Numbers

__all__ = ["CELLS", "Floats", "Numbers", "differentiate", "final_states", "number_of_cells"]
