"""`gradparity bench`: verified, then timed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...backends.file_writing import write_whole
from ..bench import ROUNDS, candidates, find_changes, read_bench, run_bench, workloads
from ..bench.as_pyperf import pyperf_suite
from ..bench.display import show_bench, show_changes, show_measurement
from ..bench.markdown import markdown_tables
from ..bench.plot import bench_figure
from ..bench.run import TIMEOUT as WORKLOAD_TIMEOUT
from ..check.separate_process import TIMEOUT
from ..output import console, listing_json, progress_bar, require_drawable, working
from ..workers import choose_place, parse_shard
from ..workers.executors import LOCAL
from .check import refuse
from .function_bench import bench_functions
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

QUICK_ROUNDS = 3


def bench_command(
    context: typer.Context,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="Functions of your own: FILE.py:FUNCTION, or jax:FILE.py:FUNCTION. Default: the backends.",
            show_default=False,
        ),
    ] = None,
    cell: Annotated[
        list[str] | None, typer.Option(metavar="CELL", help="A cell: rnn, lstm or gru. Repeat. Default: all.")
    ] = None,
    dtype: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DTYPE", help="float64 or float32. Repeat. Default: both; of TARGETs' arguments, as they are."
        ),
    ] = None,
    size: Annotated[
        list[str] | None,
        typer.Option(
            metavar="B,T,D,H",
            help="Batch size, steps, input size and hidden size, such as 20,35,200,200. Repeat. Default: eight sizes.",
        ),
    ] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A backend from `gradparity backends`. Repeat. Default: all installed ones."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Time two sizes in float32, without backends that compile long: about a minute."),
    ] = False,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Threads of each.")] = 1,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help=f"How often each is timed. Default: {ROUNDS}, or {QUICK_ROUNDS} with --quick.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="cpu, or cuda for PyTorch and JAX.")] = "cpu",
    log: LogOption = None,
    shard: ShardOption = None,
    executor: ExecutorOption = None,
    dask: DaskOption = None,
    against: Annotated[
        Path | None, typer.Option(metavar="OLD.json", help="Compare with the times that an earlier --json wrote.")
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw times as multiples of the floor, or of the fastest TARGET: .png, .svg or .pdf."
        ),
    ] = None,
    json: JsonOption = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="Write the medians as tables in Markdown.")
    ] = None,
    pyperf: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write a suite for `python -m pyperf`.")
    ] = None,
    report: ReportOption = None,
    arguments: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="What TARGETs are called with: FILE.py:FUNCTION, which draws it from a NumPy generator, or FILE.npz. "
            "Default: the function `arguments` beside the first one.",
        ),
    ] = None,
    grow: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SIZES", help="A size of TARGETs' arguments, such as T=10,100,1000. Repeat."),
    ] = None,
    returns: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="The names of what TARGETs return in a row: loss,dW,_,db."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help=f"The most that one call of a TARGET may take, {TIMEOUT:g} by default; or one workload that --dask or "
            f"--executor measures, {WORKLOAD_TIMEOUT:g} by default.",
        ),
    ] = None,
) -> None:
    """Time the loss and all gradients of every backend, or function of yours, whose answer is right.

    TARGETs are any functions that return (loss, gradients) of the same
    arguments, in NumPy, PyTorch or JAX. What they are called with is drawn by
    a function arguments(rng) beside the first one, or given by --arguments,
    and is converted to the framework of each function before it is timed.
    This is the one whose arrays the function returns; jax:FILE.py:FUNCTION
    states it. With --grow, the size is given to the function that draws, as
    arguments(rng, T=100), and the exponent of the growth is fitted.

    Without TARGETs, recurrent layers of the backends are timed, and with them
    the matrix products alone (the floor).

    Each runs in a process of its own, with the same number of threads. First
    the answers of the timed calls are compared: what disagrees gets no time.
    Then all are timed in turn, round by round. Import, preparation and the
    first call are listed apart.

    Ctrl-C ends it, with what is measured so far. With --log, the same command
    goes on where it was stopped. With --shard, parts of the workloads are timed
    apart; with --dask or --executor, elsewhere, one at a time on each machine.
    The exit code is 1 if an answer is not accepted.

    [bold]Examples[/bold]

    gradparity bench mine.py:by_hand mine.py:in_torch mine.py:in_jax

    gradparity bench mine.py:by_hand jax:mine.py:in_jax --arguments mine.py:draw --grow T=10,100,1000

    gradparity bench mine.py:by_hand --json times.json && gradparity bench mine.py:by_hand --against times.json

    gradparity bench --quick

    gradparity bench --cell lstm --dtype float32 --size 20,35,200,200 --backend manual --backend torch-nn

    gradparity bench --log bench.jsonl --json bench.json --plot bench.svg

    gradparity bench --quick --against old.json --report changes.html
    """
    require_targets(json, plot, pyperf, markdown, report=report)
    of_functions: dict[str, object] = {"--arguments": arguments, "--grow": grow, "--returns": returns}
    of_functions |= {} if executor or dask else {"--timeout": timeout}
    if targets:
        of_backends: dict[str, object] = {}
        of_backends |= {"--cell": cell, "--size": size, "--backend": backend, "--quick": quick or None}
        of_backends |= {"--shard": shard, "--executor": executor, "--dask": dask, "--pyperf": pyperf}
        refuse(of_backends | {"--device": None if device == "cpu" else device}, "is about backends, not about TARGETs")
        bench_functions(
            targets,
            arguments=arguments or "",
            grow=grow or (),
            dtypes=dtype or (),
            returns=returns,
            threads=threads,
            rounds=rounds,
            timeout=TIMEOUT if timeout is None else timeout,
            log=log,
            against=against,
            json=json,
            markdown=markdown,
            plot=plot,
            report=report,
            command=typed_command(context.obj),
        )
        return
    refuse(of_functions, "is about TARGETs, functions of your own: expected FILE.py:FUNCTION beside it")
    if plot:
        require_drawable(plot)
    before = read_bench(against) if against else []
    chosen = workloads(cell or (), dtype or (), size or (), quick=quick)
    with working("looking for the backends"):
        names, notes = candidates(backend or (), quick=quick)
    terminal = console(stderr=json == STANDARD_OUTPUT)
    part = parse_shard(shard)
    place = choose_place(jobs=1 if dask == LOCAL else None, executor=executor, dask=dask) if executor or dask else None
    with progress_bar(part.size(len(chosen))) as progress:
        bench = run_bench(
            chosen,
            names,
            threads=threads,
            rounds=rounds or (QUICK_ROUNDS if quick else ROUNDS),
            device=device,
            log=log,
            shard=part,
            place=place,
            timeout=WORKLOAD_TIMEOUT if timeout is None else timeout,
            notes=notes,
            measured=lambda measurement: show_measurement(measurement, terminal),
            progress=progress,
        )
    show_bench(bench, terminal)
    changes = find_changes(before, bench.measurements) if against else None
    if changes is not None:
        show_changes(changes, terminal)
    if plot and bench.measurements:
        write_whole(plot, bench_figure(bench.measurements, plot.suffix.lower()))
    if markdown and bench.measurements:
        write_whole(markdown, markdown_tables(bench.measurements).encode())
    if pyperf and bench.measurements:
        write_whole(pyperf, pyperf_suite(bench).encode())
    if report is not None:
        from ..bench.report import bench_page
        from ..report import write_report

        write_report(report, bench_page(bench, typed_command(context.obj), changes))
    if json is not None:
        write(json, listing_json(bench.as_json()))
    if bench.interrupted:
        raise typer.Abort
    if bench.refused:
        raise typer.Exit(1)
