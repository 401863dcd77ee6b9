"""The tables of a benchmark for a page."""

from __future__ import annotations

from collections.abc import Sequence

from .display import duration
from .results import Measurement, Timing, by_cell_and_dtype


def markdown_tables(measurements: Sequence[Measurement]) -> str:
    """For each cell and dtype: the medians, and manual's as a multiple of the fastest other's and of the floor's."""
    return "\n".join(_table(title.replace(" ", ", "), group) for title, group in by_cell_and_dtype(measurements))


def _table(title: str, measurements: Sequence[Measurement]) -> str:
    names = list(dict.fromkeys(timing.backend for each in measurements for timing in each.candidates))
    headings = [f"{title}: B, T, D, H", "floor", *names, "manual ÷ fastest other", "manual ÷ floor"]
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)]]
    lines += [_cells(measurement, names) for measurement in measurements]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cells(measurement: Measurement, names: Sequence[str]) -> list[str]:
    workload, by_name = measurement.workload, {timing.backend: timing for timing in measurement.timings}
    manual, floor = by_name.get("manual"), measurement.floor
    others = [timing.median for timing in measurement.accepted if timing.backend != "manual"]
    has_manual = manual is not None and bool(manual.seconds)
    return [
        f"{workload.batch_size}, {workload.seq_len}, {workload.input_size}, {workload.hidden_size}",
        duration(floor.median) if floor.seconds else "–",
        *(_median(by_name[name]) for name in names),
        f"{manual.median / min(others):.2f}" if manual and has_manual and others else "–",
        f"{manual.median / floor.median:.2f}" if manual and has_manual and floor.seconds else "–",
    ]


def _median(timing: Timing) -> str:
    return duration(timing.median) if timing.seconds else timing.verdict
