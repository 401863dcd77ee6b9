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
from ..output import console, listing_json, progress_bar, require_drawable, working
from .options import STANDARD_OUTPUT, JsonOption, LogOption, require_targets, write

QUICK_ROUNDS = 3


def bench_command(
    cell: Annotated[
        list[str] | None, typer.Option(metavar="CELL", help="A cell: rnn, lstm or gru. Repeat. Default: all.")
    ] = None,
    dtype: Annotated[
        list[str] | None, typer.Option(metavar="DTYPE", help="float64 or float32. Repeat. Default: both.")
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
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="Threads of each backend.")] = 1,
    rounds: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help=f"How often every backend is timed. Default: {ROUNDS}, or {QUICK_ROUNDS} with --quick.",
        ),
    ] = None,
    device: Annotated[str, typer.Option(metavar="DEVICE", help="cpu, or cuda for PyTorch and JAX.")] = "cpu",
    log: LogOption = None,
    against: Annotated[
        Path | None, typer.Option(metavar="OLD.json", help="Compare with the times that an earlier --json wrote.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw time per step against size: .png, .svg or .pdf.")
    ] = None,
    json: JsonOption = None,
    markdown: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="Write the medians as tables in Markdown.")
    ] = None,
    pyperf: Annotated[
        Path | None, typer.Option(metavar="FILE.json", help="Write a suite for `python -m pyperf`.")
    ] = None,
) -> None:
    """Time the loss and all gradients of every backend whose answer is right.

    Each backend runs in a process of its own, with the same number of threads.
    First the answers of the timed calls are compared: a backend that disagrees
    gets no time. Then all are timed in turn, round by round, and with them the
    matrix products alone (the floor). Import, preparation and the first call
    are listed apart.

    Ctrl-C ends it, with what is measured so far. With --log, the same command
    goes on where it was stopped. The exit code is 1 if an answer is not
    accepted.

    [bold]Examples[/bold]

    gradparity bench --quick

    gradparity bench --cell lstm --dtype float32 --size 20,35,200,200 --backend manual --backend torch-nn

    gradparity bench --log bench.jsonl --json bench.json --plot bench.svg

    gradparity bench --quick --against old.json
    """
    require_targets(json, plot, pyperf, markdown)
    if plot:
        require_drawable(plot)
    before = read_bench(against) if against else []
    chosen = workloads(cell or (), dtype or (), size or (), quick=quick)
    with working("looking for the backends"):
        names, notes = candidates(backend or (), quick=quick)
    terminal = console(stderr=json == STANDARD_OUTPUT)
    with progress_bar(len(chosen)) as progress:
        bench = run_bench(
            chosen,
            names,
            threads=threads,
            rounds=rounds or (QUICK_ROUNDS if quick else ROUNDS),
            device=device,
            log=log,
            notes=notes,
            measured=lambda measurement: show_measurement(measurement, terminal),
            progress=progress,
        )
    show_bench(bench, terminal)
    if against:
        show_changes(find_changes(before, bench.measurements), terminal)
    if plot and bench.measurements:
        write_whole(plot, bench_figure(bench.measurements, plot.suffix.lower()))
    if markdown and bench.measurements:
        write_whole(markdown, markdown_tables(bench.measurements).encode())
    if pyperf and bench.measurements:
        write_whole(pyperf, pyperf_suite(bench).encode())
    if json is not None:
        write(json, listing_json(bench.as_json()))
    if bench.interrupted:
        raise typer.Abort
    if bench.refused:
        raise typer.Exit(1)
