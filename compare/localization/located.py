"""An expression of somebody's source, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backends.errors import printable
from ...backends.tracing.places import Place
from .source_text import underlined


@dataclass(frozen=True)
class Located:
    """An expression of somebody's source that is wrong.

    Attributes:
        file: its name, without the folder.
        function: in which it stands.
        line: from 1.
        source: the line, and a line with marks below the expression; empty if the source cannot be read.
        says: what it should be, and what tells it from that.
        repairs: the gradients that get right, or nearer to it, with the right value there.
    """

    file: str
    function: str
    line: int
    source: tuple[str, ...]
    says: str
    repairs: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.file}:{self.line}, in {self.function}", *(f"    {line}" for line in self.source)]
        return "\n".join([*lines, f"  {self.says}"])


def located_at(place: Place, says: str, repairs: tuple[str, ...]) -> Located:
    file, function = Path(place.code.co_filename).name, place.code.co_name
    return Located(printable(file), printable(function), place.line, tuple(underlined(place)), says, repairs)


def located_from(values: Mapping[str, Any]) -> Located:
    """A place out of the plain values of `dataclasses.asdict`."""
    return Located(
        str(values["file"]),
        str(values["function"]),
        int(values["line"]),
        tuple(map(str, values["source"])),
        str(values["says"]),
        tuple(map(str, values["repairs"])),
    )
