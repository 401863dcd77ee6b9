"""Where a function is wrong, as parts of a page: its own lines, the expressions underlined, and what they should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...backends.errors import printable
from ..report import Part, Prose, Section, Source, SourceLine
from .forward_findings import ForwardFinding
from .located import Located
from .wording import Localization

LINES_AROUND = 3


def localization_parts(localization: Localization, sources: Mapping[str, Sequence[str]] | None = None) -> list[Part]:
    """What a page shows of it: a section for each layer, such as precision, the loss, and the way back.

    Args:
        localization: what was found.
        sources: by the name of a file, without its folder, its lines; they are shown around those that are wrong.

    Returns:
        The sections; none if nothing was found.

    Example:
        >>> localization_parts(Localization())
        []
    """
    sections: list[Part] = []
    for layer in localization.layers():
        parts: list[Part] = [_source(place, sources or {}) for place in layer.places]
        sections.append(Section(layer.heading.rstrip(":"), (*parts, *map(Prose, layer.shown))))
    return sections


def _source(place: Located | ForwardFinding, sources: Mapping[str, Sequence[str]]) -> Part:
    if not place.file:  # at no one place
        return Prose(f"{place.says}.")
    where = f"{place.file}:{place.line}, in {place.function}"
    says = f"{place.says}." if isinstance(place, ForwardFinding) else place.says
    if len(place.source) < 2:  # it cannot be read
        return Prose(f"{where}: {says}")
    text, marks = place.source[0], place.source[1]
    start = len(marks) - len(marks.lstrip())
    return Source(where, _around(place.line, text, (start, len(marks)), sources.get(place.file, ())), says)


def _around(line: int, text: str, marked: tuple[int, int], source: Sequence[str]) -> tuple[SourceLine, ...]:
    """The line, and some before and after it if this is the file in which it stands."""
    whole = source[line - 1] if line <= len(source) else ""
    if printable(whole.strip(), limit=len(whole)) != text.rstrip():
        return (SourceLine(line, text, (marked,)),)
    indent = len(whole) - len(whole.lstrip())
    hit = SourceLine(line, whole.rstrip(), ((marked[0] + indent, marked[1] + indent),))
    first = max(1, line - LINES_AROUND)
    numbers = range(first, min(len(source), line + LINES_AROUND) + 1)
    shown = {number: SourceLine(number, source[number - 1].rstrip()) for number in numbers} | {line: hit}
    with_text = [number for number in numbers if shown[number].text]
    return tuple(shown[number] for number in numbers if with_text[0] <= number <= with_text[-1])
