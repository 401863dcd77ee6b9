"""Places in a person's program: which line, and which expression of it, is being carried out."""

from __future__ import annotations

import ast
import linecache
import sys
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType

from ..errors import is_authors, printable


@dataclass(frozen=True)
class Place:
    """A place in a program.

    Attributes:
        code: the function's code.
        instruction: the index of its instruction that is carried out.
        called_from: the place in the author's code that called the function; None if it is the outermost.
    """

    code: CodeType
    instruction: int
    called_from: Place | None = None

    @property
    def span(self) -> tuple[int, int, int, int] | None:
        """The expression's first and last line, and its first and last column; None if Python does not know them."""
        position = next(islice(self.code.co_positions(), self.instruction // 2, None), None)
        if position is None or None in position:
            return None
        first, last, start, end = position
        return first, last, start, end  # type: ignore[return-value]

    @property
    def line(self) -> int:
        """The number of the line, from 1."""
        return self.span[0] if self.span else self.code.co_firstlineno

    @property
    def statement(self) -> int:
        """The number of the first line of the statement that it stands in; one for several lines of an expression."""
        return _statements(self.code).get(self.line, self.line)

    @property
    def expression(self) -> str:
        """The expression's text, or that of its first line if it has several."""
        if self.span is None:
            return linecache.getline(self.code.co_filename, self.line).strip()
        first, last, start, end = self.span
        text = linecache.getline(self.code.co_filename, first).rstrip("\n").encode()
        return text[start : end if last == first else None].decode(errors="replace").strip()

    def __str__(self) -> str:
        where = f"{Path(self.code.co_filename).name}:{self.line}, in {self.code.co_name}"
        return printable(f"{where}: {self.expression}" if self.expression else where)


def current_place() -> Place | None:
    """The innermost place in the author's own code that is being carried out now; None outside of any.

    Example:
        >>> current_place().line > 0
        True
    """
    frame: FrameType | None = sys._getframe(1)
    frames = []
    while frame is not None:
        if _is_authors(frame.f_code.co_filename):
            frames.append(frame)
        frame = frame.f_back
    place = None
    for one in reversed(frames):
        place = Place(one.f_code, one.f_lasti, place)
    return place


def place_of(error: BaseException) -> Place | None:
    """The innermost place in the author's own code that an error came through; None if it came through none."""
    place = None
    trail = error.__traceback__
    while trail is not None:
        if _is_authors(trail.tb_frame.f_code.co_filename):
            place = Place(trail.tb_frame.f_code, trail.tb_lasti)
        trail = trail.tb_next
    return place


@lru_cache(maxsize=64)
def _statements(code: CodeType) -> dict[int, int]:
    """By the line of a function's file, the first line of the innermost statement there."""
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError):
        return {}
    found = {}
    for node in ast.walk(tree):  # what stands within another one comes after it
        if isinstance(node, ast.stmt):
            found.update(dict.fromkeys(range(node.lineno, (node.end_lineno or node.lineno) + 1), node.lineno))
    return found


@lru_cache(maxsize=4096)
def _is_authors(filename: str) -> bool:
    return is_authors(filename)
