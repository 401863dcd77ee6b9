"""A sweep: many random problems, to see whether the referee ever accuses correct backends."""

from .log import Outcome
from .problems import FAMILIES, draw_problem
from .run import Sweep, run_sweep

__all__ = ["FAMILIES", "Outcome", "Sweep", "draw_problem", "run_sweep"]
