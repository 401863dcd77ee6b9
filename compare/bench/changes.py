"""Two benchmarks beside each other: what changed, and by how much more than noise."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...backends import RequestError
from ..jobs.journal import strict_json
from .results import Measurement, Timing, measurement_from

SIGNIFICANT = 3.0  # times the noise, from which on a difference counts as a change


class Labelled(Protocol):
    """What is timed: a workload, or a set of arguments."""

    @property
    def label(self) -> str:
        """It in words."""


@dataclass(frozen=True)
class Change:
    """A backend on a workload, or a function on a set of arguments, in an earlier benchmark and now.

    Attributes:
        workload: what was timed.
        backend: its name, or the function's.
        before: the earlier median, in seconds.
        now: the median, in seconds.
        ratio: now / before, each as a multiple of the floor in its own rounds; of functions, which have no floor, of
            the times themselves.
        noise: the standard error of the ratio's logarithm, from the spread of the rounds.
    """

    workload: Labelled
    backend: str
    before: float
    now: float
    ratio: float
    noise: float

    @property
    def slowdown(self) -> float:
        """now / before, whatever the floor did."""
        return self.now / self.before

    @property
    def times_noise(self) -> float:
        """How many times the noise the change is."""
        return abs(math.log(self.ratio)) / self.noise if self.noise else math.inf

    @property
    def verdict(self) -> str:
        """`slower`, `faster` or `no change`."""
        if self.ratio == 1 or self.times_noise < SIGNIFICANT:
            return "no change"
        return "slower" if self.ratio > 1 else "faster"


def read_bench(path: Path) -> list[Measurement]:
    """The measurements in a file that `gradparity bench --json` wrote.

    Raises:
        RequestError: the file cannot be read, or is something else.
    """
    try:
        return [measurement_from(line) for line in strict_json(path.read_text())["results"]]
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError):
        raise RequestError(f"{path}: is no benchmark, expected a file that `gradparity bench --json` wrote") from None


def find_changes(before: Sequence[Measurement], now: Sequence[Measurement]) -> list[Change]:
    """The changes of every backend on every workload for which both benchmarks have times."""
    earlier = {measurement.workload: measurement for measurement in before}
    changed: list[Change] = []
    for measurement in now:
        old = earlier.get(measurement.workload)
        old_timings = {timing.backend: timing for timing in old.accepted} if old else {}
        changed += [
            _change(measurement, timing, old, old_timings[timing.backend])
            for timing in measurement.accepted
            if old and timing.backend in old_timings
        ]
    return changed


def _change(measurement: Measurement, timing: Timing, old: Measurement, old_timing: Timing) -> Change:
    logs, old_logs = _logs_over_floor(measurement, timing), _logs_over_floor(old, old_timing)
    return change_between(measurement.workload, (old_timing, old_logs), (timing, logs))


def change_between(
    workload: Labelled, before: tuple[Timing, Sequence[float]], now: tuple[Timing, Sequence[float]]
) -> Change:
    """The change from one timing to another.

    Args:
        workload: what was timed.
        before: the earlier timing, and the logarithms of what is compared, round by round.
        now: the timing, and the same of it.
    """
    (old_timing, old_logs), (timing, logs) = before, now
    return Change(
        workload=workload,
        backend=timing.backend,
        before=old_timing.median,
        now=timing.median,
        ratio=math.exp(statistics.median(logs) - statistics.median(old_logs)),
        noise=math.hypot(standard_error(logs), standard_error(old_logs)),
    )


def _logs_over_floor(measurement: Measurement, timing: Timing) -> list[float]:
    """The logarithms of a backend's times as multiples of the floor's, round by round."""
    return [math.log(seconds / floor) for seconds, floor in zip(timing.seconds, measurement.floor.seconds, strict=True)]


def standard_error(values: Sequence[float]) -> float:
    """The standard error of the median: 1.2533 σ / √n of normal noise, with σ by the quartiles against outliers."""
    if len(values) < 2:
        return math.inf
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return 1.2533 * (upper - lower) / 1.349 / math.sqrt(len(values))
