"""`gradparity sweep`: many random problems."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..output import console, progress_bar
from ..sweep import run_sweep
from ..sweep.display import show_sweep
from ..sweep.run import TIMEOUT
from ..workers import choose_place, parse_shard
from .options import (
    BackendOption,
    DaskOption,
    ExecutorOption,
    JobsOption,
    LogOption,
    ReportOption,
    ShardOption,
    require_targets,
    typed_command,
)


def sweep_command(
    context: typer.Context,
    problems: Annotated[int, typer.Option(min=1, metavar="N", help="The number of problems.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="The seed from which all problems are drawn.")] = 0,
    numbers: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Problems with one model, which JAX compiles once, but other numbers."),
    ] = 10,
    jobs: JobsOption = None,
    backend: BackendOption = None,
    log: LogOption = None,
    shard: ShardOption = None,
    executor: ExecutorOption = None,
    dask: DaskOption = None,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.001, metavar="SECONDS", help="The most that one problem may take in a process, three times."
        ),
    ] = TIMEOUT,
    save_case: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save the problems on which backends disagree in DIR.")
    ] = None,
    report: ReportOption = None,
) -> None:
    """Compare backends on many random problems, to find false positives.

    Right backends agree on all of them, or are undecidable where rounding grows
    too much. A disagreement is a false positive or a bug. The models are small,
    of all families with all their options, in both dtypes, with W multiplied by
    0.1 to 8. Problem i depends on the seed and i alone, and not on the number
    of problems.

    With --log, Ctrl-C loses nothing: the same command goes on where it was
    stopped, or further with a larger N. With --shard, each part of a sweep can
    be done elsewhere, with a log of its own. With --dask or --executor, workers
    on other machines do it; those that die or hang lose nothing.

    [bold]Examples[/bold]

    gradparity sweep

    gradparity sweep --problems 20000 --log sweep.jsonl --save-case cases --report sweep.html

    gradparity sweep --problems 20000 --shard 2/8 --log part-2.jsonl

    gradparity sweep --problems 1000000 --dask tcp://10.0.0.1:8786 --log sweep.jsonl

    gradparity sweep --problems 200 --backend torch --backend my_backend.py:backend
    """
    require_targets(report=report)
    part, place = parse_shard(shard), choose_place(jobs=jobs, executor=executor, dask=dask)
    with progress_bar(part.size(problems, in_group=numbers)) as progress:
        sweep = run_sweep(
            problems,
            seed=seed,
            numbers=numbers,
            backends=backend,
            jobs=jobs,
            log=log,
            save_case=save_case,
            shard=part,
            place=place,
            timeout=timeout,
            progress=progress,
        )
    show_sweep(sweep, console())
    if report is not None:
        from ..report import write_report
        from ..sweep.report import sweep_page

        write_report(report, sweep_page(sweep, typed_command(context.obj), str(log or "")))
    if sweep.wrong:
        raise typer.Exit(1)
