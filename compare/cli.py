"""The command line: `gradparity`, or `python -m gradparity.compare`."""

from __future__ import annotations

import io
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from ..backends import RequestError
from ..backends.checks import require_dtype, require_number
from ..backends.files import require_folder, require_writable, write_whole
from ..backends.frameworks import require
from . import campaign, charts
from .catalogue import SEEDS, get_system
from .check import check_derivation
from .check_display import show_check
from .cli_sweep import sweep_command
from .console import console, working
from .derivation import load_function
from .display import (
    CampaignReport,
    listing_table,
    picture,
    progress_bar,
    show,
    show_flows,
)
from .export import SCHEMA, campaign_json, check_json, flow_rows, listing_json
from .flow import DEFAULT_SYSTEMS, SCALES, measure_flow
from .listings import backend_rows, system_rows

app = typer.Typer(
    name="gradparity",
    help="A referee for recurrent gradients: derived by hand in NumPy, by PyTorch's autograd and by JAX's.",
    epilog="Exit codes: 0 all agree · 1 something disagrees or is undecidable · 2 the request was wrong.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


JsonOption = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write JSON to FILE; - means standard output.")
]


@app.command("compare")
def compare_command(
    context: typer.Context,
    systems: Annotated[
        list[str] | None, typer.Argument(metavar="SYSTEM", help="Names from `gradparity systems`. Default: all.")
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A name from `gradparity backends`, or module:object. Repeat. Default: all."),
    ] = None,
    dtype: Annotated[
        list[str] | None, typer.Option(metavar="DTYPE", help="float64 or float32. Repeat. Default: both.")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(min=0, metavar="N", help="Repeat. Default: 0, 1 and 2.")] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="DATA", help="digits, sunspots, FILE.txt (next character) or FILE.csv. Repeat."),
    ] = None,
    case: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.npz", help="A saved case, instead of systems. Repeat.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Let every backend learn for N steps, and compare the ways.")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(metavar="RATE", help="Of gradient descent.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Samples in a batch of learning. Default: all.")
    ] = None,
    until: Annotated[
        float | None, typer.Option(metavar="PART", help="Stop learning when the loss changes by less than this part.")
    ] = None,
    certify: Annotated[
        bool, typer.Option("--certify", help="Enclose the exact answer, and measure every backend against it.")
    ] = False,
    save_case: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save every case that is no agreement in DIR.")
    ] = None,
    json: JsonOption = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table as a picture, too.")] = None,
) -> None:
    """Ask every backend for the same loss and gradients, and say whether they agree.

    Without arguments: the whole catalogue and the real data sets, in both dtypes, on all installed backends.

    [bold]Examples[/bold]

    gradparity compare elman-softmax --backend torch --backend jax --seed 7

    gradparity compare --data my_novel.txt --dtype float32

    gradparity compare elman-relu --backend my_module:backend --save-case cases

    gradparity compare lstm --data digits --steps 300 --learning-rate 1
    """
    started = time.perf_counter()
    for target in (json if json != "-" else None, svg):
        if target is not None:
            require_writable(Path(target))
    if save_case:
        require_folder(save_case)
    if certify:
        require("flint", needed_by="--certify", extra="certify", package="python-flint")
    with working("loading the backends"):
        backends, notes = campaign.choose_backends(backend)
    cases, more_notes = campaign.plan(
        systems=systems or (),
        dtypes=dtype or (),
        seeds=seed or (),
        data=data or (),
        files=case or (),
        learning=campaign.Learning(steps, learning_rate, batch_size, until),
    )
    with progress_bar(len(cases)) as progress:
        outcomes = campaign.run(cases, backends, progress, certify=certify)
    results = [each for each in outcomes if isinstance(each, campaign.CaseResult)]
    left_out = [f"{each.case.label}: {each.uncertified}" for each in results if each.uncertified]
    left_out += [f"{each.label} was left out: {each.reason}" for each in outcomes if isinstance(each, campaign.LeftOut)]
    if not results:
        raise RequestError(f"nothing could be compared: {left_out[0]}")
    saved = campaign.save_cases(results, save_case) if save_case else {}
    seconds = time.perf_counter() - started
    report = CampaignReport(results, list(backends), [*notes, *more_notes, *left_out], seconds, saved)
    show(report, console(stderr=json == "-"))
    if json is not None:
        _write(json, campaign_json(results))
    if svg is not None:
        shown = [each for each in context.obj if each not in ("--svg", str(svg), f"--svg={svg}")]
        write_whole(svg, picture(report, shlex.join(["gradparity", *shown])).encode())
    if report.wrong:
        raise typer.Exit(1)


@app.command("check")
def check_command(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="MODULE:FUNCTION, or FILE.py:FUNCTION.")],
    system: Annotated[
        str, typer.Option(metavar="NAME", help="What it is the gradient of: a name from `gradparity systems`.")
    ] = "elman-softmax",
    seed: Annotated[list[int] | None, typer.Option(min=0, metavar="N", help="Repeat. Default: 0, 1 and 2.")] = None,
    dtype: Annotated[str, typer.Option(metavar="DTYPE", help="float64 or float32.")] = "float64",
    save_case: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save the smallest problem that fails in DIR.")
    ] = None,
    json: JsonOption = None,
) -> None:
    """Judge a gradient that you derived by hand.

    The function gets (params, inputs, targets, h0), an LSTM's c0 too, and returns (loss, gradients), with the gradients
    as a dict of arrays: {"U": dU, "W": dW, "b": db, "V": dV, "c": dc}. It may leave some out, and may return the
    adjoints of every step as a third value. Everything is time-major; inputs are (T, B, D).

    [bold]Examples[/bold]

    gradparity check my_module:my_gradients

    gradparity check my_lstm.py:backward --system lstm --save-case cases
    """
    if json not in (None, "-"):
        require_writable(Path(json))
    if save_case:
        require_folder(save_case)
    function = load_function(target)
    with working("loading") as status, redirect_stdout(sys.stderr):
        name = require_dtype(dtype).name
        check = check_derivation(function, system, seeds=seed or SEEDS, dtype=name, progress=status.update)
    failing = check.smallest or check.first_wrong
    case = failing.problem.save_in(save_case, check.system) if save_case and failing else None
    show_check(check, case, console(stderr=json == "-"))
    if json is not None:
        _write(json, check_json(check))
    if check.verdict != "agree":
        raise typer.Exit(1)


@app.command("flow")
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
    backend: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="As in `gradparity compare`. Repeat. Default: all.")
    ] = None,
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
    for target in (json if json != "-" else None, plot):
        if target is not None:
            require_writable(Path(target))
    if plot:
        charts.require_drawable(plot)
    for value in scale or ():
        require_number("--scale", value)
    asked = [get_system(name) for name in systems or DEFAULT_SYSTEMS]
    with working("loading the backends"):
        backends, notes = campaign.choose_backends(backend)
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
    drawn = charts.picture(flows, plot.suffix.lower()) if plot else b""
    show_flows(flows, notes, console(stderr=json == "-"))
    if plot:
        write_whole(plot, drawn)
    if json is not None:
        _write(json, listing_json({"schema": SCHEMA, "flows": flow_rows(flows)}))
    if any(flow.comparison.verdict != "agree" for flow in flows):
        raise typer.Exit(1)


app.command("sweep")(sweep_command)


@app.command("systems")
def systems_command(json: JsonOption = None) -> None:
    """List the systems of the catalogue."""
    _show_listing("systems", system_rows(), json)


@app.command("backends")
def backends_command(json: JsonOption = None) -> None:
    """List the backends, and what is missing for those that cannot be used."""
    _show_listing("backends", backend_rows(), json)


def _show_listing(name: str, rows: list[dict[str, object]], json: str | None) -> None:
    if json != "-":
        console().print(listing_table(rows))
    if json is not None:
        _write(json, listing_json({"schema": SCHEMA, name: rows}))


def _write(target: str, text: str) -> None:
    if target == "-":
        sys.stdout.write(text)
    else:
        write_whole(Path(target), text.encode())


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with its code; a wrong request is one line on standard error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # an ASCII terminal gets a question mark for a dash
    sys.path.insert(0, "")  # the current folder, so that module:object finds a module that lies here, as with python -m
    try:
        code = app(given or ["--help"], prog_name="gradparity", standalone_mode=False, obj=given)
    except TyperException as error:
        code = _refuse(error.format_message())
    except RequestError as error:
        code = _refuse(str(error))
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    if code == 130:
        print("gradparity: interrupted", file=sys.stderr)
    sys.exit(code)


def _refuse(message: str) -> int:
    print(f"gradparity: {' '.join(message.split())}", file=sys.stderr)
    return 2
