"""Whether a built site is whole: links lead somewhere, nothing is loaded from elsewhere, no public name is missing."""

from __future__ import annotations

from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADING = {  # elements that load what an attribute names
    *(("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("link", "href"), ("object", "data")),
}


class Page(HTMLParser):
    """What a page links to, loads and can be linked to at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Takes note of an element."""
        for name, value in attributes:
            if value is None:
                continue
            if name in ("id", "name"):
                self.anchors.add(value)
            if (tag, name) in LOADING:
                self.loaded.append(value)
            elif name == "href":
                self.links.append(value)


def faults(site: Path) -> list[str]:
    """The links of a site that lead nowhere, and what it loads from elsewhere, one a line.

    Args:
        site: its folder.
    """
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in sorted(pages.items()):
        name = path.relative_to(site.resolve()).as_posix()
        found += [f"{name} loads {url}" for url in page.loaded if _is_elsewhere(url) and not url.startswith("data:")]
        local = [url for url in [*page.links, *page.loaded] if not _is_elsewhere(url)]
        found += [f"{name} links to {url}, which is not there" for url in _without_target(path, local, pages)]
    return found


def missing(names: Iterable[str], page: Path) -> list[str]:
    """The names that a page has no entry of.

    Args:
        names: full names, such as `gradparity.compare.compare`.
        page: a built page of the API.
    """
    anchors = Page(page.read_text(encoding="utf-8")).anchors
    return [name for name in names if name not in anchors and f"module-{name}" not in anchors]


def _without_target(path: Path, urls: Iterable[str], pages: dict[Path, Page]) -> list[str]:
    found = []
    for url in urls:
        parts = urlsplit(url)
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        fragment = unquote(parts.fragment)
        there = target in pages if target.suffix == ".html" else target.exists()
        if not there or (fragment and target in pages and fragment not in pages[target].anchors):
            found.append(url)
    return found


def _is_elsewhere(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.scheme or parts.netloc)
