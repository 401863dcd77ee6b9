"""A page, and those of its parts that are text."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from .pictures import Image, Picture, data_address
from .tables import ArrayDiff, HeatMap, Link, Mark, Matrix, Table


@dataclass(frozen=True)
class Facts:
    """Names and values, such as versions."""

    rows: tuple[tuple[str, str | Link | Mark], ...]


@dataclass(frozen=True)
class Prose:
    """Paragraphs, with an empty line between them; what stands between backticks is set as code.

    Attributes:
        text: the paragraphs.
        links: what leads on from there.
    """

    text: str
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Preformatted:
    """A text with its line breaks and blanks, as on a terminal."""

    text: str
    label: str = "Text"


@dataclass(frozen=True)
class Copyable:
    """A text that a button copies, such as a command.

    Attributes:
        text: it, to the letter.
        label: what it is, such as `The command that reproduces it`.
    """

    text: str
    label: str


@dataclass(frozen=True)
class Attachment:
    """A file inside the page, which a link saves."""

    name: str
    content: bytes
    label: str

    @property
    def address(self) -> str:
        """A `data:` address with all of it."""
        return data_address(self.content, "application/octet-stream")


@dataclass(frozen=True)
class SourceLine:
    """A line of a program.

    Attributes:
        number: from 1.
        text: without the line break.
        marked: from where to where an expression in it is underlined, as slices of the text, in their order.
    """

    number: int
    text: str
    marked: tuple[tuple[int, int], ...] = ()

    @property
    def pieces(self) -> tuple[tuple[str, bool], ...]:
        """The text in pieces, and whether each is underlined."""
        ends = [0, *(end for slice_ in self.marked for end in slice_), len(self.text)]
        pairs = [(self.text[start:end], bool(i % 2)) for i, (start, end) in enumerate(pairwise(ends))]
        return tuple((text, is_marked) for text, is_marked in pairs if text)


@dataclass(frozen=True)
class Source:
    """Lines of a program, with expressions underlined.

    Attributes:
        caption: file and function, such as `twice.py:9, in gradients`.
        lines: in their order; where numbers are missing, a gap is shown.
        finding: what is said of what is underlined, and what should stand there.
    """

    caption: str
    lines: tuple[SourceLine, ...]
    finding: str = ""


@dataclass(frozen=True)
class Gallery:
    """Small pictures side by side, as many in a row as there is room for."""

    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Fold:
    """Parts that are opened on request."""

    summary: str
    parts: tuple[Part, ...]
    is_open: bool = False


@dataclass(frozen=True)
class Section:
    """Parts under a heading."""

    heading: str
    parts: tuple[Part, ...]


Part: TypeAlias = (
    "Facts | Prose | Preformatted | Copyable | Attachment | Source | Gallery | Fold | Section"
    " | Table | Matrix | HeatMap | ArrayDiff | Picture | Image"
)


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        title: what was done, such as `gradparity compare`.
        verdict: the result in one line, with its tone.
        parts: what is on it, in order.
        made_by: what made it, such as version and time, for its foot.
        language: of its texts.
    """

    title: str
    verdict: Mark
    parts: tuple[Part, ...]
    made_by: tuple[tuple[str, str], ...] = ()
    language: str = "en"
