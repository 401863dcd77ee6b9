"""`gradparity flow`: how far gradients reach back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...backends.checks import require_number
from ...backends.files import write_whole
from ...backends.registry import choose_backends
from ..flow import DEFAULT_SYSTEMS, SCALES, flow_figure, measure_flow, show_flows
from ..output import SCHEMA, console, listing_json, progress_bar, require_drawable, working
from ..systems import get_system
from .options import STANDARD_OUTPUT, BackendOption, JsonOption, require_targets, write


def flow_command(
    systems: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYSTEM", help="Recurrent systems. Default: elman-softmax, elman-relu, lstm, gru."),
    ] = None,
    scale: Annotated[
        list[float] | None, typer.Option(metavar="S", help="Multiplies W. Repeat. Default: 0.5, 1 and 1.5.")
    ] = None,
    seq_len: Annotated[int, typer.Option(min=2, metavar="T", help="How many steps.")] = 60,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Of the numbers.")] = 0,
    gate_bias: Annotated[
        float | None,
        typer.Option(metavar="B", help="Added to the bias of the gate that remembers. Default: log(T - 1)."),
    ] = None,
    backend: BackendOption = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it into a .png, .svg or .pdf, too.")] = None,
    json: JsonOption = None,
) -> None:
    """Show how far the loss of the last step reaches back: the norm of its gradient in the state of every step.

    In a plain cell it vanishes or explodes with the scale of W; the LSTM and the GRU hold it where the gate that
    remembers is open. What is shown was computed by every backend, and is shown with their verdict.

    [bold]Examples[/bold]

    gradparity flow

    gradparity flow elman-softmax elman-window --scale 1 --seq-len 30 --plot flow.svg
    """
    require_targets(json, plot)
    if plot:
        require_drawable(plot)
    for value in scale or ():
        require_number("--scale", value)
    asked = [get_system(name) for name in systems or DEFAULT_SYSTEMS]
    with working("loading the backends"):
        backends, notes = choose_backends(backend)
    scales = scale or list(SCALES)
    with progress_bar(len(asked) * len(scales)) as progress:
        flows = measure_flow(
            asked,
            scales,
            list(backends.values()),
            seq_len=seq_len,
            seed=seed,
            gate_bias=gate_bias,
            progress=progress,
        )
    drawn = flow_figure(flows, plot.suffix.lower()) if plot else b""
    show_flows(flows, notes, console(stderr=json == STANDARD_OUTPUT))
    if plot:
        write_whole(plot, drawn)
    if json is not None:
        write(json, listing_json({"schema": SCHEMA, "flows": [flow.row() for flow in flows]}))
    if any(flow.comparison.verdict != "agree" for flow in flows):
        raise typer.Exit(1)
