"""The results of a benchmark: frozen values, and the rows that every rendering is made of."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from ...backends.errors import unknown_name
from ..jobs import record_from
from .workloads import Workload

FLOOR = "floor"
BY_HAND = ("manual", "manual-compiled")  # the hand derivation, in NumPy and compiled
BENCH_SCHEMA = 1
VERDICTS = ("accepted", "disagrees", "undecidable", "failed", "unsupported")


@dataclass(frozen=True)
class Timing:
    """The times of one backend on one workload.

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
        products: the library that multiplies matrices, and its kernel, as far as that is known.
        device_memory: on a GPU the most bytes of its memory that the framework had allocated.
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
    products: str = ""
    device_memory: int | None = None

    @property
    def minimum(self) -> float:
        """The shortest round, in seconds a call."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The median over the rounds, in seconds a call."""
        return statistics.median(self.seconds)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The lower and the upper quartile over the rounds, in seconds a call."""
        if len(self.seconds) < 2:
            return self.seconds[0], self.seconds[0]
        lower, _, upper = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return lower, upper


AnyTiming = TypeVar("AnyTiming", bound=Timing)


@dataclass(frozen=True)
class Measurement:
    """All backends and the floor on one workload, timed in rounds that alternate between them.

    Attributes:
        workload: what was timed.
        timings: of the floor and every candidate.
    """

    workload: Workload
    timings: Sequence[Timing]

    @property
    def floor(self) -> Timing:
        """The matrix products alone."""
        return next(timing for timing in self.timings if timing.backend == FLOOR)

    @property
    def candidates(self) -> list[Timing]:
        """The timings without the floor, in the order in which the backends were named."""
        return [timing for timing in self.timings if timing.backend != FLOOR]

    @property
    def accepted(self) -> list[Timing]:
        """The candidates that have times."""
        return [timing for timing in self.candidates if timing.seconds]

    @property
    def fastest(self) -> float:
        """The smallest median, in seconds."""
        return min((timing.median for timing in self.accepted), default=float("nan"))

    def to_floor(self, timing: Timing | None) -> float | None:
        """A median as a multiple of the floor's; None where either has no times."""
        return timing.median / self.floor.median if timing and timing.seconds and self.floor.seconds else None

    def spread_to_floor(self, name: str) -> tuple[float, float, float] | None:
        """The median and the quartiles of a backend as multiples of the floor's median; None without times."""
        timing = next((timing for timing in self.timings if timing.backend == name), None)
        median = self.to_floor(timing)
        if timing is None or median is None:
            return None
        lower, upper = timing.quartiles
        return median, lower / self.floor.median, upper / self.floor.median

    def to_fastest(self, timing: Timing) -> float | None:
        """A candidate's median as a multiple of the fastest one's; None without times, and of the floor."""
        return timing.median / self.fastest if timing.seconds and timing.backend != FLOOR and self.accepted else None

    @property
    def by_hand(self) -> Timing | None:
        """The timing of the hand derivation; where it is timed compiled, too, the faster one; None without times."""
        timed = [timing for timing in self.accepted if timing.backend in BY_HAND]
        return min(timed, key=lambda timing: timing.median, default=None)

    @property
    def by_hand_to_fastest_other(self) -> float | None:
        """The hand derivation's median as a multiple of the fastest other's; None where either has no times."""
        others = [timing.median for timing in self.accepted if timing.backend not in BY_HAND]
        return self.by_hand.median / min(others) if self.by_hand and others else None

    def rows(self) -> list[dict[str, Any]]:
        """One row for each candidate and the floor: what was measured, and its ratios."""
        return [self._row(timing) for timing in self.timings]

    def _row(self, timing: Timing) -> dict[str, Any]:
        row: dict[str, Any] = asdict(timing)
        if timing.seconds:
            lower, upper = timing.quartiles
            row |= {"minimum": timing.minimum, "median": timing.median, "lower": lower, "upper": upper}
        ratios = {"to_floor": self.to_floor(timing), "to_fastest": self.to_fastest(timing)}
        row |= {name: ratio for name, ratio in ratios.items() if ratio is not None}
        return row

    def as_json(self) -> dict[str, Any]:
        """A line of the log, and a result in the JSON document."""
        return {"workload": asdict(self.workload), "timings": self.rows()}


@dataclass(frozen=True, repr=False)
class Bench:
    """A benchmark, as far as it went.

    Attributes:
        measurements: in the order of the workloads.
        environment: in which they were made, and how.
        notes: on backends that are not installed.
        interrupted: whether it was stopped before its end.
        seconds: how long it took.
    """

    measurements: Sequence[Measurement]
    environment: Mapping[str, Any]
    notes: Sequence[str]
    interrupted: bool
    seconds: float

    def __repr__(self) -> str:
        from .display import bench_conclusion

        return f"<Bench: {bench_conclusion(self)}>"

    def _repr_html_(self) -> str:
        """In a notebook."""
        from ..report import notebook_html
        from .display import bench_conclusion
        from .report import measured_parts

        return notebook_html(bench_conclusion(self), lambda: measured_parts(self))

    @property
    def candidates(self) -> list[Timing]:
        """The candidates' timings on all workloads."""
        return [timing for measurement in self.measurements for timing in measurement.candidates]

    @property
    def accepted(self) -> list[Timing]:
        """The candidates' timings whose answers were accepted."""
        return [timing for timing in self.candidates if timing.verdict == "accepted"]

    @property
    def refused(self) -> list[Timing]:
        """Whose answers were not accepted, or who failed; an unsupported workload is no refusal."""
        timings = [timing for measurement in self.measurements for timing in measurement.timings]
        return [timing for timing in timings if timing.verdict not in ("accepted", "unsupported")]

    @property
    def products(self) -> dict[str, list[str]]:
        """The libraries that multiply matrices, each with those whose matrices it multiplies."""
        found: dict[str, list[str]] = {}
        for measurement in self.measurements:
            for timing in measurement.timings:
                if timing.products and timing.backend not in found.setdefault(timing.products, []):
                    found[timing.products].append(timing.backend)
        return found

    @property
    def wins_by_hand(self) -> dict[str, int]:
        """On how many workloads the hand derivation is the fastest; and compiled, if it is timed so."""
        names = [name for name in BY_HAND if any(timing.backend == name for timing in self.candidates)] or [BY_HAND[0]]
        fastest = [one.by_hand for one in self.measurements if one.by_hand and one.to_fastest(one.by_hand) == 1]
        return {name: sum(timing.backend == name for timing in fastest) for name in names}

    def standings(self) -> list[dict[str, Any]]:
        """One row for each candidate: on how many workloads it was timed and is the fastest, and its usual distance.

        `to_fastest` is the median of its multiples of the fastest on each workload, None if it has no times.
        """
        return [self._standing(name) for name in candidate_names(self.measurements)]

    def _standing(self, name: str) -> dict[str, Any]:
        timings = [(one, timing) for one in self.measurements for timing in one.candidates if timing.backend == name]
        multiples = [multiple for one, timing in timings if (multiple := one.to_fastest(timing)) is not None]
        return {
            "backend": name,
            "workloads": len(timings),
            "timed": len(multiples),
            "fastest": sum(multiple == 1 for multiple in multiples),
            "to_fastest": statistics.median(multiples) if multiples else None,
        }

    def as_json(self) -> dict[str, Any]:
        """The document of `gradparity bench --json`."""
        results = [measurement.as_json() for measurement in self.measurements]
        document = {"schema": BENCH_SCHEMA, "environment": dict(self.environment), "standings": self.standings()}
        return document | {"results": results}


def by_cell_and_dtype(measurements: Sequence[Measurement]) -> list[tuple[str, list[Measurement]]]:
    """The measurements of each cell and dtype, in order, under a name such as `lstm float32`."""
    groups: dict[str, list[Measurement]] = {}
    for measurement in measurements:
        groups.setdefault(f"{measurement.workload.cell} {measurement.workload.dtype}", []).append(measurement)
    return sorted(groups.items())


def sizes_by_work(measurements: Sequence[Measurement]) -> dict[str, str]:
    """The sizes in the order of their work, and how they are shown beside each other: `20, 35, 200, 200`."""
    workloads = {one.workload.size: one.workload for one in measurements}
    ordered = sorted(workloads.items(), key=lambda item: item[1].work_per_step * item[1].seq_len)
    return {size: f"{one.batch_size}, {one.seq_len}, {one.input_size}, {one.hidden_size}" for size, one in ordered}


def candidate_names(measurements: Sequence[Measurement]) -> list[str]:
    """The names of all candidates, each once, in the order in which they appear."""
    return list(dict.fromkeys(timing.backend for measurement in measurements for timing in measurement.candidates))


def measurement_from(line: Mapping[str, Any]) -> Measurement:
    """The measurement that `as_json` wrote.

    Raises:
        ValueError: a field has a value of another type, or one that no measurement has.
        LookupError: a field is missing.
        TypeError: it is something else.
    """
    workload = record_from(Workload, line["workload"], "workload")
    measured = timings_from(Timing, line["timings"])
    if all(timing.backend != FLOOR for timing in measured):
        raise ValueError("timings have no floor")
    return Measurement(workload, measured)


def timings_from(kind: type[AnyTiming], rows: Sequence[Mapping[str, Any]]) -> tuple[AnyTiming, ...]:
    """The timings in rows of a log or a document, which have ratios beside them.

    Args:
        kind: `Timing`, or a kind of it with more fields.
        rows: as JSON gave them.

    Returns:
        The timings.

    Raises:
        ValueError: a field is missing, has a value of another type, or one that no timing has.
        TypeError: a row is something else.
    """
    fields = kind.__dataclass_fields__
    timings = [{name: row[name] for name in fields if name in row} for row in rows]
    read = tuple(record_from(kind, timing, f"timings[{i}]") for i, timing in enumerate(timings))
    for i, timing in enumerate(read):
        if timing.verdict not in VERDICTS:
            raise ValueError(f"timings[{i}]: {unknown_name('verdict', timing.verdict, VERDICTS)}")
        if any(seconds <= 0 for seconds in timing.seconds):
            raise ValueError(f"timings[{i}].seconds are {list(timing.seconds)}, expected numbers above 0")
    return read
