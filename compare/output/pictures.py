"""Picture files: which formats there are, whether they can be drawn, and their bytes."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backends import RequestError
from ...backends.frameworks.loading import require

FILE_FORMATS = (".png", ".svg", ".pdf")
MARKERS = ("o", "s", "^", "D", "v", "x", "P")  # lines differ by these too, not by colour alone
GLYPHS = ("●", "■", "▲", "◆", "▼", "×", "✚")  # the same in text
DASHES = ("-", "--", "-.", ":")
MULTIPLES = (0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 1, 1.2, 1.5, 2, 3, 5, 7, 10, 20, 30, 50, 100, 200, 500, 1000)
MOST_TICKS = 8  # on a scale of multiples
LABEL_POINTS = 10.0  # from one label at the end of a line to the next


@dataclass(frozen=True)
class Line:
    """A line of a chart of times.

    Attributes:
        name: written at its end.
        places: from left to right.
        points: the median and the quartiles at each, NaN where there are none.
    """

    name: str
    places: Sequence[float]
    points: Sequence[tuple[float, float, float]]


def require_drawable(path: Path) -> None:
    """Checks that a picture can be drawn, before what it shows is computed.

    Raises:
        MissingFrameworkError: matplotlib is not installed.
        RequestError: the file's name ends in no known format.
    """
    require("matplotlib", needed_by="a picture", extra="plot")
    if path.suffix.lower() not in FILE_FORMATS:
        raise RequestError(f"{path}: cannot be drawn, expected a file that ends in {', '.join(FILE_FORMATS)}")


def new_figure(width: float, height: float) -> Any:
    """An empty matplotlib figure of that size in inches, which no window and no global state knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def figure_bytes(figure: Any, suffix: str) -> bytes:
    """A figure as a file of a format such as `.svg`; the same figure gives the same bytes."""
    from matplotlib import rc_context

    content = io.BytesIO()
    with rc_context({"svg.hashsalt": "gradparity"}):  # otherwise the elements of an SVG have random names
        figure.savefig(content, format=suffix.removeprefix("."), metadata={"Date": None} if suffix == ".svg" else None)
    return content.getvalue()


def draw_lines(axes: Any, lines: Sequence[Line]) -> list[Any]:
    """Draws lines with their quartiles, by marker, dash and colour, each with its name at the right edge.

    Args:
        axes: of a figure of matplotlib; it gets a logarithmic scale.
        lines: those without a median are left out.

    Returns:
        The names, which `settle` moves apart.
    """
    axes.set_yscale("log")
    axes.grid(visible=True, which="major", linewidth=0.4)
    names = []
    for number, line in enumerate(lines):
        timed = [(place, *point) for place, point in zip(line.places, line.points, strict=True) if point[0] > 0]
        if not timed:
            continue
        medians = [point[0] for point in line.points]
        color = f"C{number % 10}"
        axes.errorbar(
            line.places,
            medians,
            yerr=[[m - low for m, low, _ in line.points], [high - m for m, _, high in line.points]],
            color=color,
            linestyle=DASHES[number % len(DASHES)],
            marker=MARKERS[number % len(MARKERS)],
            markersize=4.5,
            linewidth=1.2,
            elinewidth=1,
            capsize=2,
        )
        at_edge = axes.get_yaxis_transform()
        shown, end = f"{GLYPHS[number % len(GLYPHS)]} {line.name}", timed[-1][1]
        names.append(axes.text(1.02, end, shown, color=color, va="center", transform=at_edge, fontsize="small"))
    return names


def settle(figure: Any, names: Sequence[tuple[Any, Sequence[Any]]]) -> None:
    """Marks the multiples that there are, and moves names apart that would lie on each other.

    Args:
        figure: whose lines are all drawn.
        names: for each axes what `draw_lines` returned.
    """
    from matplotlib.ticker import NullFormatter, NullLocator

    for axes, _ in names:
        low, high = axes.get_ylim()
        shown = multiples_between(low, high)
        axes.set_yticks(shown, [f"{multiple:g}" for multiple in shown])
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(low, high)
    figure.draw_without_rendering()  # now the layout is known
    for axes, texts in names:
        low, high = (math.log(limit) for limit in axes.get_ylim())
        height = axes.bbox.height / figure.dpi * 72
        wanted = [(math.log(text.get_position()[1]) - low) / (high - low) * height for text in texts]
        for text, place in zip(texts, moved_apart(wanted, LABEL_POINTS), strict=True):
            text.set_y(math.exp(low + place / height * (high - low)))


def multiples_between(low: float, high: float) -> list[float]:
    """The multiples that are marked on a logarithmic scale, at most eight or so.

    Example:
        >>> multiples_between(0.5, 8), multiples_between(0.5, 60)
        ([0.5, 1, 1.5, 2, 5], [0.5, 1, 1.5, 2, 5, 10, 20, 50])
    """
    shown = [multiple for multiple in MULTIPLES if low <= multiple <= high]
    if len(shown) > MOST_TICKS:
        shown = [multiple for multiple in shown if f"{multiple:e}"[0] in "125" and multiple != 1.2]
    return shown


def moved_apart(places: Sequence[float], least: float) -> list[float]:
    """The places nearest to these, in their order, that are at least so far from each other.

    Example:
        >>> moved_apart([0.0, 30.0, 31.0], 10.0)
        [0.0, 25.5, 35.5]
    """
    order = sorted(range(len(places)), key=lambda number: places[number])
    groups: list[list[int]] = []
    for number in order:
        groups.append([number])
        while len(groups) > 1:
            end = _first(groups[-2], places, least) + least * len(groups[-2])
            if _first(groups[-1], places, least) >= end:
                break
            groups[-2:] = [groups[-2] + groups[-1]]
    moved = list(places)
    for group in groups:
        for step, number in enumerate(group):
            moved[number] = _first(group, places, least) + least * step
    return moved


def _first(group: Sequence[int], places: Sequence[float], least: float) -> float:
    """Where the first of a group is, whose members are as far from each other as they must be."""
    return sum(places[number] for number in group) / len(group) - least * (len(group) - 1) / 2
