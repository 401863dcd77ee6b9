"""A diagnosis as parts of a page: the mistake, its equation, its line, and the remedy."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from ..mistakes import Diagnosis, Suspect
from ..report import Facts, Fold, Part, Prose
from .wording import MOST_EQUALS, describe_diagnosis, gradients_in_words


def diagnosis_parts(diagnosis: Diagnosis) -> tuple[Part, ...]:
    """What a page shows of a diagnosis.

    Args:
        diagnosis: what was found.

    Returns:
        A sentence, and facts for each mistake; those that give the same numbers are folded.

    Example:
        >>> [type(part).__name__ for part in diagnosis_parts(Diagnosis())]
        ['Prose']
    """
    heading = Prose(describe_diagnosis(diagnosis).partition("\n")[0])
    if diagnosis.suspects:
        first, *equal = diagnosis.suspects
        same = Fold(f"The same numbers come from {len(equal)} more", tuple(map(_facts, equal)))
        return (heading, _facts(first), *([same] if equal else []))
    return (heading, *map(_facts, diagnosis.partly[:MOST_EQUALS]))


def _facts(suspect: Suspect) -> Facts:
    rows = [("mistake", " AND ".join(suspect.mistakes))]
    rows += [("violates", "; ".join(map(equation_in_words, suspect.equations)))] if suspect.equations else []
    for right, wrong, _ in suspect.lines:
        rows += [("right line", f"`{right}`"), ("wrong line", f"`{wrong}`")]
    rows += [("remedy", remedy) for remedy in suspect.remedies]
    if suspect.leaves:
        rows.append(("gives", gradients_in_words(suspect.explains)))
        rows.append(("does not give", gradients_in_words(suspect.leaves)))
    return Facts(tuple(rows))


def equation_in_words(number: int) -> str:
    """An equation's number, and the page of the derivation on which it stands.

    Example:
        >>> equation_in_words(18)
        'equation (18), manual/derivation.md'
    """
    page = _pages().get(number)
    return f"equation ({number})" + (f", manual/{page}" if page else "")


@cache
def _pages() -> dict[int, str]:
    """By the number of an equation, the page that has it."""
    pages = [page for page in files("gradparity.manual").iterdir() if page.name.endswith(".md")]
    return {
        int(number): page.name
        for page in pages
        for number in re.findall(r"\\tag\{(\d+)\}", page.read_text(encoding="utf-8"))
    }
