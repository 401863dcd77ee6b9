"""The benchmark: verified, then timed. The method and the results are in `bench.md`, beside this file."""

from .against import changes, read_bench
from .results import Measurement, Timing
from .run import ROUNDS, Bench, candidates, run_bench
from .workloads import SIZES, Workload, workloads

__all__ = [
    "ROUNDS",
    "SIZES",
    "Bench",
    "Measurement",
    "Timing",
    "Workload",
    "candidates",
    "changes",
    "read_bench",
    "run_bench",
    "workloads",
]
