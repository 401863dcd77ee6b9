"""The pages of the derivation and the code carry the same equations, and each is completed on one line, but for two.

A comment `# (58)` stands on the line that completes equation (58), and `# of (58): …` on a line that computes a part of
it. Where a line completes several at once, or one or the other, it names them all.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import equation_lines
import pytest

pytestmark = pytest.mark.docs
FOLDER = Path(__file__).parent.parent.parent / "manual"
PAGES = (
    "derivation.md",
    "derivation-other-ways.md",
    "derivation-gates-and-stacks.md",
    "derivation-feedforward.md",
)


class Citations(NamedTuple):
    """How often the comments of a text name each equation.

    Attributes:
        whole: as one that the line completes.
        part: as one of which the line computes a part.
        other: comments with a number in parentheses that are neither.
    """

    whole: Counter[int]
    part: Counter[int]
    other: list[str]


def numbers_on_the_page(text: str) -> list[int]:
    return [int(number) for number in equation_lines.TAG.findall(text)]


def citations_in(code: str) -> Citations:
    found, other = equation_lines.citations_in(code)
    whole, part = (Counter(each.number for each in found if each.part is kind) for kind in (False, True))
    return Citations(whole, part, other)


def the_pages() -> str:
    assert {path.name for path in FOLDER.glob("*.md")} == set(PAGES)
    return "\n".join((FOLDER / page).read_text() for page in PAGES)


def the_code() -> str:
    return "\n".join(path.read_text() for path in sorted(FOLDER.rglob("*.py")) if path.name != "equations.py")


def test_the_pages_number_their_equations_from_one_without_a_gap():
    numbers = numbers_on_the_page(the_pages())
    assert numbers == list(range(1, len(numbers) + 1))


# The fast gates do these in place or in one product with others, so that they cite parts of them; `equations` has both.
IN_PARTS = {55, 74}


def test_the_code_completes_each_equation_of_the_pages_and_no_other():
    found = citations_in(the_code())
    pages = set(numbers_on_the_page(the_pages()))
    assert pages - found.whole.keys() == IN_PARTS
    assert found.part.keys() >= IN_PARTS
    assert found.whole.keys() | found.part.keys() == pages


def test_no_equation_is_completed_on_two_lines():
    assert {number for number, lines in citations_in(the_code()).whole.items() if lines > 1} == set()


def test_a_number_in_a_comment_is_always_a_citation():
    assert citations_in(the_code()).other == []


def test_the_citations_of_a_code_are_found():
    found = citations_in("x = 1  # (1)\ny = 2  # (2) or (3) (B, H)\nz = 3  # of (4), (5): the factor\n")
    assert found == (Counter({1: 1, 2: 1, 3: 1}), Counter({4: 1, 5: 1}), [])


def test_a_number_that_is_used_twice_or_said_by_the_way_is_found():
    assert citations_in("x = 1  # (1)\ny = 2  # (1) (B, H)\n").whole[1] == 2
    assert citations_in("x = 1  # but for (1)\ny = 2  # of (2)\n").other == ["# but for (1)", "# of (2)"]
    assert citations_in('"""A line that ends in `# (1)`."""\n') == (Counter(), Counter(), [])
