"""The picture of a benchmark of functions: times as multiples of the fastest, against what grows, or as bars."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..bench.display import duration
from ..output import Line, draw_lines, figure_bytes, new_figure, settle
from .display import function_names
from .results import FunctionBench, FunctionMeasurement
from .targets import Growth


def function_figure(bench: FunctionBench, suffix: str) -> bytes:
    """The times as a picture of the file format, such as `.svg`.

    A panel for each growth and dtype: along it the median as a multiple of the fastest one's there, with its quartiles.
    Without a growth a bar for each function, with its median.
    """
    charts = [(growth, dtype) for growth in bench.growths for dtype in bench.dtypes]
    panels: list[tuple[Growth | None, str]] = [*charts] or [(None, dtype) for dtype in bench.dtypes]
    figure = new_figure(1.6 + 4.2 * len(panels), 3.6 if charts else 1.2 + 0.4 * len(function_names(bench)))
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    ends = []
    for axes, (growth, dtype) in zip(row, panels, strict=True):
        axes.set_title(dtype, fontsize="medium")
        if growth is None:
            (measurement,) = (one for one in bench.measurements if one.case.dtype == dtype)
            _draw_bars(axes, function_names(bench), measurement)
        else:
            ends.append((axes, _draw_growth(axes, bench, growth, dtype)))
    settle(figure, ends)
    return figure_bytes(figure, suffix)


def _draw_growth(axes: Any, bench: FunctionBench, growth: Growth, dtype: str) -> list[Any]:
    series = bench.series(growth, dtype)
    sizes = [one.case.sizes[0][1] for one in series]
    lines = [Line(name, sizes, [_point(one, name) for one in series]) for name in function_names(bench)]
    names = draw_lines(axes, lines)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel(growth.name)
    axes.set_ylabel("× fastest")
    return names


def _point(measurement: FunctionMeasurement, name: str) -> tuple[float, float, float]:
    """The median and the quartiles as multiples of the fastest median; NaN of a function without times."""
    timing = measurement.of(name)
    multiple = measurement.to_fastest(timing)
    if multiple is None:
        return math.nan, math.nan, math.nan
    lower, upper = (quartile * multiple / timing.median for quartile in timing.quartiles)
    return multiple, lower, upper


def _draw_bars(axes: Any, names: Sequence[str], measurement: FunctionMeasurement) -> None:
    largest = 1.0
    for place, name in enumerate(names):
        timing = measurement.of(name)
        if timing.seconds:
            median, lower, upper = _point(measurement, name)
            largest = max(largest, upper)
            axes.barh(place, median, xerr=[[median - lower], [upper - median]], color="0.75", height=0.6, capsize=2)
            axes.text(upper, place, f"  {median:.2f} ({duration(timing.median)})", va="center", fontsize="small")
        else:
            axes.text(0, place, f"  {timing.verdict}", va="center", fontsize="small")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1.3 * largest)  # the rest is for what is written at the longest bar
    axes.set_xlabel("× fastest")
