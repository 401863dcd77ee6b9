"""The picture of a benchmark: times as multiples of the floor, against size."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..output import Line, draw_lines, figure_bytes, new_figure, settle
from .results import Measurement, candidate_names, sizes_by_work


def bench_figure(measurements: Sequence[Measurement], suffix: str) -> bytes:
    """The measurements as a picture of the file format, such as `.svg`: a panel for each cell and dtype.

    From left to right the sizes in the order of their work, upwards the median as a multiple of the floor's, with its
    quartiles.
    """
    cells = list(dict.fromkeys(measurement.workload.cell for measurement in measurements))
    dtypes = list(dict.fromkeys(measurement.workload.dtype for measurement in measurements))
    sizes = sizes_by_work(measurements)
    figure = new_figure(0.8 + 4.4 * len(dtypes), 1.4 + 2.6 * len(cells))
    panels = figure.subplots(len(cells), len(dtypes), squeeze=False, sharex=True, sharey=True)
    ends = []
    for row, cell in enumerate(cells):
        for column, dtype in enumerate(dtypes):
            axes = panels[row][column]
            in_panel = {
                one.workload.size: one
                for one in measurements
                if (one.workload.cell, one.workload.dtype) == (cell, dtype)
            }
            axes.set_title(f"{cell}, {dtype}", fontsize="medium")
            axes.set_xlim(-0.4, len(sizes) - 0.6)
            axes.set_xticks(range(len(sizes)), list(sizes.values()), rotation=90, fontsize="small")
            if row == len(cells) - 1:
                axes.set_xlabel("B, T, D, H")
            if column == 0:
                axes.set_ylabel("× floor")
            lines = [_line(name, [in_panel.get(size) for size in sizes]) for name in candidate_names(measurements)]
            ends.append((axes, draw_lines(axes, lines)))
            axes.axhline(1, color="0.3", linewidth=1.2)
    figure.suptitle("Time as a multiple of the floor, which is the matrix products alone", fontsize="medium")
    settle(figure, ends)
    return figure_bytes(figure, suffix)


def _line(name: str, measurements: Sequence[Measurement | None]) -> Line:
    """A backend at every size; nothing where it has no times."""
    nothing = math.nan, math.nan, math.nan
    points = [(one.spread_to_floor(name) if one else None) or nothing for one in measurements]
    return Line(name, tuple(range(len(points))), tuple(points))
