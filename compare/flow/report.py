"""Gradient flow as a page in HTML: a chart for each system, and the table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from ..referee import explain
from ..referee.report import TONES
from ..report import (
    Cell,
    Column,
    Copyable,
    Facts,
    Fold,
    Gallery,
    Mark,
    Page,
    Part,
    Picture,
    Preformatted,
    Prose,
    Row,
    Section,
    Table,
    worst_tone,
)
from ..report.charts import Axis, Curve, Point, line_chart
from ..report.origin import environment_section, made_by
from .charts import decades_of
from .measurement import GradientFlow

PLURAL = {"vanishes": "vanish", "explodes": "explode", "holds": "hold", "stops": "stop", "overflows": "overflow"}
MOST_TICKS = 7
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
TEXT = (
    "The norm ‖∂L_T/∂h_t‖ of the gradient that the loss of the last step has in the state of step t: the root of its "
    "mean square over the batch. All charts have one scale. A gradient vanishes or explodes if it changes by a factor "
    "of 1000 over all steps, and holds otherwise. Every backend computes it; the verdict is on their answers."
)


def flow_page(flows: Sequence[GradientFlow], command: str, notes: Sequence[str] = ()) -> Page:
    """A page with the flows.

    Args:
        flows: of every system and scale.
        command: that made it.
        notes: on backends that are not installed.

    Returns:
        The page.
    """
    tone = worst_tone(TONES[flow.comparison.verdict] for flow in flows)
    systems = dict.fromkeys(flow.system for flow in flows)
    charts = tuple(_chart([flow for flow in flows if flow.system == system], flows) for system in systems)
    parts: list[Part] = [Section("How far gradients reach back", (Prose(TEXT), Gallery(charts))), _table(flows)]
    disagreeing = [flow for flow in flows if flow.comparison.verdict != "agree"]
    folds = tuple(
        Fold(f"{flow.label}: {flow.comparison.verdict}", (Preformatted(explain(flow.comparison), "What was found"),))
        for flow in disagreeing
    )
    parts += [Section("Without agreement", folds)] if folds else []
    said = tuple(Prose(f"Note: {note}") for note in notes)
    parts += [Section("What was asked", (Copyable(command, "The command"), _asked(flows), *said))]
    parts += [environment_section()]
    return Page("gradparity flow", Mark(flow_conclusion(flows), tone), tuple(parts), made_by())


def flow_conclusion(flows: Sequence[GradientFlow]) -> str:
    """`12 flows: 4 vanish, 1 explodes, 7 hold; the backends agree on 12`.

    Example:
        >>> from types import SimpleNamespace
        >>> import numpy as np
        >>> agreed = SimpleNamespace(verdict="agree")
        >>> flow_conclusion([GradientFlow("lstm", 1.0, np.array([0.5, 1.0]), agreed)])
        '1 flow: 1 holds; the backends agree on 1'
        >>> flow_conclusion([GradientFlow("rnn", scale, np.array([1e-9, 1.0]), agreed) for scale in (0.5, 1.0)])
        '2 flows: 2 vanish; the backends agree on 2'
    """
    counts = Counter(flow.character for flow in flows)
    said = ", ".join(f"{count} {word if count == 1 else PLURAL[word]}" for word, count in counts.items())
    agreed = sum(flow.comparison.verdict == "agree" for flow in flows)
    return f"{len(flows)} flow{'s' * (len(flows) != 1)}: {said}; the backends agree on {agreed}"


def _chart(flows: Sequence[GradientFlow], everything: Sequence[GradientFlow]) -> Picture:
    """The flows of a system at every scale."""
    low, high = decades_of(everything)
    steps = max(len(flow.norms) for flow in everything) - 1
    every = max(1, math.ceil((high - low) / MOST_TICKS))
    ticks = tuple((10.0**power, f"10{str(power).translate(SUPERSCRIPTS)}") for power in range(low, high + 1, every))
    jump = max(1, steps // 6)
    x = Axis("step t", tuple((t, str(t)) for t in range(0, steps + 1, jump)), 0, steps)
    curves = [
        Curve(f"W × {flow.scale:g}", tuple(_point(t, norm, low, high) for t, norm in enumerate(flow.norms.tolist())))
        for flow in flows
    ]
    said = "; ".join(f"W × {flow.scale:g} {flow.character}" for flow in flows)
    y = Axis("‖∂L_T/∂h_t‖", ticks, 10.0**low, 10.0**high, is_log=True)
    return line_chart(flows[0].system, curves, x, y, text=f"{flows[0].system}: {said}")


def _point(t: int, norm: float, low: int, high: int) -> Point | None:
    """A point, where it lies on the scale."""
    return Point(t, norm, norm, norm) if 10.0**low <= norm <= 10.0**high else None


def _table(flows: Sequence[GradientFlow]) -> Section:
    texts = (Column("system"), Column("× W", is_number=True))
    numbers = tuple(Column(heading, is_number=True) for heading in ("t = 0", "t = T", "per step"))
    rows: tuple[Row, ...] = tuple(
        (
            *(flow.system, Cell(f"{flow.scale:g}", flow.scale)),
            *(_number(norm, ".1e") for norm in (float(flow.norms[0]), float(flow.norms[-1]))),
            *(_number(flow.factor, ".3f"), flow.character),
            Mark(flow.comparison.verdict, TONES[flow.comparison.verdict], flow.comparison.strength),
        )
        for flow in flows
    )
    table = Table("Norms at both ends", (*texts, *numbers, Column("gradient"), Column("verdict")), rows)
    return Section("All flows", (table,))


def _number(value: float, form: str) -> Cell:
    return Cell(f"{value:{form}}", value if math.isfinite(value) else None)


def _asked(flows: Sequence[GradientFlow]) -> Facts:
    problem = flows[0].comparison.problem
    backends = dict.fromkeys(name for flow in flows for name in flow.comparison.answers)
    return Facts(
        (
            ("systems", ", ".join(dict.fromkeys(flow.system for flow in flows))),
            ("factors of W", ", ".join(f"{scale:g}" for scale in dict.fromkeys(flow.scale for flow in flows))),
            ("steps", str(len(flows[0].norms) - 1)),
            ("samples", str(problem.batch_size)),
            ("dtype", problem.dtype.name),
            ("backends", ", ".join(backends)),
        )
    )
