"""Picture files: which formats there are, and whether they can be drawn."""

from __future__ import annotations

from pathlib import Path

from ...backends import RequestError
from ...backends.frameworks.loading import require

FILE_FORMATS = (".png", ".svg", ".pdf")


def require_drawable(path: Path) -> None:
    """Raises RequestError if no picture can be drawn there: to be asked before what is drawn is computed."""
    require("matplotlib", needed_by="a picture", extra="plot")
    if path.suffix.lower() not in FILE_FORMATS:
        raise RequestError(f"{path}: cannot be drawn, expected a file that ends in {', '.join(FILE_FORMATS)}")
