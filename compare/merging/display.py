"""What a person sees of logs that are put together."""

from __future__ import annotations

from rich.console import Console

from ..output import plain_table, say
from .merging import MergedLog

MAX_MISSING = 400  # characters


def show_merged(merged: MergedLog, written: str, on: Console) -> None:
    """The logs, what is missing, notes, and the conclusion.

    Args:
        merged: what the logs say.
        written: the file that was written; empty if none was.
        on: the console.
    """
    table = plain_table()
    for name in ("log", "shard"):
        table.add_column(name, overflow="fold")
    for name in ("results", "repeated"):
        table.add_column(name, justify="right")
    for row in merged.rows():
        table.add_row(*map(str, row.values()))
    on.print(table)
    for note in merged.notes:
        say(on, f"note: {note}", style="dim")
    if merged.missing:
        words = merged.missing_in_words
        shown = words if len(words) <= MAX_MISSING else f"{words[:MAX_MISSING].rpartition(', ')[0]}, …"
        say(on, f"\nmissing: {_count(len(merged.missing), merged.one)}: {shown}", style="bold")
    of = len(merged.results) + len(merged.missing)
    end = f", in {written}" if written else ""
    say(on, f"\n{len(merged.results)} of {_count(of, merged.one)} of {merged.subject}{end}", style="bold")


def _count(number: int, one: str) -> str:
    return f"{number} {one}" if number == 1 else f"{number} {one}s"
