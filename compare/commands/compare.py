"""`gradparity compare`: whether all backends agree."""

from __future__ import annotations

import time
from math import inf
from pathlib import Path
from typing import Annotated

import typer

from ...backends import RequestError
from ...backends.file_writing import require_folder
from ...backends.frameworks.loading import require
from ...backends.models import Traced
from ...backends.registry import ENGINES, choose_backends, load_backends
from ..campaign import (
    CampaignReport,
    CaseResult,
    campaign_notes,
    plan,
    require_affordable_cases,
    run_cases,
    save_cases,
)
from ..campaign.display import show_campaign
from ..campaign.export import campaign_json
from ..output import MAX_REPORTS, console, progress_bar, say, terminal_svg, working
from ..systems import Learning
from .options import (
    STANDARD_OUTPUT,
    JsonOption,
    ReportOption,
    SvgOption,
    refusal_on_page,
    require_targets,
    typed_arguments,
    write,
)

LONG_SECONDS = 120.0


def compare_command(
    context: typer.Context,
    systems: Annotated[
        list[str] | None, typer.Argument(metavar="SYSTEM", help="Names from `gradparity systems`. Default: all.")
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name from `gradparity backends`, or FILE.py:object. Repeat. Default: all that are ready.",
        ),
    ] = None,
    dtype: Annotated[
        list[str] | None, typer.Option(metavar="DTYPE", help="float64 or float32. Repeat. Default: both.")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(min=0, metavar="N", help="Repeat. Default: 0, 1 and 2.")] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="DATA", help="Real data: digits, sunspots, FILE.txt or FILE.csv. Repeat."),
    ] = None,
    case: Annotated[
        list[Path] | None, typer.Option(metavar="FILE.npz", help="A saved problem, in place of systems. Repeat.")
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Train with every backend for N steps, and compare the trajectories."),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(metavar="RATE", help="The learning rate of gradient descent.")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Samples in a training batch. Default: all.")
    ] = None,
    until: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Stop training when the loss changes by less than this share.")
    ] = None,
    certify: Annotated[
        bool,
        typer.Option("--certify", help="Compute bounds on the exact answer, and measure every backend against them."),
    ] = False,
    save_case: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save every problem on which backends do not agree in DIR.")
    ] = None,
    json: JsonOption = None,
    svg: SvgOption = None,
    report: ReportOption = None,
) -> None:
    """Compute the same loss and gradients with every backend, and say whether they agree.

    Without arguments: every system and the real data sets, in both dtypes, on all installed backends.

    [bold]Examples[/bold]

    gradparity compare elman-softmax --backend torch --backend jax --seed 7

    gradparity compare --data my_novel.txt --dtype float32

    gradparity compare elman-relu --backend my_backend.py:backend --save-case cases

    gradparity compare lstm --data digits --steps 300 --learning-rate 1
    """
    started = time.perf_counter()
    require_targets(json, svg, report=report)
    if save_case:
        require_folder(save_case)
    if certify:
        require("flint", needed_by="--certify", extra="certify", package="python-flint")
    with refusal_on_page(report, context.obj):
        cases, case_notes = plan(
            systems=systems or (),
            dtypes=dtype or (),
            seeds=seed or (),
            data=data or (),
            files=case or (),
            learning=Learning(steps, learning_rate, batch_size, until),
        )
        are_recorded = bool(cases) and all(isinstance(one.problem.model, Traced) for one in cases)
        with working("loading the backends"):
            backends, backend_notes = (
                load_backends(ENGINES) if are_recorded and not backend else choose_backends(backend)
            )
        seconds_expected = require_affordable_cases(cases, len(backends))
        if seconds_expected >= LONG_SECONDS:
            say(console(stderr=True), f"This takes about {seconds_expected / 60:.0f} minutes on one core, or more.")
        with progress_bar(len(cases)) as progress:
            # the screen and a page show the first few reports only, and JSON has all
            diagnoses = MAX_REPORTS if json is None else inf
            outcomes = run_cases(cases, backends, progress, certify=certify, diagnoses=diagnoses)
        results = [outcome for outcome in outcomes if isinstance(outcome, CaseResult)]
        outcome_notes = campaign_notes(outcomes)
        if not results:
            raise RequestError(f"nothing could be compared: {outcome_notes[0]}")
    saved = save_cases(results, save_case) if save_case else {}
    seconds = time.perf_counter() - started
    all_notes = list(dict.fromkeys([*backend_notes, *case_notes, *outcome_notes]))
    campaign = CampaignReport(results, list(backends), seconds, all_notes, saved)
    show_campaign(campaign, console(stderr=json == STANDARD_OUTPUT))
    if json is not None:
        write(json, campaign_json(results))
    if svg is not None:
        write(str(svg), terminal_svg(context.obj, svg, lambda on: show_campaign(campaign, on)))
    if report is not None:
        from ..campaign.report import campaign_page
        from ..report import write_report

        write_report(report, campaign_page(campaign, arguments=typed_arguments(context.obj), asked=backend or ()))
    if campaign.wrong:
        raise typer.Exit(1)
