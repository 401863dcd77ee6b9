"""The pages of the derivation and the code carry the same equations, each exactly once."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).parent.parent.parent / "manual"
PAGES = (
    "derivation.md",
    "derivation-other-ways.md",
    "derivation-gates-and-stacks.md",
    "derivation-feedforward.md",
)


def numbers_on_the_page(text: str) -> Counter[int]:
    return Counter(int(number) for number in re.findall(r"\\tag\{(\d+)\}", text))


def numbers_in_code(text: str) -> Counter[int]:
    return Counter(int(number) for number in re.findall(r"#.*?\((\d+)\)", text))


def the_pages() -> str:
    assert {path.name for path in FOLDER.glob("*.md")} == set(PAGES)
    return "\n".join((FOLDER / page).read_text() for page in PAGES)


def the_code() -> str:
    return "\n".join(path.read_text() for path in sorted(FOLDER.rglob("*.py")) if path.name != "equations.py")


def test_the_pages_number_their_equations_from_one_without_a_gap():
    numbers = re.findall(r"\\tag\{(\d+)\}", the_pages())
    assert [int(number) for number in numbers] == list(range(1, len(numbers) + 1))


def test_the_code_carries_each_equation_of_the_page_once():
    assert numbers_in_code(the_code()) == numbers_on_the_page(the_pages())


def test_a_number_that_is_missing_or_used_twice_is_found():
    page = numbers_on_the_page(r"a \tag{1} b \tag{2}")
    assert numbers_in_code("x = 1  # (1)\ny = 2  # (2) (B, H)") == page
    assert numbers_in_code("x = 1  # (1)") != page
    assert numbers_in_code("x = 1  # (1)\ny = 2  # (2)\nz = 2  # (2)") != page


def test_the_example_prints_what_stands_below_it(capsys):
    page = the_pages()
    ((code, printed),) = re.findall(
        r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE
    )
    exec(code, {})
    assert capsys.readouterr().out == printed
