"""`gradparity merge`: the logs of shards become one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...backends import RequestError
from ...backends.file_writing import require_writable, write_whole
from ..merging import merge_logs
from ..merging.display import show_merged
from ..output import console


def merge_command(
    logs: Annotated[
        list[Path], typer.Argument(metavar="LOG", help="Logs that --log wrote: of sweep, detect or bench, all of one.")
    ],
    log: Annotated[
        Path | None,
        typer.Option("--log", metavar="FILE.jsonl", help="Write the log that they make. Default: only tell."),
    ] = None,
) -> None:
    """Put the logs of the shards of one run together, and tell what is missing.

    What stands in several logs counts once, if they say the same of it.
    Different settings, versions of packages or outcomes are refused. The log
    that is written can be shown, and continued, by the command that wrote the
    parts. The exit code is 1 if something is missing.

    [bold]Examples[/bold]

    gradparity merge part-*.jsonl

    gradparity merge part-*.jsonl --log sweep.jsonl && gradparity sweep --problems 20000 --log sweep.jsonl
    """
    if log is not None:
        require_writable(log)
        if log.exists():
            raise RequestError(f"{log}: is there already, expected the name of a new file")
    merged = merge_logs(logs)
    if log is not None:
        write_whole(log, merged.as_log())
    show_merged(merged, str(log or ""), console())
    if not merged.is_complete:
        raise typer.Exit(1)
