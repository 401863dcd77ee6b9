"""`gradparity detect`: every mistake before five gradient checks, and slips in programs of our own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..detection import CHECKS, OWN_CHECK, PROGRAMS, Part, choose_cases, choose_checks, run_detection
from ..detection.chosen_cases import QUICK_CORRECT_PER_KIND, QUICK_SLIPS_PER_PROGRAM
from ..detection.display import show_detection
from ..detection.export import detection_page, detection_values
from ..detection.numbered_run import TIMEOUT
from ..output import console, listing_json, progress_bar, working
from ..workers import choose_place, parse_shard
from .options import (
    STANDARD_OUTPUT,
    DaskOption,
    ExecutorOption,
    JsonOption,
    LogOption,
    ReportOption,
    ShardOption,
    require_targets,
    typed_command,
    write,
)


def detect_command(
    context: typer.Context,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help=f"Plant one variant of each mistake, show {QUICK_CORRECT_PER_KIND} right gradients of each kind, and "
            f"plant {QUICK_SLIPS_PER_PROGRAM} slips in each program.",
        ),
    ] = False,
    everywhere: Annotated[
        bool, typer.Option("--all", help="Plant each mistake on every system to which it applies.")
    ] = False,
    check: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"A check: {', '.join(CHECKS)}. Repeat. Default: all that are installed."),
    ] = None,
    only: Annotated[
        Part | None, typer.Option(help="Show the mistakes of the catalogue alone, or the programs of our own alone.")
    ] = None,
    program: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"A program of our own, alone: {', '.join(PROGRAMS)}. Repeat. Default: all."),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the tables as a page in Markdown.")
    ] = None,
    json: JsonOption = None,
    report: ReportOption = None,
    log: LogOption = None,
    shard: ShardOption = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Judge in so many processes, with one thread each. Default: in this one."
        ),
    ] = None,
    executor: ExecutorOption = None,
    dask: DaskOption = None,
    timeout: Annotated[
        float,
        typer.Option(min=0.001, metavar="SECONDS", help="The most that one case may take in a process, three times."),
    ] = TIMEOUT,
) -> None:
    """Plant every mistake of the catalogue, and show which checks detect it.

    The checks: PyTorch's gradcheck, JAX's check_grads, NumPy's assert_allclose
    with PyTorch's autograd, the central differences that tutorials teach, and
    gradparity with its diagnosis. A second table counts the false positives:
    right gradients that a check calls wrong. The third shows slips in the
    source text of programs of our own to gradparity: whether it sees them, and
    finds the line.

    It takes some 20 minutes, with --quick four. The exit code is 1 if
    gradparity misses a mistake, calls a right gradient wrong, or says of a
    program of our own what is not so.

    With --log, the same command goes on where it was stopped. With --shard,
    parts are done apart, each with a log of its own; with --jobs, --dask or
    --executor, other processes do it.

    [bold]Examples[/bold]

    gradparity detect --quick

    gradparity detect --check gradcheck --check gradparity --markdown detection.md

    gradparity detect --only own --program rows

    gradparity detect --jobs 8 --log detection.jsonl
    """
    require_targets(json, markdown, report=report)
    checks = check or ()
    names = choose_checks(checks)[0]
    chosen = choose_cases(names, only=only, programs=program or (), quick=quick, everywhere=everywhere)
    part, is_elsewhere = parse_shard(shard), bool(jobs or executor or dask)
    place = choose_place(jobs=jobs, executor=executor, dask=dask) if is_elsewhere else None
    with working("planting the mistakes"):
        cases = chosen.cases()
    with progress_bar(part.size(len(cases))) as progress:
        detection = run_detection(
            chosen,
            cases,
            checks if chosen.has_catalogue else [OWN_CHECK],
            log=log,
            shard=part,
            place=place,
            timeout=timeout,
            progress=progress,
        )
    show_detection(detection, console(stderr=json == STANDARD_OUTPUT))
    if markdown is not None:
        write(str(markdown), detection_page(detection, typed_command(context.obj)))
    if report is not None:
        from ..detection.report import detection_report
        from ..report import write_report

        write_report(report, detection_report(detection, typed_command(context.obj)))
    if json is not None:
        write(json, listing_json(detection_values(detection)))
    if detection.missed or detection.own_false_positives or detection.own_faults:
        raise typer.Exit(1)
