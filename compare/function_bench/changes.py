"""Two benchmarks of functions beside each other: what changed by more than noise."""

from __future__ import annotations

import math

from ..bench.changes import Change, change_between
from .results import FunctionBench

OF_THE_MACHINE = ("processor", "cores", "blas", "python")  # a time is compared with one of the same


def find_function_changes(before: FunctionBench, now: FunctionBench) -> list[Change]:
    """The changes of every function on all arguments for which both benchmarks have times of it.

    Args:
        before: the earlier benchmark.
        now: the later one.

    Returns:
        The changes, in the order of the later one. There is no floor to divide by: a slower machine is a change.
    """
    earlier = {
        (measurement.case, timing.backend): timing
        for measurement in before.measurements
        for timing in measurement.timed
    }
    return [
        change_between(
            measurement.case,
            (old, [math.log(seconds) for seconds in old.seconds]),
            (timing, [math.log(seconds) for seconds in timing.seconds]),
        )
        for measurement in now.measurements
        for timing in measurement.timed
        if (old := earlier.get((measurement.case, timing.backend)))
    ]


def machine_notes(before: FunctionBench, now: FunctionBench) -> list[str]:
    """What is another machine's in an earlier benchmark, or another number of threads."""
    known = [(name, before.environment.get(name), now.environment.get(name)) for name in OF_THE_MACHINE]
    threads = [_threads(bench) for bench in (before, now)]
    return [
        f"{name} was {old} before, and is {new} now: what changed may be that"
        for name, old, new in (*known, ("threads", *threads))
        if old != new
    ]


def _threads(bench: FunctionBench) -> object:
    asked = bench.environment.get("bench")
    return asked.get("threads") if isinstance(asked, dict) else None
