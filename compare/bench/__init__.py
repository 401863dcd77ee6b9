"""The benchmark: verified, then timed. The method and the results are in `bench.md`, beside this file."""

from .results import Measurement, Timing
from .run import Bench, run_bench
from .workloads import SIZES, Workload, workloads

__all__ = ["SIZES", "Bench", "Measurement", "Timing", "Workload", "run_bench", "workloads"]
