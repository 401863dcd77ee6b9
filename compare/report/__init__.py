"""Pages in HTML that stand alone: their parts as frozen values, and the templates that render them.

Nothing here knows what is reported: who has results makes parts of them, and computes nothing.
"""

from .arrays import array_diff, heat_map
from .fitting import MAX_BYTES
from .pages import (
    Attachment,
    Copyable,
    Facts,
    Fold,
    Gallery,
    Page,
    Part,
    Preformatted,
    Prose,
    Section,
    Source,
    SourceLine,
)
from .pictures import Image, Picture
from .rendering import notebook_html, render, render_fragment, require_report, write_report
from .tables import (
    ArrayDiff,
    Cell,
    Code,
    Column,
    HeatMap,
    HeatStep,
    Link,
    Mark,
    Matrix,
    MatrixRow,
    Row,
    Table,
    Tone,
    worst_tone,
)

__all__ = [
    "MAX_BYTES",
    "ArrayDiff",
    "Attachment",
    "Cell",
    "Code",
    "Column",
    "Copyable",
    "Facts",
    "Fold",
    "Gallery",
    "HeatMap",
    "HeatStep",
    "Image",
    "Link",
    "Mark",
    "Matrix",
    "MatrixRow",
    "Page",
    "Part",
    "Picture",
    "Preformatted",
    "Prose",
    "Row",
    "Section",
    "Source",
    "SourceLine",
    "Table",
    "Tone",
    "array_diff",
    "heat_map",
    "notebook_html",
    "render",
    "render_fragment",
    "require_report",
    "worst_tone",
    "write_report",
]
