"""What depends on the language: the link from each page to the same in the other, and what a screen reader says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import site_pages
from sphinx.application import Sphinx

NAMES = {site_pages.ENGLISH: "English", site_pages.CHINESE: "中文"}
LABELS = {  # of the two columns beside a page, which furo does not name
    "sidebar-drawer": {site_pages.ENGLISH: "Pages", site_pages.CHINESE: "页面"},
    "toc-drawer": {site_pages.ENGLISH: "On this page", site_pages.CHINESE: "本页"},
}


def link_to_other_language(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Gives the template the name of the other language, and the address of the page in it."""
    here = app.config.site_language
    (other,) = set(site_pages.FOLDERS) - {here}
    there = site_pages.pages(other)
    if there:
        page = pagename if pagename in there else "index"
        to_top = "../" * pagename.count("/") + app.config.site_top
        context["other_language"] = NAMES[other]
        context["other_language_code"] = other.replace("_", "-")
        context["other_language_address"] = f"{to_top}{site_pages.FOLDERS[other]}{page}.html"


def name_parts(app: Sphinx, _error: Exception | None) -> None:
    """Names the columns beside each page, and gives the headings of the navigation their level, for screen readers."""
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for column, labels in LABELS.items():
            label = labels[app.config.site_language]
            text = text.replace(f'<aside class="{column}', f'<aside aria-label="{label}" class="{column}')
        text = text.replace('class="caption" role="heading"', 'class="caption" role="heading" aria-level="2"')
        page.write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    """Makes the link a part of the templates' context."""
    app.connect("html-page-context", link_to_other_language)
    app.connect("build-finished", name_parts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
