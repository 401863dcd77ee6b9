"""What a workload takes in memory, told before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..referee.cost_estimate import MEMORY, TooLargeError, allowed_memory, available_memory, in_gib
from .workloads import Workload

# Measured on layers of 0.2 to 350 MB: all arrays of a process, in what states, gates, inputs and weights take.
OF_A_PROCESS = 4.0
OF_VERIFYING = 20.0  # the tape of the definition, in this process
FRAMEWORK = 150e6  # bytes that a framework takes for itself


def estimate_memory(workload: Workload, backends: int) -> float:
    """The memory of all processes of a workload: the backends and the floor, which wait for their turns, and ours.

    Args:
        workload: what is timed.
        backends: how many.

    Returns:
        Bytes: no less than is taken, and for layers of more than 10 MB at most some four times as much.

    Example:
        >>> from gradparity.compare.bench import workloads
        >>> (workload,) = workloads(["lstm"], ["float64"], ["25,1000,123,320"])
        >>> 8e9 < estimate_memory(workload, 4) < 16e9
        True
    """
    layers = (backends + 1) * OF_A_PROCESS + OF_VERIFYING
    return layers * workload.layer_bytes + backends * FRAMEWORK


def require_memory(workloads: Sequence[Workload], backends: int) -> None:
    """Checks that every workload fits into the memory, before the first one is timed.

    Args:
        workloads: what is timed.
        backends: how many.

    Raises:
        TooLargeError: one of them takes more than there is, or than `GRADPARITY_MEMORY` allows where it is set.
    """
    available = available_memory()
    limit = min(available, allowed_memory()) if os.environ.get(MEMORY) else available
    for workload in workloads:
        needed = estimate_memory(workload, backends)
        if needed > limit:
            which = "are available" if limit == available else f"are allowed ({MEMORY})"
            share = limit / needed
            smaller = [f"{name} = {int(size * share)}" for name, size in workload.divisible if int(size * share)]
            ways = ", or ".join([*smaller, *(["fewer backends"] if backends > 2 else [])]) or "a much smaller size"
            raise TooLargeError(
                f"{workload.label}: {backends} backends take about {in_gib(needed)}, but {in_gib(limit)} {which}: "
                f"take {ways}"
            )
