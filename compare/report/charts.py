"""Charts for a page: curves with their spread, and bars. Drawn as plain SVG, in the classes that the stylesheet knows.

A figure of matplotlib would not do: its colours are those of one theme, its text is outlines that nobody can search or
have read out, and one benchmark is a quarter of a megabyte of them. A curve here has a marker, a dash and a name at its
end, so that it is told without colour, and a panel is so narrow that it can be read on a telephone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from ..output.pictures import moved_apart
from .pictures import Picture

SERIES = 8  # classes of the stylesheet
WIDTH, HEIGHT = 420.0, 250.0  # of a panel without what its labels need below
TOP = 14.0
CHARACTER = 7.0  # the width of one at 12 pixels, on average
MOST_CHARACTERS = 18  # of a name at the end of a line
LINE = 15.0  # from one name to the next
MARKS = (
    "M-3.5,0a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0Z",
    "M-3.2,-3.2H3.2V3.2H-3.2Z",
    "M0,-4L4,3.2H-4Z",
    "M0,-4.4L4.4,0L0,4.4L-4.4,0Z",
    "M0,4L4,-3.2H-4Z",
    "M-4,-2.4L-2.4,-4L0,-1.6L2.4,-4L4,-2.4L1.6,0L4,2.4L2.4,4L0,1.6L-2.4,4L-4,2.4L-1.6,0Z",
    "M-1.2,-4.2H1.2V-1.2H4.2V1.2H1.2V4.2H-1.2V1.2H-4.2V-1.2H-1.2Z",
)
DASHES = ("", "6 3", "1.5 3", "8 3 1.5 3")


@dataclass(frozen=True)
class Point:
    """A point of a curve, with the ends of its spread."""

    x: float
    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """A curve.

    Attributes:
        name: written at its end.
        points: from left to right; where one is missing, None, and the line has a gap.
    """

    name: str
    points: tuple[Point | None, ...]


@dataclass(frozen=True)
class Axis:
    """An axis of a chart.

    Attributes:
        label: what it shows.
        ticks: values and how they are written.
        low: its lower end.
        high: its upper end, above the lower one.
        is_log: whether it is logarithmic; then both ends are above 0.
    """

    label: str
    ticks: tuple[tuple[float, str], ...]
    low: float
    high: float
    is_log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, from 0 at the lower end to 1 at the upper one.

        Example:
            >>> Axis("T", (), 1.0, 100.0, is_log=True).share(10.0)
            0.5
        """
        low, high, at = (math.log(one) if self.is_log else one for one in (self.low, self.high, value))
        return (at - low) / (high - low)


@dataclass(frozen=True)
class Bar:
    """A bar.

    Attributes:
        label: written before it.
        length: from 0 on.
        text: written behind it.
        spread: the ends of a line across its end; None for no line.
    """

    label: str
    length: float
    text: str
    spread: tuple[float, float] | None = None


def line_chart(
    title: str, curves: Sequence[Curve], x: Axis, y: Axis, *, base: float | None = None, text: str, caption: str = ""
) -> Picture:
    """Curves with the spread of each point, each with its name at the right edge.

    Args:
        title: written above; empty for none.
        curves: at most as many as can be told apart. One without points is left out.
        x: from left to right.
        y: upwards.
        base: a value of y where a thick line is drawn, such as 1 of multiples.
        text: what is seen, for who does not see it.
        caption: what stands below.

    Returns:
        The picture.

    Example:
        >>> from gradparity.compare.report.charts import Axis, Curve, Point, line_chart
        >>> curve = Curve("a < b", (Point(1, 1, 1, 1), Point(2, 3, 2, 4)))
        >>> axes = (Axis("T", ((1, "1"), (2, "2")), 1, 2), Axis("ms", ((1, "1"),), 0, 4))
        >>> line_chart("", [curve], *axes, text="a grows").svg.count("a &lt; b")
        1
    """
    drawn = [(number, curve) for number, curve in enumerate(curves) if any(curve.points)]
    names = [shortened(curve.name) for _, curve in drawn]
    right = 22.0 + CHARACTER * max((len(name) for name in names), default=0)
    top = TOP + (20.0 if title else 0.0)
    left = 28.0 + _widest(y.ticks)
    widest = _widest(x.ticks)
    is_turned = widest > (WIDTH - left - right) / max(len(x.ticks), 1)
    below = (widest if is_turned else 14.0) + 34.0
    plot = _Plot(left, WIDTH - right, top, HEIGHT, x, y)
    root = Element("svg", {"viewBox": f"0 0 {WIDTH:g} {HEIGHT + below:g}", "font-size": "12"})
    if title:
        _text(root, (left + WIDTH - right) / 2, 16, title, "name", "middle").set("fill", "currentColor")
    _draw_axes(root, plot, is_turned=is_turned, foot=HEIGHT + below - 8)
    if base is not None:
        _line(root, (plot.left, plot.up(base)), (plot.right, plot.up(base)), "axis")
    ends = []
    for number, curve in drawn:
        _draw_curve(root, plot, number, curve)
        ends.append(plot.up(next(point.y for point in reversed(curve.points) if point)))
    for (number, _), name, end in zip(drawn, names, moved_apart(ends, LINE), strict=True):
        _mark(root, plot.right + 9, end, number)
        _text(root, plot.right + 17, end + 4, name, f"name series-{_series(number)}")
    return Picture(ElementTree.tostring(root, encoding="unicode"), text, caption)


def bar_chart(bars: Sequence[Bar], *, text: str, caption: str = "") -> Picture:
    """Horizontal bars from 0 on, each with its label before and its number behind it.

    Args:
        bars: from the top.
        text: what is seen, for who does not see it.
        caption: what stands below.

    Returns:
        The picture.

    Example:
        >>> from gradparity.compare.report.charts import Bar, bar_chart
        >>> bar_chart([Bar("f", 1.0, "1.00"), Bar("g", 3.0, "3.00")], text="f is the faster one").svg.count("<rect")
        2
    """
    labels = [shortened(bar.label, 26) for bar in bars]
    left = 12.0 + CHARACTER * max((len(label) for label in labels), default=0)
    right = 12.0 + CHARACTER * max((len(bar.text) for bar in bars), default=0)
    longest = max((max(bar.length, *(bar.spread or (0.0,))) for bar in bars), default=0.0) or 1.0
    scale = (WIDTH - left - right) / longest
    step = 22.0
    root = Element("svg", {"viewBox": f"0 0 {WIDTH:g} {step * len(bars) + 8:g}", "font-size": "12"})
    for number, (bar, label) in enumerate(zip(bars, labels, strict=True)):
        up, length = 4 + step * number, bar.length * scale
        _text(root, left - 6, up + 15, label, "label", "end")
        _add(root, "rect", "band-1", x=left, y=up + 3, width=length, height=step - 6)
        if bar.spread:
            low, high = (left + end * scale for end in bar.spread)
            _line(root, (low, up + step / 2), (high, up + step / 2), "series-1")
        end = max(bar.length, *(bar.spread or (0.0,))) * scale
        _text(root, left + end + 6, up + 15, bar.text, "label")
    _line(root, (left, 2), (left, step * len(bars) + 6), "axis")
    return Picture(ElementTree.tostring(root, encoding="unicode"), text, caption)


def shortened(name: str, most: int = MOST_CHARACTERS) -> str:
    """A name with at most so many characters: its start and its end.

    Example:
        >>> shortened("gradients_of_the_lstm.py:backward")
        'gradients…backward'
    """
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"


def _widest(ticks: Sequence[tuple[float, str]]) -> float:
    return CHARACTER * max((len(tick) for _, tick in ticks), default=0)


@dataclass(frozen=True)
class _Plot:
    """Where curves are drawn: its edges, and its axes."""

    left: float
    right: float
    top: float
    bottom: float
    x: Axis
    y: Axis

    def along(self, value: float) -> float:
        return self.left + self.x.share(value) * (self.right - self.left)

    def up(self, value: float) -> float:
        return self.bottom - self.y.share(value) * (self.bottom - self.top)


def _draw_axes(root: Element, plot: _Plot, *, is_turned: bool, foot: float) -> None:
    for value, tick in plot.y.ticks:
        up = plot.up(value)
        _line(root, (plot.left, up), (plot.right, up), "grid")
        _text(root, plot.left - 6, up + 4, tick, "label", "end")
    for value, tick in plot.x.ticks:
        along = plot.along(value)
        _line(root, (along, plot.bottom), (along, plot.bottom + 4), "axis")
        written = _text(root, along, plot.bottom + 17, tick, "label", "middle")
        if is_turned:
            written.set("text-anchor", "end")
            written.set("transform", f"rotate(-90 {along:.1f} {plot.bottom + 9:.1f})")
            written.set("x", f"{along:.1f}")
            written.set("y", f"{plot.bottom + 13:.1f}")
    _line(root, (plot.left, plot.bottom), (plot.right, plot.bottom), "axis")
    _text(root, (plot.left + plot.right) / 2, foot, plot.x.label, "label", "middle")
    middle = (plot.top + plot.bottom) / 2
    label = _text(root, 11, middle, plot.y.label, "label", "middle")
    label.set("transform", f"rotate(-90 11 {middle:.1f})")


def _draw_curve(root: Element, plot: _Plot, number: int, curve: Curve) -> None:
    class_name, dash = f"series-{_series(number)}", DASHES[number % len(DASHES)]
    runs: list[list[Point]] = [[]]
    for point in curve.points:
        if point:
            runs[-1].append(point)
        elif runs[-1]:
            runs.append([])
    for run in runs:
        if len(run) > 1:
            corners = " ".join(f"{plot.along(point.x):.1f},{plot.up(point.y):.1f}" for point in run)
            line = _add(root, "polyline", class_name, points=corners, fill="none")
            if dash:
                line.set("stroke-dasharray", dash)
    shown = [point for point in curve.points if point]
    for place, point in enumerate(shown):
        along = plot.along(point.x)
        if point.high > point.low:
            _line(root, (along, plot.up(point.low)), (along, plot.up(point.high)), class_name)
        if place % max(1, len(shown) // 12) == 0:
            _mark(root, along, plot.up(point.y), number)


def _series(number: int) -> int:
    return number % SERIES + 1


def _mark(root: Element, along: float, up: float, number: int) -> None:
    shape = MARKS[number % len(MARKS)]
    _add(root, "path", f"dot series-{_series(number)}", d=shape, transform=f"translate({along:.1f} {up:.1f})")


def _line(root: Element, start: tuple[float, float], end: tuple[float, float], class_name: str) -> None:
    _add(root, "line", class_name, x1=start[0], y1=start[1], x2=end[0], y2=end[1])


def _text(root: Element, along: float, up: float, text: str, class_name: str, anchor: str = "start") -> Element:
    element = _add(root, "text", class_name, x=along, y=up)
    if anchor != "start":
        element.set("text-anchor", anchor)
    element.text = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return element


def _add(root: Element, tag: str, class_name: str, **attributes: float | str) -> Element:
    written = {name: value if isinstance(value, str) else f"{value:.1f}" for name, value in attributes.items()}
    return ElementTree.SubElement(root, tag, {"class": class_name, **written})
