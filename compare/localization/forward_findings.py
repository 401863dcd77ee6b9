"""What gives the gradients that were returned, in plain values and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...backends.errors import printable
from ...backends.tracing.places import Place
from .forward_search import Explanation
from .source_text import underlined

BY_RECOMPUTING = (
    "What gives the returned gradients up to rounding, computed by the recorded loss, here and at other numbers:"
)
MOST_EQUAL = 3


@dataclass(frozen=True)
class ForwardFinding:
    """Something that differs from the right way back, so that it gives the gradients that were returned.

    Attributes:
        says: what, in words.
        file: in which the expression of the forward pass stands, without the folder; empty if it is at no one place.
        function: likewise.
        line: from 1; 0 if it is at no one place.
        columns: of the expression, from 0: its first, and one more than its last.
        text: the expression's.
        source: the line, and a line with marks below the expression.
    """

    says: str
    file: str = ""
    function: str = ""
    line: int = 0
    columns: tuple[int, int] = (0, 0)
    text: str = ""
    source: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = [f"{self.file}:{self.line}, in {self.function}"] if self.file else []
        return "\n".join([*where, *(f"    {line}" for line in self.source), f"  {self.says}."])


@dataclass(frozen=True)
class ForwardFindings:
    """All that gives the gradients that were returned.

    Attributes:
        findings: what differs; together they give all of the gradients.
        equal: other statements, each of which gives the same at all numbers that were tried.

    Example:
        >>> print(ForwardFindings((ForwardFinding("the gradients are multiplied by 2"),)))
        What gives the returned gradients up to rounding, computed by the recorded loss, here and at other numbers:
          the gradients are multiplied by 2.
    """

    findings: tuple[ForwardFinding, ...] = ()
    equal: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __str__(self) -> str:
        if not self:
            return ""
        return "\n".join([BY_RECOMPUTING, *map(str, self.findings), *self.equal_in_words])

    @property
    def equal_in_words(self) -> tuple[str, ...]:
        """A sentence for each of the other statements."""
        return tuple(f"The same at all these numbers: {one}." for one in self.equal)


def findings_of(explanations: Sequence[Explanation]) -> ForwardFindings:
    """What was found, to be shown.

    Args:
        explanations: the simplest first.

    Returns:
        The first one, part by part, and the others in a sentence each.
    """
    if not explanations:
        return ForwardFindings()
    first, *others = explanations
    findings = [_finding(one.says, one.place) for one in first.changes]
    if first.returned:
        findings.append(_finding(first.returned.says, None))
    equal = tuple("; and ".join(one.says) for one in others)
    more = (f"and {len(equal) - MOST_EQUAL} others",) if len(equal) > MOST_EQUAL else ()
    return ForwardFindings(tuple(findings), (*equal[:MOST_EQUAL], *more))


def findings_from(values: Mapping[str, Any]) -> ForwardFindings:
    """Findings out of the plain values of `dataclasses.asdict`."""
    findings = [
        ForwardFinding(
            str(one["says"]),
            str(one["file"]),
            str(one["function"]),
            int(one["line"]),
            (int(one["columns"][0]), int(one["columns"][1])),
            str(one["text"]),
            tuple(map(str, one["source"])),
        )
        for one in values["findings"]
    ]
    return ForwardFindings(tuple(findings), tuple(map(str, values["equal"])))


def _finding(says: str, place: Place | None) -> ForwardFinding:
    if place is None:
        return ForwardFinding(says)
    file, function = Path(place.code.co_filename).name, place.code.co_name
    columns = place.span[2:] if place.span else (0, 0)
    text, source = printable(place.expression), tuple(underlined(place))
    return ForwardFinding(says, printable(file), printable(function), place.line, columns, text, source)
