"""The console, and how everything on it is written."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column, Table
from rich.text import Text

from ..jobs import CaseProgress, StageProgress
from .streams import OutputConsole

PIPE_WIDTH = 200
MIN_WIDTH = 80  # on a narrower terminal, which breaks the lines itself, so that nothing is cut off
PICTURE_WIDTH = 108


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; in a pipe, wide enough that no line is broken."""
    terminal = OutputConsole(stderr=stderr)
    if terminal.is_terminal:
        return terminal if terminal.width >= MIN_WIDTH else OutputConsole(stderr=stderr, width=MIN_WIDTH)
    return OutputConsole(stderr=stderr, width=PIPE_WIDTH)


@contextmanager
def working(activity: str) -> Iterator[StageProgress]:
    """A moving bar beside what is being done and for how long, if standard error is a terminal.

    How much there is to do is not known before. Yields the function that says what is being done.
    """
    terminal = _progress_console()
    stage = Column(no_wrap=True, overflow="ellipsis", ratio=1)
    columns = (BarColumn(20), TimeElapsedColumn(), TextColumn("{task.description}", markup=False, table_column=stage))
    with Bars(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task(activity, total=None)
        yield lambda activity: bar.update(task, description=activity)


def say(on: Console, text: str, style: str | None = None) -> None:
    """Writes a text as it is. A terminal breaks long lines itself; for a picture they are broken here."""
    on.print(text, style=style, markup=False, highlight=False, soft_wrap=not on.record)


def terminal_svg(arguments: Sequence[str], svg: Path, draw: Callable[[Console], None]) -> str:
    """An SVG of a terminal that shows a command and its output.

    Args:
        arguments: of the command; `--svg` is left out.
        svg: the file that `--svg` names.
        draw: writes the output on a console.
    """
    shown = [argument for argument in arguments if argument not in ("--svg", str(svg), f"--svg={svg}")]
    recorder = Console(record=True, file=io.StringIO(), width=PICTURE_WIDTH, force_terminal=True)
    recorder.print(f"$ {shlex.join(['gradparity', *shown])}\n", style="bold", markup=False, highlight=False)
    draw(recorder)
    return recorder.export_svg(title="gradparity")


def plain_table(*, gap: int = 2) -> Table:
    """A table without lines, whose columns are `gap` spaces apart."""
    return Table(box=None, header_style="bold", pad_edge=False, padding=(0, gap, 0, 0))


MAX_REPORTS = 5
STYLES = {"agree": "green", "disagree": "bold red", "undecidable": "yellow"}


def print_in_width(table_of: Callable[[int, int], Table], columns: int, start: int, on: Console) -> None:
    """Prints a table; on a terminal that is too narrow for it in two, of which the first has the columns of the start.

    Args:
        table_of: makes the table of the columns from one number up to another.
        columns: how many there are.
        start: how many of them are about the start.
        on: the console.
    """
    table = table_of(0, columns)
    if on.is_terminal and Console(width=PIPE_WIDTH).measure(table).maximum > on.width:
        on.print(table_of(0, start))
        on.print(table_of(start, columns))
    else:
        on.print(table)


@contextmanager
def progress_bar(total: int) -> Iterator[CaseProgress]:
    """A progress bar on standard error, if that is a terminal: yields the function that moves it on."""
    terminal = _progress_console()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        task = bar.add_task("starting", total=total)
        yield lambda label, done: bar.update(task, completed=done, description=label)


def _progress_console() -> Console:
    """Standard error if that is a terminal; otherwise nothing is written, so that nothing can fail."""
    return Console(stderr=True, quiet=not Console(stderr=True).is_terminal)


def share_text(share: float | None) -> str:
    """A share of a limit: `41 %`; `3e+02×` where the limit is exceeded by far; a dash where there is none."""
    if share is None:
        return "–"
    return f"{100 * share:.0f} %" if share < 10 else f"{share:.0e}×"


def listing_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A table of plain values, with the first row's keys as its columns."""
    table = plain_table()
    for name in rows[0] if rows else ():
        table.add_column(name)
    for row in rows:
        table.add_row(*("–" if value in (None, "") else Text(str(value)) for value in row.values()))
    return table
