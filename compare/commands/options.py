"""What several commands take, and how they write what they were asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ...backends.files import require_writable, write_whole

JsonOption = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write JSON to FILE; - means standard output.")
]
SvgOption = Annotated[Path | None, typer.Option("--svg", metavar="FILE", help="Write what is shown as a picture, too.")]
LogOption = Annotated[
    Path | None,
    typer.Option("--log", metavar="FILE.jsonl", help="Write every result as it comes; continue if it is there."),
]
BackendOption = Annotated[
    list[str] | None,
    typer.Option("--backend", metavar="NAME", help="As in `gradparity compare`. Repeat. Default: all."),
]
STANDARD_OUTPUT = "-"


def require_targets(*targets: str | Path | None) -> None:
    """Refuses what cannot be written to, before anything is computed."""
    for target in targets:
        if target is not None and target != STANDARD_OUTPUT:
            require_writable(Path(target))


def write(target: str | None, text: str) -> None:
    """Writes a text into a file, whole or not at all, or to standard output; nothing if there is no target."""
    if target == STANDARD_OUTPUT:
        sys.stdout.write(text)
    elif target is not None:
        write_whole(Path(target), text.encode())
