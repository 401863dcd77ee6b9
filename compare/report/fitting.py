"""Cutting a page down until it is small enough, with a note of what was left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .pages import Attachment, Copyable, Fold, Page, Part, Preformatted, Prose, Section
from .pictures import Image
from .tables import HeatMap, Matrix, Table

MAX_BYTES = 2_000_000
MOST_CHARACTERS = 100_000  # of one text
SHARES = (1.0, 0.25, 0.06, 0.01)


def fitted(page: Page, render: Callable[[Page], str], limit: int = MAX_BYTES) -> str:
    """A page as HTML of at most so many bytes.

    Tables and texts are cut first, then files and pictures are left out, then parts at the end; each with a note.

    Args:
        page: what is rendered.
        render: makes HTML of a page.
        limit: in bytes.

    Returns:
        The HTML.
    """
    html = ""
    for share in SHARES:
        cut = replace(page, parts=tuple(smaller(part, share) for part in page.parts))
        html = render(cut)
        if len(html.encode()) <= limit:
            return html
    kept, left_out = 0, len(cut.parts)
    while left_out - kept > 1:  # how many parts fit, by bisection
        middle = (kept + left_out) // 2
        tried = render(_without_end(cut, middle))
        kept, left_out = (middle, left_out) if len(tried.encode()) <= limit else (kept, middle)
    return render(_without_end(cut, kept))


def _without_end(page: Page, kept: int) -> Page:
    note = Prose(f"{len(page.parts) - kept} of {len(page.parts)} parts are left out: the page would be too large.")
    return replace(page, parts=(*page.parts[:kept], note))


def smaller(part: Part, share: float) -> Part:
    """A part with such a share of what it may have at most.

    Args:
        part: any.
        share: from 0 to 1; of 1, what is longer than any page needs is cut all the same.

    Returns:
        The part; or a note in the place of a file or a picture that is too large.
    """
    most = int(MOST_CHARACTERS * share)
    if isinstance(part, Section | Fold):
        return replace(part, parts=tuple(smaller(inner, share) for inner in part.parts))
    if isinstance(part, Table):
        return replace(part, most_rows=max(10, int(part.most_rows * share)))
    if isinstance(part, Matrix | HeatMap):
        return _fewer_rows(part, max(10, int(500 * share)))
    if isinstance(part, Prose | Preformatted | Copyable):
        return replace(part, text=_shorter(part.text, most))
    if isinstance(part, Attachment | Image) and len(part.content) > 10 * most:
        what = part.name if isinstance(part, Attachment) else part.text
        return Prose(f"Left out, since it has {len(part.content):,} bytes: {what}")
    return part


def _fewer_rows(part: Matrix | HeatMap, most: int) -> Part:
    if len(part.rows) <= most:
        return part
    caption = f"{part.caption} (the first {most} of {len(part.rows):,} rows)"
    if isinstance(part, Matrix):
        return replace(part, caption=caption, rows=part.rows[:most])
    return replace(part, caption=caption, rows=part.rows[:most])


def _shorter(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}\n… ({len(text) - most:,} characters more)"
