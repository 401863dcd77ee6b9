"""What was found, in the author's own words: the line, what stands there, and what should."""

from __future__ import annotations

from collections.abc import Sequence
from types import CodeType

from .derivatives import Derivative
from .relations import relation
from .search import Search
from .source_text import argument_of_caller, expression, operand, underlined, variable, where


def in_words(found: Search) -> list[str]:
    """A text for each finding, of several lines.

    Args:
        found: what is wrong.

    Returns:
        The texts, in the order in which the findings were found.
    """
    texts = []
    for finding in found.findings:
        place = finding.written.place
        if place is None:
            continue
        lines = [where(place), *(f"    {line}" for line in underlined(place))]
        should = f"should be {_derivative(finding.expected.derivative, found.program.code)}{_when(finding.differs)}"
        told = relation(found, finding)
        lines.append(f"  {variable(place)[0] or expression(place)} {should}" + (f": {told}." if told else "."))
        texts.append("\n".join(lines))
    return texts


def proof(found: Search) -> str:
    """What the experiment has shown."""
    if not found.findings:
        return ""
    names = ", ".join(dict.fromkeys(name for one in found.findings for name in one.repairs if name not in found.left))
    many = "these values" if len(found.findings) > 1 else "this value"
    if not names:
        return f"With {many} put there, more of it is right, but no array is as a whole."
    return f"With {many} put there, the way back as it stands gives the right {names}."


def _derivative(derivative: Derivative, code: CodeType | None) -> str:
    """Such as "dL/da, line 12", or of what a helper function does, of its caller."""
    if derivative.place is None:
        return f"dL/d({derivative.path})"
    place, taken = derivative.place, ""
    if derivative.operand is None:
        name, at = variable(place)
        return f"dL/d({name or expression(place).strip('`')}), line {at.line}"
    taken = operand(place, derivative.operand).strip("`")
    while place.code is not code and place.called_from and taken:
        passed = argument_of_caller(place, taken).strip("`")
        if not passed:
            break
        place, taken = place.called_from, passed
    through = f"as it comes back through {expression(place)}, line {place.line}"
    return f"dL/d({taken}) {through}" if taken else f"the derivative {through}"


def _when(differs: Sequence[bool]) -> str:
    """At which of its runs it is wrong, in the order of the run."""
    runs, wrong = len(differs), sum(differs)
    if wrong == runs or runs == 1:
        return ""
    if not differs[0] and all(differs[1:]):
        return f", and is so only in the first of {runs} runs"
    if differs[0] and not any(differs[1:]):
        return f", and is not in the first of {runs} runs"
    if differs[-1] and not any(differs[:-1]):
        return f", and is not in the last of {runs} runs"
    return f", and is not in {wrong} of {runs} runs"
