"""What was measured: frozen values, and the rows that every rendering is made of."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .workloads import Workload

FLOOR = "floor"


@dataclass(frozen=True)
class Timing:
    """A backend on a workload.

    Attributes:
        backend: its name, or `floor`.
        verdict: `accepted`, and only then are there times; or `disagrees`, `undecidable`, `failed`, `unsupported`.
        reason: why there are no times.
        import_seconds: of the backend and its framework, with NumPy and gradparity loaded.
        prepare_seconds: of conversion and compilation.
        first_seconds: of the first call.
        calls: how many are timed together in each round.
        seconds: of one call, on average, in each round.
        memory: how many bytes the process grew by at its peak, from after the import on.
    """

    backend: str
    verdict: str
    reason: str = ""
    import_seconds: float | None = None
    prepare_seconds: float | None = None
    first_seconds: float | None = None
    calls: int = 0
    seconds: tuple[float, ...] = ()
    memory: int | None = None

    @property
    def minimum(self) -> float:
        return min(self.seconds)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        if len(self.seconds) < 2:
            return self.seconds[0], self.seconds[0]
        lower, _, upper = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return lower, upper


@dataclass(frozen=True)
class Measurement:
    """All backends and the floor on a workload, in rounds that alternate between them."""

    workload: Workload
    timings: Sequence[Timing]

    @property
    def floor(self) -> Timing:
        return next(timing for timing in self.timings if timing.backend == FLOOR)

    @property
    def candidates(self) -> list[Timing]:
        """Without the floor, in the order in which they were named."""
        return [timing for timing in self.timings if timing.backend != FLOOR]

    @property
    def accepted(self) -> list[Timing]:
        """The candidates that have times."""
        return [timing for timing in self.candidates if timing.seconds]

    @property
    def fastest(self) -> float:
        """The smallest median, in seconds."""
        return min((timing.median for timing in self.accepted), default=float("nan"))

    def rows(self) -> list[dict[str, Any]]:
        """One for each candidate and the floor: what was measured, and its ratios."""
        return [self._row(timing) for timing in self.timings]

    def _row(self, timing: Timing) -> dict[str, Any]:
        row: dict[str, Any] = asdict(timing)
        if timing.seconds:
            lower, upper = timing.quartiles
            row |= {"minimum": timing.minimum, "median": timing.median, "lower": lower, "upper": upper}
            if self.floor.seconds:
                row |= {"to_floor": timing.median / self.floor.median}
            if timing.backend != FLOOR:
                row |= {"to_fastest": timing.median / self.fastest}
        return row

    def as_json(self) -> dict[str, Any]:
        return {"workload": asdict(self.workload), "timings": self.rows()}


def by_cell_and_dtype(measurements: Sequence[Measurement]) -> list[tuple[str, list[Measurement]]]:
    """The measurements of each cell and dtype, in order, under a name such as `lstm float32`."""
    found: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        found.setdefault(f"{measurement.workload.cell} {measurement.workload.dtype}", []).append(measurement)
    return sorted(found.items())


def measurement_from(line: Mapping[str, Any]) -> Measurement:
    """What `as_json` wrote.

    Raises:
        LookupError, TypeError: it is something else.
    """
    fields = Timing.__dataclass_fields__
    timings = [{name: row[name] for name in fields} for row in line["timings"]]
    return Measurement(
        Workload(**line["workload"]), tuple(Timing(**{**each, "seconds": tuple(each["seconds"])}) for each in timings)
    )
