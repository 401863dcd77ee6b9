"""What a comparison takes, by a formula of its sizes: known before anything is computed.

The memory of three phases was measured on networks of 0.5 to 15 million numbers, with one to four backends. With Q
numbers in an answer, of which the largest array has M, n answers of s bytes a number and p = n (n − 1) / 2 pairs:

    tolerance    the tape of variables V and leaves P, and the spreads in float64          (8 V + 4 P) s + 20 Q
                 of a small answer, whose probes run beside each other                     (38 V + 14 P) s + 20 Q
    gathering    all answers, and what a framework keeps for its backward pass            (n + 8) s Q
    judgement    all answers, and one array of each in float64 with all differences       n s Q + 8 (5 n + 2 p + 2) M
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

from ...backends import Problem, RequestError
from ...backends.models import Traced
from ..answers import Training, expected_shapes
from ..certificate.enclosure import number_of_products
from ..tolerance import LARGE, NUMBER_OF_PROBES

MEMORY = "GRADPARITY_MEMORY"  # the variable that says how many GiB a comparison may take
DEFAULT_GIB = 4.0
SECONDS_PER_NUMBER = 2e-7  # of an answer under stochastic arithmetic, on one core
SECONDS_PER_PRODUCT = 2e-10  # of two numbers


class TooLargeError(RequestError):
    """A comparison would take more memory than there is or is allowed; the message says how much, and what fits."""


@dataclass(frozen=True)
class Cost:
    """What a comparison takes.

    Attributes:
        memory: the largest number of bytes at once, beside the frameworks' own.
        kept: how many of them the result keeps.
        seconds: on one core, roughly.
    """

    memory: float
    kept: float
    seconds: float

    @property
    def summary(self) -> str:
        """`about 22 GiB and 31 minutes`."""
        minutes = self.seconds / 60
        time = f"{minutes:.0f} minutes" if minutes >= 2 else f"{max(1, self.seconds):.0f} s"
        return f"about {in_gib(self.memory)} and {time}"


def in_gib(size: float) -> str:
    """Bytes as `1.5 GiB`."""
    return f"{size / 2**30:.2g} GiB" if size < 10 * 2**30 else f"{size / 2**30:.0f} GiB"


def estimate_cost(problem: Problem, backends: int, training: Training | None = None) -> Cost:
    """Estimates what a comparison takes, computing nothing.

    Args:
        problem: what is asked.
        backends: how many are asked.
        training: how they learn, if they do.

    Returns:
        The cost, within a factor of two for problems that take more than 100 MiB.

    Example:
        >>> from gradparity.backends import Problem, Recurrent
        >>> problem = Problem.from_seed(Recurrent("rnn", 64, 128, 10), seed=0, seq_len=100, batch_size=32)
        >>> estimate_cost(problem, 4).memory < estimate_cost(problem, 8).memory
        True
    """
    sizes = [prod(shape) for arrays in expected_shapes(problem).values() for shape in arrays.values()]
    numbers, largest, steps = sum(sizes), max(sizes), 1
    if training:
        params = [array.size * (training.steps + 1) for array in problem.params.values()]
        numbers, largest, steps = numbers + sum(params), max(params), training.steps
    s, n = problem.dtype.itemsize, max(2, backends)
    pairs = n * (n - 1) // 2
    judging = n * s * numbers + 8 * (5 * n + 2 * pairs + 2) * largest
    of_variables, of_leaves = (8, 4) if sum(sizes) > LARGE else (38, 14)
    leaves = sum(array.size for array in problem.differentiable.values())
    weights = sum(array.size for array in problem.params.values())
    computed, products, width = sum(sizes), 3.0 * problem.seq_len * problem.batch_size * weights, s
    if isinstance(problem.model, Traced):  # which computes many more numbers than its answer has
        computed, products, width = sum(problem.model.sizes.values()), number_of_products(problem), 8
    tape = (of_variables * (computed - leaves) + of_leaves * leaves) * width
    memory = max(tape + 20 * numbers, (n + 8) * s * numbers, judging)
    runs = (NUMBER_OF_PROBES + 1) * SECONDS_PER_NUMBER * computed + (
        NUMBER_OF_PROBES + 1 + n
    ) * SECONDS_PER_PRODUCT * products
    if training and training.batch_size:
        runs *= min(1.0, training.batch_size / problem.batch_size)
    return Cost(float(memory), float(n * s * numbers), steps * runs)


def require_affordable(problem: Problem, backends: int, training: Training | None = None, kept: float = 0.0) -> Cost:
    """Checks that a comparison fits into the memory, before anything is computed.

    Args:
        problem: as for `estimate_cost`.
        backends: as for `estimate_cost`.
        training: as for `estimate_cost`.
        kept: how many bytes earlier results keep.

    Returns:
        The cost.

    Raises:
        TooLargeError: it takes more than is available, or than `GRADPARITY_MEMORY` or 4 GiB allow.
    """
    cost = estimate_cost(problem, backends, training)
    allowed, available = allowed_memory(), available_memory()
    limit = min(allowed, available) - kept
    if cost.memory <= limit:
        return cost
    which = (
        f"{in_gib(allowed)} are allowed ({MEMORY})" if allowed <= available else f"{in_gib(available)} are available"
    )
    which += f", of which earlier results keep {in_gib(kept)}" if kept > 2**20 else ""
    ways = ", or ".join(_ways_out(problem, backends, training, cost, limit)) or "a much smaller problem"
    raise TooLargeError(
        f"{problem.summary}: comparing {backends} backends takes {cost.summary}, but {which}: take {ways}"
    )


def _ways_out(problem: Problem, backends: int, training: Training | None, cost: Cost, limit: float) -> Iterator[str]:
    """What to change so that it fits, one thing or another."""
    share = max(0.0, 0.99 * limit / cost.memory)  # not all of it grows with one size
    sizes = [("steps", training.steps)] if training else [("T", problem.seq_len), ("B", problem.batch_size)]
    for name, size in sizes:
        if int(size * share) >= 1 and size > 1:
            yield f"{name} = {int(size * share)}"
    for fewer in (3, 2):
        if fewer < backends and estimate_cost(problem, fewer, training).memory <= limit:
            yield f"{fewer} backends"
            break
    if problem.dtype.itemsize == 8 and share >= 0.7:  # a part of the memory is float64 in any case
        yield "float32"
    if cost.memory <= available_memory():
        yield f"{MEMORY}={cost.memory / 2**30 + 1:.0f} if there is as much"


def allowed_memory() -> float:
    """How many bytes a comparison may take.

    Raises:
        RequestError: `GRADPARITY_MEMORY` is no positive number.
    """
    text = os.environ.get(MEMORY, "")
    try:
        gib = float(text) if text else DEFAULT_GIB
    except ValueError:
        gib = 0.0
    if not gib > 0:
        raise RequestError(f"{MEMORY}={text}, expected a number of GiB, such as {DEFAULT_GIB:.0f}")
    return gib * 2**30


def available_memory() -> float:
    """How many bytes this machine can give; infinity where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return float("inf")
