"""Functions of one's own beside each other: any that return a loss and gradients, verified, then timed."""

from .results import FunctionBench, FunctionMeasurement, FunctionTiming
from .run import run_function_bench

__all__ = ["FunctionBench", "FunctionMeasurement", "FunctionTiming", "run_function_bench"]
