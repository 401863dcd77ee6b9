"""What the references take beside code as one writes it for oneself: `python tests/beside_plain_code.py jax`.

Both run in this process, on one core, in short rounds that alternate, after they were shown to agree. A ratio above 1
says that the reference takes longer. Beside the time on the clock stands that of the processor, which other programs
on the machine disturb less. `nox --sessions plain` does it for every reference that has such code.
"""

from __future__ import annotations

import importlib
import math
import os
import statistics
import sys
import time
from collections.abc import Callable

from gradparity.backends import get_backend
from gradparity.compare import assert_agree
from gradparity.compare.bench import workloads
from gradparity.compare.jobs import thread_limits

PLAIN_CODE = {
    "jax": ("examples.plain_jax", "PlainJax"),
    "torch-nn": ("examples.plain_torch", "PlainLayer"),
    "torch": ("examples.plain_torch", "PlainLoop"),
}
SIZES = ("1,25,64,100", "20,30,100,100", "20,35,200,200", "32,100,64,128")
ROUNDS = 40
ROUND_SECONDS = 0.02  # short, so that a disturbance hits few of them, and both sides alike


def main(name: str, *sizes: str) -> None:
    """Prints a line for each cell, dtype and size: the ratios of the medians, and of the shortest rounds."""
    os.environ.update(thread_limits(1))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    module, plain_name = PLAIN_CODE[name]
    reference, plain = get_backend(name), getattr(importlib.import_module(module), plain_name)()
    print(f"{name} ÷ plain code                      clock: median  shortest  processor: median  shortest")
    for workload in workloads(sizes=sizes or SIZES):
        problem = workload.problem()
        assert_agree(problem, [reference, plain])
        rounds = alternating_rounds(plain.prepare(problem), reference.prepare(problem))
        ratios = [
            f"{summary(reference_seconds) / summary(plain_seconds):.2f}"
            for plain_seconds, reference_seconds in rounds
            for summary in (statistics.median, min)
        ]
        print(f"{workload.label:42} {ratios[0]:>8} {ratios[1]:>9} {ratios[2]:>18} {ratios[3]:>9}", flush=True)


def alternating_rounds(*runs: Callable[[], object]) -> list[list[list[float]]]:
    """The seconds of a call of each run in every round: on the clock, and of the processor."""
    for run in runs:
        run()
    started = time.perf_counter()
    runs[0]()
    calls = math.ceil(ROUND_SECONDS / (time.perf_counter() - started))
    taken: list[list[list[float]]] = [[[] for _ in runs] for _ in range(2)]
    for number in range(ROUNDS):
        for which in list(range(len(runs)))[:: 1 if number % 2 == 0 else -1]:
            begun = time.perf_counter(), time.process_time()
            for _ in range(calls):
                runs[which]()
            ended = time.perf_counter(), time.process_time()
            for clock in range(2):
                taken[clock][which].append((ended[clock] - begun[clock]) / calls)
    return taken


if __name__ == "__main__":
    main(*sys.argv[1:])
