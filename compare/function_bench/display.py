"""What a person sees of a benchmark of functions: a table for each size, and how time grows."""

from __future__ import annotations

import math
from functools import partial

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..bench.display import duration, verdict_style
from ..output import plain_table, print_in_width, say
from .results import ACCEPTED, Fit, FunctionBench, FunctionMeasurement, FunctionTiming
from .targets import Growth

LEGEND = (
    "import: of the file, and what it imports. prepare: the arguments, in the function's framework. first: the first "
    "call, with all that is compiled in it. memory: what the process grew by at its peak, from before its arguments "
    "on. cores: how many were busy. min, median, quartiles: of a call, over the rounds."
)
GROWTH_LEGEND = (
    "time ~ {size}^a: fitted between logarithms, ± its standard error. What a call takes by itself bends the line at "
    "small sizes; the exponent between the last two is closer to that of large ones."
)
HEADINGS = ("framework", "import", "prepare", "first", "memory", "cores", "min", "median", "quartiles", "× fastest")
START = 5  # the columns about the start, which get a table of their own on a narrow terminal


def show_measurement(measurement: FunctionMeasurement, on: Console) -> None:
    """A table of all that was measured on a set of arguments, how it was verified, and why a function has no times."""
    say(on, f"\n{measurement.case.label}", style="bold")
    print_in_width(partial(_table, measurement), len(HEADINGS), START, on)
    for timing in measurement.timings:
        if timing.reason:
            say(on, f"{timing.backend}: {timing.verdict}: {timing.reason}", style=verdict_style(timing.verdict))
    if any(timing.verdict == ACCEPTED for timing in measurement.timings):
        say(on, f"verified {measurement.verified}", style="dim")
    for note in measurement.notes:
        say(on, f"note: {note}", style="dim")


def _table(measurement: FunctionMeasurement, first: int, last: int) -> Table:
    table = plain_table()
    table.add_column("function", no_wrap=True)
    for heading in HEADINGS[first:last]:
        table.add_column(heading, no_wrap=True, justify="left" if heading == "framework" else "right")
    for timing in measurement.timings:
        if timing.seconds:
            table.add_row(timing.backend, *cells(timing, measurement)[first:last])
        else:
            verdict = Text(timing.verdict, style=verdict_style(timing.verdict))
            table.add_row(timing.backend, verdict, *[""] * (last - first - 1))
    return table


def cells(timing: FunctionTiming, measurement: FunctionMeasurement) -> list[str]:
    """The row of a function that has times, in the order of `HEADINGS`."""
    lower, upper = timing.quartiles
    ratio = measurement.to_fastest(timing)
    return [
        timing.framework,
        duration(timing.import_seconds),
        duration(timing.prepare_seconds),
        duration(timing.first_seconds),
        "" if timing.memory is None else f"{timing.memory / 2**20:.1f} MiB",
        f"{timing.busy_cores:.1f}",
        duration(timing.minimum),
        duration(timing.median),
        f"{duration(lower)}–{duration(upper)}",
        "" if ratio is None else f"{ratio:.2f}",
    ]


def show_function_bench(bench: FunctionBench, on: Console) -> None:
    """The legend, the medians along each growth with their exponents, and how it ended."""
    if any(timing.seconds for timing in bench.timings):
        say(on, f"\n{LEGEND}\n", style="dim")
    for growth in bench.growths:
        for dtype in bench.dtypes:
            rows = growth_rows(bench, growth, dtype)
            if rows:
                _show_growth(bench, growth, dtype, rows, on)
    say(on, conclusion(bench), style="bold")


def _show_growth(bench: FunctionBench, growth: Growth, dtype: str, rows: list[list[str]], on: Console) -> None:
    table = plain_table()
    table.add_column(f"{growth.name}{f', {dtype}' if dtype else ''}", no_wrap=True)
    for name in function_names(bench):
        table.add_column(name, no_wrap=True, justify="right")
    for row in rows:
        table.add_row(*row)
    on.print(table)
    on.print()
    fits = [fit for fit in bench.fits() if (fit.size, fit.dtype) == (growth.name, dtype)]
    for fit in fits:
        say(on, f"{fit.function}: {growth_text(fit)}")
    if fits:
        say(on, f"\n{GROWTH_LEGEND.format(size=growth.name)}\n", style="dim")


def function_names(bench: FunctionBench) -> list[str]:
    """The names of all functions, in order."""
    return list(dict.fromkeys(timing.backend for timing in bench.timings))


def growth_rows(bench: FunctionBench, growth: Growth, dtype: str) -> list[list[str]]:
    """For each size the medians of all functions, the fastest with a star; or why there is none."""
    rows = []
    for measurement in bench.series(growth, dtype):
        row = [str(measurement.case.sizes[0][1])]
        for name in function_names(bench):
            timing = measurement.of(name)
            star = " *" if measurement.to_fastest(timing) == 1 else ""
            row.append(f"{duration(timing.median)}{star}" if timing.seconds else timing.verdict)
        rows.append(row)
    return rows


def growth_text(fit: Fit) -> str:
    """`time ~ T^1.02 ± 0.03 (T^0.99 ± 0.01 from 100 to 1000)`.

    Example:
        >>> from gradparity.compare.function_bench.growth import PowerLaw
        >>> growth_text(Fit("f", "T", "", PowerLaw(0.91, 0.04, 0.99, 0.01), (10, 100, 1000)))
        'time ~ T^0.91 ± 0.04 (T^0.99 ± 0.01 from 100 to 1000)'
    """
    law = fit.law
    whole = f"time ~ {_power(fit.size, law.exponent, law.error)}"
    if len(fit.sizes) == 2:
        return whole
    return f"{whole} ({_power(fit.size, law.last, law.last_error)} from {fit.sizes[-2]} to {fit.sizes[-1]})"


def _power(size: str, exponent: float, error: float) -> str:
    return f"{size}^{exponent:.2f} ± {f'{error:.2f}' if math.isfinite(error) else '?'}"


def conclusion(bench: FunctionBench) -> str:
    """`3 sizes: 9 of 9 answers accepted; jax_gradients is the fastest on 3 (48.1 s)`."""
    count = len(bench.measurements)
    accepted = sum(timing.verdict == ACCEPTED for timing in bench.timings)
    wins = [
        min(measurement.timed, key=lambda timing: timing.median).backend
        for measurement in bench.measurements
        if measurement.timed
    ]
    fastest = max(dict.fromkeys(wins), key=wins.count, default="")
    of_wins = f"; {fastest} is the fastest" + (f" on {wins.count(fastest)}" if count > 1 else "") if wins else ""
    sizes = f"{count} sets of arguments: " if count != 1 else ""
    ended = f"({bench.seconds:.1f} s){', interrupted' * bench.interrupted}"
    return f"{sizes}{accepted} of {len(bench.timings)} answers accepted{of_wins} {ended}"
