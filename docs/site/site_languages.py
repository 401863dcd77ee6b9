"""From each page to the same in the other language, or to the other language's first page."""

from __future__ import annotations

from typing import Any

import site_pages
from sphinx.application import Sphinx

NAMES = {site_pages.ENGLISH: "English", site_pages.CHINESE: "中文"}


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


def setup(app: Sphinx) -> dict[str, Any]:
    """Makes the link a part of the templates' context."""
    app.connect("html-page-context", link_to_other_language)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
