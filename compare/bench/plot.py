"""The picture of a benchmark: time per step against size, one line a backend, the floor dashed."""

from __future__ import annotations

from collections.abc import Sequence

from ..output import MARKERS, figure_bytes, new_figure
from .results import FLOOR, Measurement, candidate_names


def bench_figure(measurements: Sequence[Measurement], suffix: str) -> bytes:
    """The measurements as a picture of the file format, such as `.svg`; a panel for each cell and dtype."""
    cells = list(dict.fromkeys(measurement.workload.cell for measurement in measurements))
    dtypes = list(dict.fromkeys(measurement.workload.dtype for measurement in measurements))
    names = candidate_names(measurements)
    figure = new_figure(1 + 3.6 * len(cells), 1 + 3.1 * len(dtypes))
    panels = figure.subplots(len(dtypes), len(cells), squeeze=False, sharex="col")
    for row, dtype in enumerate(dtypes):
        for column, cell in enumerate(cells):
            axes = panels[row][column]
            in_panel = [one for one in measurements if (one.workload.cell, one.workload.dtype) == (cell, dtype)]
            for number, name in enumerate((*names, FLOOR)):
                points = sorted(
                    (measurement.workload.work_per_step, 1e6 * measurement.seconds_per_step(timing))
                    for measurement in in_panel
                    for timing in measurement.timings
                    if timing.backend == name and timing.seconds
                )
                is_floor = name == FLOOR
                axes.plot(
                    [work for work, _ in points],
                    [time for _, time in points],
                    color="0.3" if is_floor else f"C{number}",
                    linestyle="--" if is_floor else "-",
                    marker="" if is_floor else MARKERS[number % len(MARKERS)],
                    markersize=4,
                    linewidth=1.2,
                    label=name,
                )
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_title(f"{cell}, {dtype}", fontsize="medium")
            axes.grid(visible=True, which="major", linewidth=0.4)
            if row == len(dtypes) - 1:
                axes.set_xlabel("multiply-adds per step")
            if column == 0:
                axes.set_ylabel("µs per time step")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize="small")
    return figure_bytes(figure, suffix)
