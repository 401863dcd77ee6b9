"""Pictures on a page: drawn for it, or taken as they are."""

from __future__ import annotations

import base64
from dataclasses import dataclass

FORBIDDEN = ("script", "style", "foreignObject", "image", "use", "a", "animate", "set", "iframe")


@dataclass(frozen=True)
class Picture:
    """A picture in SVG drawn for the page, which takes the page's colours.

    It has no colours and no styles of its own: `currentColor`, or the classes `series-1` to `series-8`, `band-1` to
    `band-8`, `grid`, `axis`, `label` and `name`, which the stylesheet knows in light and dark.

    Attributes:
        svg: one element `svg` with a `viewBox`.
        text: what is seen, for who does not see it.
        caption: what stands below.
    """

    svg: str
    text: str
    caption: str = ""

    def __post_init__(self) -> None:
        from xml.etree import ElementTree  # which the command line need not load

        root = ElementTree.fromstring(self.svg)
        if root.tag.rpartition("}")[2] != "svg" or "viewBox" not in root.attrib:
            raise ValueError("a picture is one element `svg` with a viewBox")
        for element in root.iter():
            if element.tag.rpartition("}")[2] in FORBIDDEN:
                raise ValueError(f"a picture has no element {element.tag!r}")
            for name in element.attrib:
                if name.rpartition("}")[2].lower().startswith(("on", "href", "style")):
                    raise ValueError(f"a picture has no attribute {name!r}: take a class")


@dataclass(frozen=True)
class Image:
    """A picture made elsewhere, such as one of matplotlib, embedded as it is; on a light ground in both themes.

    Attributes:
        content: the file's bytes.
        text: what is seen, for who does not see it.
        caption: what stands below.
        media_type: `image/svg+xml` or `image/png`.
    """

    content: bytes
    text: str
    caption: str = ""
    media_type: str = "image/svg+xml"

    @property
    def address(self) -> str:
        """A `data:` address with all of it."""
        return data_address(self.content, self.media_type)


def data_address(content: bytes, media_type: str) -> str:
    """An address that is the content itself.

    Example:
        >>> data_address(b"abc", "image/png")
        'data:image/png;base64,YWJj'
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"
