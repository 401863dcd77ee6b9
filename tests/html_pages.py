"""Pages as a reader without a browser sees them: a document that is well formed, its text, its tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = ("meta", "link", "img", "br", "hr", "input")


@dataclass
class Element:
    """An element, its attributes, and what is in it: elements and texts."""

    tag: str
    attributes: dict[str, str | None]
    content: list[Element | str] = field(default_factory=list)

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """The elements in it, at any depth, with that tag and these attributes."""
        found = []
        for one in self.content:
            if isinstance(one, Element):
                is_it = (not tag or one.tag == tag) and attributes.items() <= one.attributes.items()
                found += [one] * is_it + one.all(tag, **attributes)
        return found

    def of_class(self, name: str) -> list[Element]:
        """The elements in it that have a class."""
        return [one for one in self.all() if name in (one.attributes.get("class") or "").split()]

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.content)


class _Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = [Element("document", {})]

    def handle_starttag(self, tag, attrs):
        element = Element(tag, dict(attrs))
        self.open[-1].content.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag):
        assert self.open.pop().tag == tag, f"</{tag}> ends what is not open"

    def handle_data(self, data):
        self.open[-1].content.append(data)


def parsed(html: str) -> Element:
    """A document; one whose elements do not nest is refused."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert len(reader.open) == 1, f"<{reader.open[-1].tag}> is never closed"
    return reader.open[0]
