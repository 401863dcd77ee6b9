"""A sweep: many random problems, to see whether the referee ever accuses correct backends."""

from .display import WRONG, show_sweep
from .log import Outcome
from .problems import FAMILIES, draw_problem
from .run import Sweep, run_sweep

__all__ = ["FAMILIES", "WRONG", "Outcome", "Sweep", "draw_problem", "run_sweep", "show_sweep"]
