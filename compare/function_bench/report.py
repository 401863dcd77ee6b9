"""A benchmark of functions as a page in HTML: times with their spread, how they grow, and how they were verified."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..bench.changes import Change
from ..bench.display import duration
from ..bench.report import TONES, changes_section, ratio_cell, seconds_cell, without_times
from ..report import (
    Cell,
    Column,
    Copyable,
    Facts,
    Fold,
    Gallery,
    Mark,
    Page,
    Part,
    Picture,
    Prose,
    Row,
    Section,
    Table,
    Tone,
)
from ..report.charts import Axis, Bar, Curve, Point, bar_chart, line_chart
from ..report.origin import environment_section, made_by
from .display import GROWTH_LEGEND, LEGEND, conclusion, function_names
from .growth import PowerLaw
from .results import ACCEPTED, FunctionBench, FunctionMeasurement, FunctionTiming
from .targets import Growth

BY_EXIT_CODE: tuple[Tone, ...] = ("good", "bad", "unsure")
CHANGE_TEXT = (
    "Seconds are compared as they are: there is no floor, so that a slower machine is a change. The noise is the "
    "standard error of the ratio, from the spread of the rounds; three times as much is called a change. What differs "
    "from process to process is not in it."
)


def function_page(
    bench: FunctionBench, command: str, changes: Sequence[Change] | None = None, notes: Sequence[str] = ()
) -> Page:
    """A page with all that was measured.

    Args:
        bench: the benchmark.
        command: that made it.
        changes: since an earlier one; None if none was given.
        notes: on what else is not as it was then.

    Returns:
        The page.
    """
    tone: Tone = BY_EXIT_CODE[bench.exit_code]
    verdict = Mark(conclusion(bench), "unsure" if bench.interrupted and tone == "good" else tone)
    asked = bench.environment.get("bench", {})
    facts = Facts(tuple((name, _in_words(value)) for name, value in asked.items() if name != "schema"))
    parts = measured_parts(bench, changes, notes)
    parts += [Section("What was asked", (Copyable(command, "The command"), facts))]
    parts += [environment_section(bench.environment)]
    return Page("gradparity bench", verdict, tuple(parts), made_by(bench.seconds))


def measured_parts(
    bench: FunctionBench, changes: Sequence[Change] | None = None, notes: Sequence[str] = ()
) -> list[Part]:
    """What was measured, in sections: of a page, or in a notebook.

    Args:
        bench: the benchmark.
        changes: as for `function_page`.
        notes: as for `function_page`.

    Returns:
        How time grows, what changed, all times, and how the functions were verified.
    """
    parts: list[Part] = []
    if any(timing.seconds for timing in bench.timings):
        sections = [_growth(bench, growth, dtype) for growth in bench.growths for dtype in bench.dtypes]
        parts += [section for section in sections if section.parts]
        parts += [] if bench.growths else [_bars(one) for one in bench.measurements if one.timed]
    if changes is not None:
        parts.append(changes_section(changes, of="function", text=CHANGE_TEXT, notes=notes))
    if bench.measurements:
        parts += [Section("All times", (_times(bench), Prose(LEGEND))), _verification(bench)]
    return parts


def _in_words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _bars(measurement: FunctionMeasurement) -> Section:
    """The medians on one set of arguments, where no size grows."""
    bars = [
        Bar(timing.backend, timing.median, f"{duration(timing.median)} ({multiple:.2f} ×)", timing.quartiles)
        for timing in measurement.timed
        if (multiple := measurement.to_fastest(timing)) is not None
    ]
    text = f"{measurement.case.label}: {'; '.join(f'{bar.label} {bar.text}' for bar in bars)}"
    picture = bar_chart(
        bars, text=text, caption="The median of a call with its quartiles, and as a multiple of the fastest."
    )
    return Section(f"Times, {measurement.case.label}", (Gallery((picture,)),))


def _growth(bench: FunctionBench, growth: Growth, dtype: str) -> Section:
    """The curves along a size that grows, and the exponents."""
    heading = f"How time grows with {growth.name}{f', {dtype}' if dtype else ''}"
    fits = [fit for fit in bench.fits() if (fit.size, fit.dtype) == (growth.name, dtype)]
    rows: tuple[Row, ...] = tuple(
        (fit.function, *_exponents(fit.law), f"{fit.sizes[-2]} to {fit.sizes[-1]}") for fit in fits
    )
    numbers = ("exponent", "± standard error", "between the last two", "± of that")
    columns = (Column("function"), *(Column(one, is_number=True) for one in numbers), Column("the last two"))
    table = Table(f"time ~ {growth.name}^exponent", columns, rows)
    picture = _curves(bench, growth, dtype)
    parts: tuple[Part, ...] = (Gallery((picture,)),) if picture else ()
    return Section(heading, (*parts, table, Prose(GROWTH_LEGEND.format(size=growth.name))) if rows else parts)


def _exponents(law: PowerLaw) -> tuple[Cell, ...]:
    return tuple(
        Cell(f"{value:.2f}", value) if math.isfinite(value) else Cell("?")
        for value in (law.exponent, law.error, law.last, law.last_error)
    )


def _curves(bench: FunctionBench, growth: Growth, dtype: str) -> Picture | None:
    """The medians in seconds, on two logarithmic scales, where a power is a straight line."""
    series = bench.series(growth, dtype)
    names = function_names(bench)
    curves = [Curve(name, tuple(_point(one, one.of(name)) for one in series)) for name in names]
    points = [point for curve in curves for point in curve.points if point]
    if not points:
        return None
    low = min(point.low for point in points) / 1.3
    high = max(point.high for point in points) * 1.3
    sizes = growth.values
    x = Axis(growth.name, tuple((size, str(size)) for size in sizes), sizes[0], sizes[-1], is_log=True)
    y = Axis("a call", _decades(low, high), low, high, is_log=True)
    medians = "; ".join(f"{curve.name} from {_ends(curve)}" for curve in curves if any(curve.points))
    return line_chart("", curves, x, y, text=f"Median time of a call against {growth.name}: {medians}")


def _point(measurement: FunctionMeasurement, timing: FunctionTiming) -> Point | None:
    if not timing.seconds:
        return None
    lower, upper = timing.quartiles
    return Point(measurement.case.sizes[0][1], timing.median, lower, upper)


def _ends(curve: Curve) -> str:
    shown = [point for point in curve.points if point]
    return f"{duration(shown[0].y)} to {duration(shown[-1].y)}"


def _decades(low: float, high: float) -> tuple[tuple[float, str], ...]:
    """Marks of a scale of seconds; between powers of ten too, where there are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    of_step = (1, 2, 5) if len(powers) <= 3 else (1,)
    marks = (step * 10.0**power for power in powers for step in of_step)
    return tuple((mark, _rounded(duration(mark))) for mark in marks if low <= mark <= high)


def _rounded(text: str) -> str:
    """`100 µs` of what `duration` writes with three digits.

    Example:
        >>> _rounded("1.00 ms"), _rounded("500 µs")
        ('1 ms', '500 µs')
    """
    number, unit = text.split(" ")
    return f"{float(number):g} {unit}"


def _times(bench: FunctionBench) -> Table:
    numbers = (
        "median",
        "lower quartile",
        "upper quartile",
        "× fastest",
        "memory",
        "cores",
        "prepare",
        "first",
        "import",
    )
    texts = ("arguments", "function", "framework", "verdict")
    columns = (*map(Column, texts), *(Column(heading, is_number=True) for heading in numbers))
    rows = tuple(
        (
            *(one.case.label, timing.backend, timing.framework),
            Mark(timing.verdict, TONES.get(timing.verdict, "")),
            *_measured(one, timing),
        )
        for one in bench.measurements
        for timing in one.timings
    )
    return Table("All arguments and functions", columns, rows, most_rows=2000)


def _measured(measurement: FunctionMeasurement, timing: FunctionTiming) -> tuple[Cell | None, ...]:
    if not timing.seconds:
        return (None,) * 9
    lower, upper = timing.quartiles
    memory = None if timing.memory is None else Cell(f"{timing.memory / 2**20:.1f} MiB", float(timing.memory))
    return (
        *(seconds_cell(seconds) for seconds in (timing.median, lower, upper)),
        *(ratio_cell(measurement.to_fastest(timing)), memory, Cell(f"{timing.busy_cores:.1f}", timing.busy_cores)),
        *(seconds_cell(seconds) for seconds in (timing.prepare_seconds, timing.first_seconds, timing.import_seconds)),
    )


def _verification(bench: FunctionBench) -> Section:
    """Why those have no times that have none, and how the others were verified."""
    refused = without_times("arguments", "function", [(one.case.label, one.timings) for one in bench.measurements])
    parts: list[Part] = [refused] if refused else []
    said = [_how(one) for one in bench.measurements]
    if len(set(said)) == 1:
        parts.append(Prose(said[0]))
    else:
        parts += [Fold(one.case.label, (Prose(text),)) for one, text in zip(bench.measurements, said, strict=True)]
    return Section("How they were verified", tuple(parts))


def _how(measurement: FunctionMeasurement) -> str:
    accepted = [timing.backend for timing in measurement.timings if timing.verdict == ACCEPTED]
    how = f"{', '.join(accepted)}: verified {measurement.verified}." if accepted else "None was accepted."
    return "\n\n".join([how, *(f"Note: {note}" for note in measurement.notes)])
