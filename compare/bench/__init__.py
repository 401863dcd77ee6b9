"""The benchmark: verified, then timed. The method and the results are in `bench.md`, beside this file."""

from .changes import find_changes, read_bench
from .results import Bench, Measurement, Timing
from .run import ROUNDS, candidates, run_bench
from .workloads import SIZES, Workload, workloads

__all__ = [
    "ROUNDS",
    "SIZES",
    "Bench",
    "Measurement",
    "Timing",
    "Workload",
    "candidates",
    "find_changes",
    "read_bench",
    "run_bench",
    "workloads",
]
