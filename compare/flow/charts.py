"""Charts of gradient flow: in the terminal by plotext, in a file by matplotlib. Both on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from math import floor, log10

import numpy as np

from ...backends.frameworks.loading import require
from ..output import MARKERS, figure_bytes, new_figure
from .measurement import GradientFlow

TERMINAL_HEIGHT = 22
MAX_WIDTH = 120
TITLE = "Gradient flow: how far the loss of the last step reaches back"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
DASHES = ("-", "--", ":", "-.")


def terminal_chart(flows: Sequence[GradientFlow], width: int) -> str:
    """The flows as text, each drawn with a letter of its own.

    Args:
        flows: what to draw.
        width: of the terminal, in columns.

    Raises:
        MissingFrameworkError: plotext is not installed.
    """
    require("plotext", needed_by="the terminal chart", extra="plot")
    import plotext

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(min(width, MAX_WIDTH), TERMINAL_HEIGHT)
    low, high = decades_of(flows)
    for flow, letter in zip(flows, cycle(LETTERS), strict=False):
        shown = [t for t in range(len(flow.norms)) if flow.norms[t] > 0 and np.isfinite(flow.norms[t])]
        plotext.plot(shown, [log10(flow.norms[t]) for t in shown], marker=letter)
    ticks = range(low, high + 1, max(1, (high - low) // 6))
    plotext.yticks(list(ticks), [f"1e{tick:+03d}" for tick in ticks])
    plotext.ylim(low, high)
    plotext.xlabel("t")
    plotext.title("‖∂L_T/∂h_t‖")
    drawn = plotext.uncolorize(plotext.build())
    plotext.clear_figure()
    return "\n".join(line.rstrip() for line in drawn.splitlines())


def flow_figure(flows: Sequence[GradientFlow], suffix: str) -> bytes:
    """The flows as a picture of a format such as `.svg`; lines differ by dash and marker, not by colour alone."""
    figure = new_figure(8, 5)
    axes = figure.add_subplot()
    axes.set_yscale("log")
    axes.set_ylim(*(10.0**decade for decade in decades_of(flows)))  # beforehand, so that nothing is scaled to the data
    systems = list(dict.fromkeys(flow.system for flow in flows))
    scales = list(dict.fromkeys(flow.scale for flow in flows))
    for flow in flows:
        system, scale = systems.index(flow.system), scales.index(flow.scale)
        t = np.arange(len(flow.norms))
        axes.plot(
            t,
            np.where((flow.norms > 0) & (flow.norms < 1e300), flow.norms, np.nan),
            linestyle=DASHES[scale % len(DASHES)],
            marker=MARKERS[system % len(MARKERS)],
            markevery=max(1, len(t) // 12),
            markersize=5,
            color=f"C{system}",
            label=f"{flow.label} ({flow.character})",
        )
    axes.set_xlabel("time step $t$")
    axes.set_ylabel(r"$\Vert \partial L_T / \partial h_t \Vert$")
    axes.set_title(TITLE)
    axes.grid(visible=True, which="major", linewidth=0.4)
    axes.legend(fontsize="small", title="system × scale of W")
    with np.errstate(all="ignore"):  # matplotlib looks beyond the axes, which may be out of range
        return figure_bytes(figure, suffix)


def decades_of(flows: Sequence[GradientFlow]) -> tuple[int, int]:
    """The exponents of ten between which all finite norms lie; at most 60 decades, the uppermost."""
    norms = np.concatenate([flow.norms for flow in flows])
    norms = norms[(norms > 0) & np.isfinite(norms)]
    if not len(norms):
        return -1, 1
    low, high = floor(log10(norms.min())), floor(log10(norms.max())) + 1
    high = min(high, 300)  # matplotlib computes beyond the axes
    return max(low, high - 60), max(high, low + 1)
