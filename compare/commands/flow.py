"""`gradparity flow`: how far gradients reach back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...backends.checks import require_number
from ...backends.file_writing import write_whole
from ...backends.registry import choose_backends
from ..flow import DEFAULT_SYSTEMS, SCALES, measure_flow
from ..flow.charts import flow_figure
from ..flow.display import show_flows
from ..output import SCHEMA, console, listing_json, progress_bar, require_drawable, working
from ..systems import get_system
from .options import STANDARD_OUTPUT, BackendOption, JsonOption, ReportOption, require_targets, typed_command, write


def flow_command(
    context: typer.Context,
    systems: Annotated[
        list[str] | None,
        typer.Argument(metavar="SYSTEM", help=f"Recurrent systems. Default: {', '.join(DEFAULT_SYSTEMS)}."),
    ] = None,
    scale: Annotated[
        list[float] | None,
        typer.Option(metavar="S", help="The factor of the recurrent weights W. Repeat. Default: 0.5, 1 and 1.5."),
    ] = None,
    seq_len: Annotated[int, typer.Option(min=2, metavar="T", help="The number of steps.")] = 60,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The seed of the numbers.")] = 0,
    gate_bias: Annotated[
        float | None,
        typer.Option(metavar="B", help="What is added to the bias of the remembering gate. Default: log(T - 1)."),
    ] = None,
    backend: BackendOption = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the norms into a file: .png, .svg or .pdf.")
    ] = None,
    json: JsonOption = None,
    report: ReportOption = None,
) -> None:
    """Show how far gradients reach back from the loss of the last step.

    The chart has the norm of the gradient in the state of every step. In a
    plain cell it vanishes or explodes with the scale of W. The LSTM and the GRU
    hold it where the remembering gate is open. Every backend computes it, and
    it is shown with the verdict of the comparison.

    [bold]Examples[/bold]

    gradparity flow

    gradparity flow elman-softmax elman-window --scale 1 --seq-len 30 --plot flow.svg
    """
    require_targets(json, plot, report=report)
    if plot:
        require_drawable(plot)
    for value in scale or ():
        require_number("--scale", value)
    chosen = [get_system(name) for name in systems or DEFAULT_SYSTEMS]
    with working("loading the backends"):
        backends, notes = choose_backends(backend)
    scales = scale or list(SCALES)
    with progress_bar(len(chosen) * len(scales)) as progress:
        flows = measure_flow(
            chosen,
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
    if report is not None:
        from ..flow.report import flow_page
        from ..report import write_report

        write_report(report, flow_page(flows, typed_command(context.obj), notes))
    if json is not None:
        write(json, listing_json({"schema": SCHEMA, "flows": [flow.row() for flow in flows]}))
    if any(flow.comparison.verdict != "agree" for flow in flows):
        raise typer.Exit(1)
