"""The benchmark: verified, then timed. The method and the results are in `bench.md`, beside this file."""

from .as_pyperf import pyperf_suite
from .changes import find_changes, read_bench
from .display import show_bench, show_changes, show_measurement
from .markdown import markdown_tables
from .plot import bench_figure
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
    "bench_figure",
    "candidates",
    "find_changes",
    "markdown_tables",
    "pyperf_suite",
    "read_bench",
    "run_bench",
    "show_bench",
    "show_changes",
    "show_measurement",
    "workloads",
]
