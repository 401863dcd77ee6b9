"""What furo's and MyST's HTML lacks for those who cannot see it; a browser test knows the rules (axe)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

# Headings in the list of pages have no level, and two landmarks and the first cell of a table no name.
AMENDED = {
    'role="heading"': 'role="heading" aria-level="2"',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="{pages}">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="{contents}">',
    '<th class="head"><p></p></th>': "<td></td>",
}
NAMES = {
    "en": {"pages": "Pages", "contents": "On this page"},
    "zh_CN": {"pages": "各页", "contents": "本页内容"},
}


def amended(html: str, language: str) -> str:
    """A page's HTML with the names and levels that it lacks.

    Args:
        html: of the whole page.
        language: `en` or `zh_CN`.

    Returns:
        The HTML.
    """
    for lacking, whole in AMENDED.items():
        html = html.replace(lacking, whole.format(**NAMES[language]))
    return html


def amend_pages(app: Sphinx, exception: Exception | None) -> None:
    """Amends all pages that were built."""
    if exception is None:
        for page in Path(app.outdir).rglob("*.html"):
            page.write_text(amended(page.read_text(encoding="utf-8"), app.config.site_language), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Has the pages amended when all are built."""
    app.connect("build-finished", amend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
