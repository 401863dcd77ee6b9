"""Two benchmarks beside each other: what changed, and by how much more than noise."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...backends import RequestError
from .results import Measurement, Timing, measurement_from
from .workloads import Workload

MANY = 3.0  # times the noise, from which on a change is one


@dataclass(frozen=True)
class Change:
    """A backend on a workload, before and now.

    Attributes:
        workload, backend: of what.
        before, now: the medians, in seconds.
        ratio: of the two, each as a multiple of the floor in its own rounds.
        noise: the standard error of that ratio's logarithm, from the spread of the rounds.
    """

    workload: Workload
    backend: str
    before: float
    now: float
    ratio: float
    noise: float

    @property
    def times_noise(self) -> float:
        return abs(math.log(self.ratio)) / self.noise if self.noise else math.inf

    @property
    def verdict(self) -> str:
        if self.ratio == 1 or self.times_noise < MANY:
            return "no change"
        return "slower" if self.ratio > 1 else "faster"


def read_bench(path: Path) -> list[Measurement]:
    """The measurements in a file that `gradparity bench --json` wrote.

    Raises:
        RequestError: it is no such file.
    """
    try:
        return [measurement_from(line) for line in json.loads(path.read_text())["results"]]
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, LookupError, TypeError):
        raise RequestError(f"{path}: is no benchmark, expected a file that `gradparity bench --json` wrote") from None


def changes(before: Sequence[Measurement], now: Sequence[Measurement]) -> list[Change]:
    """Of every backend and workload that has times in both."""
    earlier = {measurement.workload: measurement for measurement in before}
    found = []
    for measurement in now:
        old = earlier.get(measurement.workload)
        for timing in measurement.accepted if old else ():
            known = next((each for each in old.accepted if each.backend == timing.backend), None) if old else None
            if known and old:
                found.append(_change(measurement, timing, old, known))
    return found


def _change(measurement: Measurement, timing: Timing, old: Measurement, known: Timing) -> Change:
    ours, theirs = _of_the_floor(measurement, timing), _of_the_floor(old, known)
    return Change(
        workload=measurement.workload,
        backend=timing.backend,
        before=known.median,
        now=timing.median,
        ratio=math.exp(statistics.median(ours) - statistics.median(theirs)),
        noise=math.hypot(_standard_error(ours), _standard_error(theirs)),
    )


def _of_the_floor(measurement: Measurement, timing: Timing) -> list[float]:
    """The logarithms of a backend's times as multiples of the floor's, round by round."""
    return [math.log(each / least) for each, least in zip(timing.seconds, measurement.floor.seconds, strict=True)]


def _standard_error(values: Sequence[float]) -> float:
    """Of the median, from the quartiles, which an outlier does not move: of normal noise it is 1.2533 σ / √n."""
    if len(values) < 2:
        return math.inf
    lower, _, upper = statistics.quantiles(values, n=4, method="inclusive")
    return 1.2533 * (upper - lower) / 1.349 / math.sqrt(len(values))
