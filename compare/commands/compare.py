"""`gradparity compare`: the main job."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ...backends import RequestError
from ...backends.files import require_folder
from ...backends.frameworks.loading import require
from ...backends.registry import choose_backends
from ..campaign import CaseResult, LeftOut, plan, run_cases, save_cases, without_gradients
from ..campaign.display import CampaignReport, show
from ..campaign.export import campaign_json
from ..output import console, progress_bar, terminal_svg, working
from ..systems import Learning
from .options import STANDARD_OUTPUT, JsonOption, SvgOption, require_targets, write


def compare_command(
    context: typer.Context,
    systems: Annotated[
        list[str] | None, typer.Argument(metavar="SYSTEM", help="Names from `gradparity systems`. Default: all.")
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name from `gradparity backends`, or module:object. Repeat. Default: all but those on request.",
        ),
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
    svg: SvgOption = None,
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
    require_targets(json, svg)
    if save_case:
        require_folder(save_case)
    if certify:
        require("flint", needed_by="--certify", extra="certify", package="python-flint")
    with working("loading the backends"):
        backends, notes = choose_backends(backend)
    cases, more_notes = plan(
        systems=systems or (),
        dtypes=dtype or (),
        seeds=seed or (),
        data=data or (),
        files=case or (),
        learning=Learning(steps, learning_rate, batch_size, until),
    )
    with progress_bar(len(cases)) as progress:
        outcomes = run_cases(cases, backends, progress, certify=certify)
    results = [outcome for outcome in outcomes if isinstance(outcome, CaseResult)]
    left_out = [
        f"{result.case.label}: {result.comparison.uncertified}" for result in results if result.comparison.uncertified
    ]
    left_out += [
        f"{outcome.label} was left out: {outcome.reason}" for outcome in outcomes if isinstance(outcome, LeftOut)
    ]
    if not results:
        raise RequestError(f"nothing could be compared: {left_out[0]}")
    saved = save_cases(results, save_case) if save_case else {}
    seconds = time.perf_counter() - started
    notes += [*more_notes, *left_out, *without_gradients(results)]
    report = CampaignReport(results, list(backends), notes, seconds, saved)
    show(report, console(stderr=json == STANDARD_OUTPUT))
    if json is not None:
        write(json, campaign_json(results))
    if svg is not None:
        write(str(svg), terminal_svg(context.obj, svg, lambda on: show(report, on)))
    if report.wrong:
        raise typer.Exit(1)
