"""The console, and how everything on it is written."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.status import Status
from rich.table import Table

PIPE_WIDTH = 200
PICTURE_WIDTH = 108


def console(*, stderr: bool = False) -> Console:
    """A console as wide as the terminal; in a pipe, wide enough that no line is broken."""
    found = Console(stderr=stderr)
    return found if found.is_terminal else Console(stderr=stderr, width=PIPE_WIDTH)


def working(what: str) -> Status:
    """A spinner with what is being done, if standard error is a terminal."""
    return Console(stderr=True).status(what)


def say(on: Console, text: str, style: str | None = None) -> None:
    """Writes a text as it is; the terminal breaks its lines, and a picture, which cannot, has them broken."""
    on.print(text, style=style, markup=False, highlight=False, soft_wrap=not on.record)


def picture(arguments: Sequence[str], svg: Path, draw: Callable[[Console], None]) -> str:
    """What is drawn, as SVG, as a terminal shows it after the command (without the option that asks for it)."""
    shown = [each for each in arguments if each not in ("--svg", str(svg), f"--svg={svg}")]
    recorder = Console(record=True, file=io.StringIO(), width=PICTURE_WIDTH, force_terminal=True)
    recorder.print(f"$ {shlex.join(['gradparity', *shown])}\n", style="bold", markup=False, highlight=False)
    draw(recorder)
    return recorder.export_svg(title="gradparity")


def plain_table(*, gap: int = 2) -> Table:
    """A table without lines."""
    return Table(box=None, header_style="bold", pad_edge=False, padding=(0, gap, 0, 0))
