"""`gradparity bench FILE.py:FUNCTION …`: functions of one's own, verified, then timed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from ...backends.file_writing import write_whole
from ..bench import ROUNDS
from ..function_bench import run_function_bench
from ..function_bench.display import show_function_bench, show_measurement
from ..function_bench.markdown import function_tables
from ..function_bench.plot import function_figure
from ..function_bench.targets import parse_growth
from ..output import console, listing_json, progress_bar, require_drawable
from .options import STANDARD_OUTPUT, write


def bench_functions(
    targets: Sequence[str],
    *,
    arguments: str,
    grow: Sequence[str],
    dtypes: Sequence[str],
    returns: str | None,
    threads: int,
    rounds: int | None,
    timeout: float,
    json: str | None,
    markdown: Path | None,
    plot: Path | None,
) -> None:
    """Times functions, shows the tables, and writes the files that are asked for.

    Args:
        targets: the functions, see `run_function_bench`.
        arguments: see `run_function_bench`.
        grow: see `run_function_bench`.
        dtypes: see `run_function_bench`.
        returns: the names of what functions return in a row, with commas between them.
        threads: of each function.
        rounds: how often every function is timed; None means as often as usual.
        timeout: see `run_function_bench`.
        json: the file to write the results to, or `-`.
        markdown: the file to write the tables to.
        plot: the file to draw the times in.

    Raises:
        MissingFrameworkError: there is nothing to draw a picture with.
        RequestError: as `run_function_bench` does, or the picture's format is unknown.
        Exit: a function is wrong, or nothing could be judged.
        Abort: it was interrupted.
    """
    if plot:
        require_drawable(plot)
    terminal = console(stderr=json == STANDARD_OUTPUT)
    total = (sum(len(growth.values) for growth in parse_growth(grow)) or 1) * max(len(dict.fromkeys(dtypes)), 1)
    with progress_bar(total) as progress:
        bench = run_function_bench(
            targets,
            arguments=arguments,
            grow=grow,
            dtypes=dtypes,
            returns=returns.split(",") if returns else None,
            threads=threads,
            rounds=rounds or ROUNDS,
            timeout=timeout,
            measured=lambda measurement: show_measurement(measurement, terminal),
            progress=progress,
        )
    show_function_bench(bench, terminal)
    if plot and bench.measurements:
        write_whole(plot, function_figure(bench, plot.suffix.lower()))
    if markdown and bench.measurements:
        write_whole(markdown, function_tables(bench).encode())
    if json is not None:
        write(json, listing_json(bench.as_json()))
    if bench.interrupted:
        raise typer.Abort
    if bench.exit_code:
        raise typer.Exit(bench.exit_code)
