"""Picture files: which formats there are, whether they can be drawn, and their bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from ...backends import RequestError
from ...backends.frameworks.loading import require

FILE_FORMATS = (".png", ".svg", ".pdf")
MARKERS = ("o", "s", "^", "D", "v", "x", "P")  # lines differ by these too, not by colour alone


def require_drawable(path: Path) -> None:
    """Checks that a picture can be drawn, before what it shows is computed.

    Raises:
        MissingFrameworkError: matplotlib is not installed.
        RequestError: the file's name ends in no known format.
    """
    require("matplotlib", needed_by="a picture", extra="plot")
    if path.suffix.lower() not in FILE_FORMATS:
        raise RequestError(f"{path}: cannot be drawn, expected a file that ends in {', '.join(FILE_FORMATS)}")


def new_figure(width: float, height: float) -> Any:
    """An empty matplotlib figure of that size in inches, which no window and no global state knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def figure_bytes(figure: Any, suffix: str) -> bytes:
    """A figure as a file of a format such as `.svg`; the same figure gives the same bytes."""
    content = io.BytesIO()
    figure.savefig(content, format=suffix.removeprefix("."), metadata={"Date": None} if suffix == ".svg" else None)
    return content.getvalue()
