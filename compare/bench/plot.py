"""The picture of a benchmark: time per step against size, one line a backend, the floor dashed."""

from __future__ import annotations

import io
from collections.abc import Sequence

from .results import FLOOR, Measurement

MARKERS = ("o", "s", "^", "D", "v", "x", "P")


def bench_figure(measurements: Sequence[Measurement], suffix: str) -> bytes:
    """The measurements as a picture of the file format, a panel for each cell and dtype."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    cells = list(dict.fromkeys(each.workload.cell for each in measurements))
    dtypes = list(dict.fromkeys(each.workload.dtype for each in measurements))
    names = list(dict.fromkeys(timing.backend for each in measurements for timing in each.candidates))
    figure = Figure(figsize=(1 + 3.6 * len(cells), 1 + 3.1 * len(dtypes)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(dtypes), len(cells), squeeze=False, sharex="col")
    for row, dtype in enumerate(dtypes):
        for column, cell in enumerate(cells):
            axes = panels[row][column]
            of_panel = [each for each in measurements if (each.workload.cell, each.workload.dtype) == (cell, dtype)]
            for number, name in enumerate((*names, FLOOR)):
                points = sorted(
                    (each.workload.work_per_step, 1e6 * timing.median / each.workload.seq_len)
                    for each in of_panel
                    for timing in each.timings
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
    content = io.BytesIO()
    figure.savefig(content, format=suffix.removeprefix("."), metadata={"Date": None} if suffix == ".svg" else None)
    return content.getvalue()
