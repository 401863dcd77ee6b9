"""The tables of a benchmark for a page."""

from __future__ import annotations

from collections.abc import Sequence

from ..output import markdown_table
from .display import duration
from .results import Measurement, Timing, by_cell_and_dtype, candidate_names


def markdown_tables(measurements: Sequence[Measurement]) -> str:
    """For each cell and dtype: medians, and that by hand as a multiple of the fastest other's and of the floor's."""
    groups = by_cell_and_dtype(measurements)
    return "\n".join(_medians_table(title.replace(" ", ", "), group) + "\n" for title, group in groups)


def _medians_table(title: str, measurements: Sequence[Measurement]) -> str:
    names = candidate_names(measurements)
    headings = [f"{title}: B, T, D, H", "floor", *names, "by hand ÷ fastest other", "by hand ÷ floor"]
    return markdown_table(headings, [_median_cells(measurement, names) for measurement in measurements])


def _median_cells(measurement: Measurement, names: Sequence[str]) -> list[str]:
    workload, by_name = measurement.workload, {timing.backend: timing for timing in measurement.timings}
    ratios = measurement.by_hand_to_fastest_other, measurement.to_floor(measurement.by_hand)
    return [
        f"{workload.batch_size}, {workload.seq_len}, {workload.input_size}, {workload.hidden_size}",
        duration(measurement.floor.median) if measurement.floor.seconds else "–",
        *(_median(by_name[name]) for name in names),
        *("–" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
    ]


def _median(timing: Timing) -> str:
    return duration(timing.median) if timing.seconds else timing.verdict
