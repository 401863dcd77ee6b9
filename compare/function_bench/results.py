"""The results of a benchmark of functions: frozen values, and the rows that every rendering is made of."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..bench.results import Timing
from .growth import PowerLaw, fitted
from .separate_candidate import Case
from .targets import Growth

SCHEMA = 1
ACCEPTED, FAILED = "accepted", "failed"


@dataclass(frozen=True)
class FunctionTiming(Timing):
    """The times of one function on one set of arguments. `import_seconds` are of its file and what that imports.

    Attributes:
        framework: `numpy`, `torch` or `jax`: whose arrays it takes; empty if that could not be told.
        cores: how many were busy, in each round.
    """

    framework: str = ""
    cores: tuple[float, ...] = ()

    @property
    def busy_cores(self) -> float:
        """The median over the rounds of how many cores were busy."""
        return statistics.median(self.cores)


@dataclass(frozen=True)
class FunctionMeasurement:
    """All functions on one set of arguments.

    Attributes:
        case: the arguments.
        verified: how the accepted ones were verified, in a sentence.
        is_certified: whether the exact gradient was enclosed.
        timings: of every function.
        notes: what is to be said beside.
    """

    case: Case
    verified: str
    is_certified: bool
    timings: tuple[FunctionTiming, ...]
    notes: tuple[str, ...] = ()

    @property
    def timed(self) -> list[FunctionTiming]:
        """Those that have times."""
        return [timing for timing in self.timings if timing.seconds]

    def to_fastest(self, timing: FunctionTiming) -> float | None:
        """A median as a multiple of the fastest one's; None without times."""
        return timing.median / min(one.median for one in self.timed) if timing.seconds else None

    def of(self, name: str) -> FunctionTiming:
        """The timing of a function."""
        return next(timing for timing in self.timings if timing.backend == name)

    def rows(self) -> list[dict[str, Any]]:
        """One row for each function: what was measured, and its ratio to the fastest."""
        return [self._row(timing) for timing in self.timings]

    def _row(self, timing: FunctionTiming) -> dict[str, Any]:
        values = asdict(timing)
        row: dict[str, Any] = {"function": values.pop("backend"), **values}
        if timing.seconds:
            lower, upper = timing.quartiles
            row |= {"minimum": timing.minimum, "median": timing.median, "lower": lower, "upper": upper}
            row |= {"to_fastest": self.to_fastest(timing), "busy_cores": timing.busy_cores}
        return row

    def as_json(self) -> dict[str, Any]:
        """A result in the JSON document."""
        return {
            "sizes": dict(self.case.sizes),
            "dtype": self.case.dtype or None,
            "verified": self.verified,
            "is_certified": self.is_certified,
            "notes": list(self.notes),
            "timings": self.rows(),
        }


@dataclass(frozen=True)
class Fit:
    """How a function's time grows.

    Attributes:
        function: its name.
        size: the name of what grows.
        dtype: of the arguments; empty if they are as drawn.
        law: the power law.
        sizes: at which it was timed.
    """

    function: str
    size: str
    dtype: str
    law: PowerLaw
    sizes: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class FunctionBench:
    """A benchmark of functions, as far as it went.

    Attributes:
        measurements: in the order in which they were made.
        growths: the sizes that grow.
        environment: in which they were made, and how.
        interrupted: whether it was stopped before its end.
        seconds: how long it took.
    """

    measurements: Sequence[FunctionMeasurement]
    growths: Sequence[Growth]
    environment: Mapping[str, Any]
    interrupted: bool
    seconds: float

    def __repr__(self) -> str:
        from .display import conclusion

        return f"<FunctionBench: {conclusion(self)}>"

    def _repr_html_(self) -> str:
        """In a notebook."""
        from ..report import notebook_html
        from .display import conclusion
        from .report import measured_parts

        return notebook_html(conclusion(self), lambda: measured_parts(self))

    @property
    def timings(self) -> list[FunctionTiming]:
        """Of all functions on all arguments."""
        return [timing for measurement in self.measurements for timing in measurement.timings]

    @property
    def exit_code(self) -> int:
        """0: all were accepted; 1: one is wrong or failed; 2: nothing could be judged."""
        verdicts = [timing.verdict for timing in self.timings]
        if all(verdict == ACCEPTED for verdict in verdicts):
            return 0 if verdicts else 2
        return 1 if {ACCEPTED, "disagrees"} & set(verdicts) else 2

    def series(self, growth: Growth, dtype: str) -> list[FunctionMeasurement]:
        """The measurements along a growth, from the smallest size on."""
        found = [
            one
            for one in self.measurements
            if [name for name, _ in one.case.sizes] == [growth.name] and one.case.dtype == dtype
        ]
        return sorted(found, key=lambda one: one.case.sizes)

    @property
    def dtypes(self) -> list[str]:
        """Of the arguments, each once; empty for those as they are drawn."""
        return list(dict.fromkeys(one.case.dtype for one in self.measurements))

    def fits(self) -> list[Fit]:
        """A power law for each function along each growth, where it has times at two sizes or more."""
        found = []
        for growth in self.growths:
            for dtype in self.dtypes:
                series = self.series(growth, dtype)
                for name in dict.fromkeys(timing.backend for one in series for timing in one.timed):
                    points = [(one.case.sizes[0][1], one.of(name).seconds) for one in series if one.of(name).seconds]
                    sizes, rounds = [size for size, _ in points], [seconds for _, seconds in points]
                    if law := fitted(sizes, rounds):
                        found.append(Fit(name, growth.name, dtype, law, tuple(sizes)))
        return found

    def as_json(self) -> dict[str, Any]:
        """The document of `gradparity bench TARGETS --json`."""
        return {
            "schema": SCHEMA,
            "environment": dict(self.environment),
            "results": [measurement.as_json() for measurement in self.measurements],
            "growth": [asdict(fit) for fit in self.fits()],
            "interrupted": self.interrupted,
        }


def refused_timing(timing: FunctionTiming, verdict: str, reason: str) -> FunctionTiming:
    """The timing of a function that gets no times, with the reason."""
    return replace(timing, verdict=verdict, reason=" ".join(reason.split()), seconds=(), cores=(), calls=0, memory=None)
