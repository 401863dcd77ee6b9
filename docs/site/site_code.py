"""The code beside the pages: below each section of the derivation its lines, and listings of what is linked to."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import equation_lines
import site_math
import site_pages
from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx.application import Sphinx
from sphinx.util import logging

LOGGER = logging.getLogger(__name__)
WIDE = re.compile(r'<(pre|div(?= class="table-wrapper))')
HEADINGS = {site_pages.ENGLISH: "In the code", site_pages.CHINESE: "代码"}


def add_code_lines(app: Sphinx, doctree: nodes.document) -> None:
    """Puts below each section with numbered equations the lines of `manual/` that carry them."""
    lines = app.config.site_lines
    for section in doctree.findall(nodes.section):
        blocks = [child for child in section.findall(nodes.math_block) if _section_of(child) is section]
        numbers = [number for block in blocks if (number := site_math.number_of(block.astext()))]
        for number in numbers:
            if number not in lines:
                LOGGER.warning("no line of manual/ carries equation (%d)", number, location=section, type="equation")
        if rows := [(number, line) for number in numbers for line in lines.get(number, ())]:
            section += nodes.raw("", _table(app, rows), format="html")


def check_lines(app: Sphinx) -> None:
    """Warns of a line that carries an equation which no page has; a warning ends the build."""
    for number in app.config.site_lines.keys() - app.config.site_equations.keys():
        line = app.config.site_lines[number][0]
        LOGGER.warning("%s:%d carries equation (%d), which no page has", line.path, line.line, number, type="equation")


def _section_of(node: nodes.Node) -> nodes.Node | None:
    while node is not None and not isinstance(node, nodes.section):
        node = node.parent
    return node


def _table(app: Sphinx, rows: list[tuple[int, equation_lines.CodeLine]]) -> str:
    heading = HEADINGS[app.config.site_language]
    cells = []
    for number, line in rows:
        place = html.escape(f"{Path(line.path).name}:{line.line}")
        address = f"{app.config.site_top}{site_pages.listing_name(site_pages.ROOT / line.path)}.html#L-{line.line}"
        function = f"<span>{html.escape(line.function)}</span>" if line.function else ""
        cells.append(
            f'<tr><td><a href="#equation-{number}">({number})</a></td>'
            f'<td><a href="{address}">{place}</a> {function}</td>'
            f'<td class="highlight"><code>{_highlighted(_without_number(line.text))}</code></td></tr>'
        )
    return f'<div class="code-lines"><table><caption>{heading}</caption>{"".join(cells)}</table></div>'


def _without_number(line: str) -> str:
    """A line without the number of the equation that it completes, which stands before it anyway."""
    return equation_lines.WHOLE.sub("#", line).removesuffix("  #")


def _highlighted(code: str) -> str:
    return highlight(code, get_lexer_by_name("python"), HtmlFormatter(nowrap=True)).strip()


def listings(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each file and folder of code that the site links to; lines have the anchors `L-1`, `L-2`, …"""
    root = site_pages.ROOT
    files = app.config.site_listed
    for file in files:
        name = file.relative_to(root).as_posix()
        body = _folder(file, files) if file.is_dir() else _listing(file)
        title = f"<h1>{html.escape(name)}</h1>"
        yield site_pages.listing_name(file), {"title": name, "body": title + body}, "page.html"


def _listing(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    try:
        lexer = get_lexer_for_filename(file.name)
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    formatter = HtmlFormatter(linenos="inline", lineanchors="L", anchorlinenos=True, wrapcode=True)
    return f'<div class="listing">{highlight(text, lexer, formatter)}</div>'


def _folder(folder: Path, files: list[Path]) -> str:
    inside = [file for file in files if file.parent == folder]
    links = [f'<li><a href="{file.name}.html">{html.escape(file.name)}</a></li>' for file in inside if file.is_file()]
    return f"<ul>{''.join(links)}</ul>"


def make_reachable(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Lets the keyboard reach wide code and tables, to scroll them."""
    if body := context.get("body"):
        context["body"] = WIDE.sub(r'<\1 tabindex="0"', body)


def strip_scheme(_app: Sphinx, doctree: nodes.document) -> None:
    """Takes `site:` away from links to other parts of the site, which are relative."""
    for link in doctree.findall(nodes.reference):
        if link.get("refuri", "").startswith(site_pages.SITE):
            link["refuri"] = link["refuri"].removeprefix(site_pages.SITE)
            link["internal"] = True


def setup(app: Sphinx) -> dict[str, Any]:
    """Makes the code a part of the pages."""
    app.add_config_value("site_language", site_pages.ENGLISH, "env")
    app.add_config_value("site_top", "", "env")
    app.add_config_value("site_lines", {}, "env")
    app.add_config_value("site_listed", [], "env")
    app.connect("builder-inited", check_lines)
    app.connect("doctree-read", add_code_lines)
    app.connect("doctree-read", strip_scheme)
    app.connect("html-collect-pages", listings)
    app.connect("html-page-context", make_reachable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
