"""A sweep: many random problems, to see whether the referee ever calls right backends wrong."""

from .problems import SweepProblem, draw_problem
from .results import WRONG_VERDICTS, Sweep, SweepOutcome
from .run import run_sweep

__all__ = ["WRONG_VERDICTS", "Sweep", "SweepOutcome", "SweepProblem", "draw_problem", "run_sweep"]
