"""What a person sees of a benchmark: a table for each workload, and all ratios at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..output import plain_table, print_in_width, say
from .changes import Change
from .results import FLOOR, Bench, Measurement, Timing, by_cell_and_dtype, candidate_names

COLUMN_LEGEND = (
    "import: of the framework. prepare: conversion and compilation. first: the first call. "
    "min, median, quartiles: of a call, over the rounds. memory: what the process grew by at its peak. "
    "floor: the matrix products alone, through NumPy's BLAS."
)
CHANGE_LEGEND = (
    "ratio: now / before. to floor: the same of the multiples of the floor, each in its own rounds, so that a "
    "slower machine is no change. noise: what that varies by from round to round."
)
SECONDS_LEGEND = (
    "ratio: now / before. noise: what that varies by from round to round; a slower machine is a change, and so is what "
    "differs from process to process."
)


COLUMNS = ("import", "prepare", "first", "memory", "min", "median", "quartiles", "× fastest", "× floor")
START_COLUMNS = 4  # the columns about the start, which get a table of their own on a narrow terminal


def show_measurement(measurement: Measurement, on: Console) -> None:
    """A table of all that was measured on a workload, and why a backend has no times."""
    say(on, f"\n{measurement.workload.label}", style="bold")
    print_in_width(partial(_measurement_table, measurement), len(COLUMNS), START_COLUMNS, on)
    for timing in measurement.timings:
        if timing.reason:
            say(on, f"{timing.backend}: {timing.verdict}: {timing.reason}", style="dim")


def _measurement_table(measurement: Measurement, first: int, last: int) -> Table:
    """The columns from the first up to the last."""
    table = plain_table()
    table.add_column("backend", no_wrap=True)
    for heading in COLUMNS[first:last]:
        table.add_column(heading, no_wrap=True, justify="right")
    for timing in (*measurement.candidates, measurement.floor):
        if timing.seconds:
            table.add_row(timing.backend, *_timing_cells(timing, measurement)[first:last])
        else:
            table.add_row(
                timing.backend, Text(timing.verdict, style=verdict_style(timing.verdict)), *[""] * (last - first - 1)
            )
    return table


def verdict_style(verdict: str) -> str:
    """The style of a verdict that is given in the place of times."""
    return "bold red" if verdict in ("disagrees", "failed") else "yellow"


def _timing_cells(timing: Timing, measurement: Measurement) -> list[str]:
    lower, upper = timing.quartiles
    is_floor = timing.backend == FLOOR
    return [
        "" if is_floor else duration(timing.import_seconds),
        "" if is_floor else duration(timing.prepare_seconds),
        duration(timing.first_seconds),
        "" if timing.memory is None or is_floor else memory_text(timing),
        duration(timing.minimum),
        duration(timing.median),
        f"{duration(lower)}–{duration(upper)}",
        _ratio(measurement.to_fastest(timing)),
        _ratio(measurement.to_floor(timing)),
    ]


def memory_text(timing: Timing) -> str:
    """`12 MiB` of the process; on a GPU with that of the device beside it, `12 + 340 MiB`."""
    sizes = [size for size in (timing.memory, timing.device_memory) if size is not None]
    return " + ".join(f"{size / 2**20:.0f}" for size in sizes) + " MiB"


def show_bench(bench: Bench, on: Console) -> None:
    """The legend, the ratios of all workloads, notes, and how it ended."""
    if bench.measurements:
        on.print(f"\n{COLUMN_LEGEND}\n", style="dim", highlight=False)
        for table in ratio_tables(bench.measurements):
            on.print(table)
            on.print()
    for note in bench.notes:
        say(on, f"note: {note}", style="dim")
    for library, names in bench.products.items():
        say(on, f"{', '.join(names)}: matrix products by {library}", style="dim")
    if "tf32" in bench.environment and bench.environment["bench"]["device"] == "cuda":
        say(on, "TF32 is off: float32 is float32 on the GPU, too.", style="dim")
    say(on, bench_conclusion(bench), style="bold")


def ratio_tables(measurements: Sequence[Measurement]) -> list[Table]:
    """For each cell and dtype: all medians as multiples of the fastest one, and the hand derivation's of the floor."""
    return [_ratio_table(title, group) for title, group in by_cell_and_dtype(measurements)]


def _ratio_table(title: str, measurements: Sequence[Measurement]) -> Table:
    names = candidate_names(measurements)
    table = plain_table()
    table.add_column(f"{title}, × fastest", no_wrap=True)
    for name in (*names, "by hand × floor"):
        table.add_column(name, justify="right")
    for measurement in measurements:
        by_name = {timing.backend: timing for timing in measurement.timings}
        ratios = (_ratio_cell(by_name[name], measurement) for name in names)
        table.add_row(measurement.workload.size, *ratios, _ratio(measurement.to_floor(measurement.by_hand)))
    return table


def _ratio_cell(timing: Timing, measurement: Measurement) -> Text:
    ratio = measurement.to_fastest(timing)
    if ratio is None:
        return Text(timing.verdict, style=verdict_style(timing.verdict))
    return Text(_ratio(ratio), style="green" if ratio == 1 else "")


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def show_changes(changes: Sequence[Change], on: Console, *, of: str = "backend", has_floor: bool = True) -> None:
    """A table for each workload: what is faster or slower than before, and by how many times the noise.

    Args:
        changes: of backends, or of functions.
        on: the console.
        of: the heading of their names.
        has_floor: whether multiples of a floor were compared; functions have none.
    """
    if not changes:
        say(on, "\nnothing was timed before that is timed now")
        return
    for workload, group in groupby(changes, key=lambda change: change.workload):
        say(on, f"\n{workload.label}, before and now", style="bold")
        table = plain_table()
        table.add_column(of, no_wrap=True)
        for heading in ("before", "now", "ratio", *(["to floor"] if has_floor else []), "noise", "change"):
            table.add_column(heading, no_wrap=True, justify="right")
        for change in group:
            style = {"slower": "bold red", "faster": "green"}.get(change.verdict, "")
            table.add_row(
                change.backend,
                duration(change.before),
                duration(change.now),
                _ratio(change.slowdown),
                *([_ratio(change.ratio)] if has_floor else []),
                noise_text(change),
                Text(change_text(change), style=style),
            )
        on.print(table)
    on.print(f"\n{CHANGE_LEGEND if has_floor else SECONDS_LEGEND}", style="dim", highlight=False)


def noise_text(change: Change) -> str:
    """`±3 %`; a question mark where one round alone tells nothing of it."""
    return f"±{100 * change.noise:.0f} %" if math.isfinite(change.noise) else "?"


def change_text(change: Change) -> str:
    """`slower, 4.1 × noise`, or `no change`."""
    return change.verdict if change.verdict == "no change" else f"{change.verdict}, {change.times_noise:.1f} × noise"


def bench_conclusion(bench: Bench) -> str:
    """`6 workloads: 24 of 24 answers accepted; manual is the fastest on 5 (48 s)`."""
    count = len(bench.measurements)
    wins = " and ".join(f"{name} is the fastest on {wins}" for name, wins in bench.wins_by_hand.items())
    return (
        f"{count} workload{'s' * (count != 1)}: {len(bench.accepted)} of {len(bench.candidates)} answers accepted; "
        f"{wins} ({bench.seconds:.0f} s{', interrupted' * bench.interrupted})"
    )


def duration(seconds: float | None) -> str:
    """Seconds with three digits: `213 µs`, `12.3 ms`, `1.92 s`; nothing for None."""
    if seconds is None:
        return ""
    unit, scale = ("s", 1.0) if seconds >= 0.9995 else ("ms", 1e3) if seconds >= 0.9995e-3 else ("µs", 1e6)
    number = seconds * scale
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f} {unit}"
