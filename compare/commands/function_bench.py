"""`gradparity bench FILE.py:FUNCTION …`: functions of one's own, verified, then timed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import typer

from ...backends.file_writing import write_whole
from ..bench import ROUNDS
from ..bench.display import show_changes
from ..function_bench import run_function_bench
from ..function_bench.changes import find_function_changes, machine_notes
from ..function_bench.display import show_function_bench, show_measurement
from ..function_bench.log import read_function_bench
from ..function_bench.markdown import function_tables
from ..function_bench.plot import function_figure
from ..function_bench.targets import parse_growth
from ..output import console, listing_json, progress_bar, require_drawable, say
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
    log: Path | None,
    against: Path | None,
    json: str | None,
    markdown: Path | None,
    plot: Path | None,
    report: Path | None,
    command: str,
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
        log: see `run_function_bench`.
        against: the file of an earlier `--json`, to compare with.
        json: the file to write the results to, or `-`.
        markdown: the file to write the tables to.
        plot: the file to draw the times in.
        report: the file to write a page to.
        command: as it was typed, for the page.

    Raises:
        MissingFrameworkError: there is nothing to draw a picture with.
        RequestError: as `run_function_bench` does, or the picture's format is unknown.
        Exit: a function is wrong, or nothing could be judged.
        Abort: it was interrupted.
    """
    if plot:
        require_drawable(plot)
    before = read_function_bench(against) if against else None
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
            log=log,
            measured=lambda measurement: show_measurement(measurement, terminal),
            progress=progress,
        )
    show_function_bench(bench, terminal)
    changes = find_function_changes(before, bench) if before else None
    notes = machine_notes(before, bench) if before else []
    if changes is not None:
        show_changes(changes, terminal, of="function", has_floor=False)
        for note in notes:
            say(terminal, f"note: {note}", style="dim")
    if plot and bench.measurements:
        write_whole(plot, function_figure(bench, plot.suffix.lower()))
    if markdown and bench.measurements:
        write_whole(markdown, function_tables(bench).encode())
    if report is not None:
        from ..function_bench.report import function_page
        from ..report import write_report

        write_report(report, function_page(bench, command, changes, notes))
    if json is not None:
        write(json, listing_json(bench.as_json()))
    if bench.interrupted:
        raise typer.Abort
    if bench.exit_code:
        raise typer.Exit(bench.exit_code)
