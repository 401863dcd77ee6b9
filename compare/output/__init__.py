"""Output: the console, JSON documents, picture files, and the environment for the record."""

from .console import (
    MAX_REPORTS,
    PIPE_WIDTH,
    STYLES,
    console,
    listing_table,
    plain_table,
    print_in_width,
    progress_bar,
    say,
    share_text,
    terminal_svg,
    working,
)
from .documents import SCHEMA, listing_json, markdown_table
from .environment import blas, blas_kernel, environment, installed_version
from .pictures import MARKERS, Line, draw_lines, figure_bytes, new_figure, require_drawable, settle
from .streams import print_error, require_standard_streams, write_output

__all__ = [
    "MARKERS",
    "MAX_REPORTS",
    "PIPE_WIDTH",
    "SCHEMA",
    "STYLES",
    "Line",
    "blas",
    "blas_kernel",
    "console",
    "draw_lines",
    "environment",
    "figure_bytes",
    "installed_version",
    "listing_json",
    "listing_table",
    "markdown_table",
    "new_figure",
    "plain_table",
    "print_error",
    "print_in_width",
    "progress_bar",
    "require_drawable",
    "require_standard_streams",
    "say",
    "settle",
    "share_text",
    "terminal_svg",
    "working",
    "write_output",
]
