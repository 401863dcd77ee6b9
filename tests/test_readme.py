"""The README is short, and its figures are those of the pages, of the catalogue and of the commands.

Its examples are run in `test_docs.py`, with those of all pages.
"""

from __future__ import annotations

import re

import pages
import pytest
from gradparity.compare import SYSTEMS
from gradparity.compare.systems.datasets import BUILT_IN

pytestmark = pytest.mark.docs
README = pages.text("README.md")


def table_rows(content):
    """The cells of every row of every table in a text."""
    rows = [line.strip().strip("|").split(" | ") for line in content.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in rows]


def test_it_is_short():
    assert len(README.splitlines()) <= 180
    assert len(README.split()) <= 900


def test_the_two_commands_are_complete_each_on_a_line():
    lines = [line for line in README.splitlines() if line.startswith("pip install ")]
    assert lines == [
        'pip install -c constraints.txt -e ".[all]" && gradparity compare',
        'pip install -c constraints.txt -e ".[test]" && pytest',
    ]


def test_the_first_success_takes_five_lines():
    *_, function = pages.the_block("README.md", "# logistic.py").text.partition("def gradients")
    assert len(function.splitlines()) == 5


def test_the_catalogue_is_as_large_as_it_says():
    assert f"{len(SYSTEMS)} systems and" in " ".join(README.split())
    assert len(BUILT_IN) == 2
    assert "and two data sets" in README


def test_the_figures_of_five_checks_are_those_of_the_detection_run():
    found, false = [row for row in table_rows(pages.text("docs/detection.md")) if row[0] == "all"]
    planted, *detected, named = [sum(map(int, cell.split(" · "))) for cell in found[1:]]
    right, *positives = map(int, false[1:])
    header, _, *rows = table_rows(README[README.index("## Why not") : README.index("## Use cases")])
    assert header[1:] == [f"mistakes found, of {planted}", "named", f"false positives, of {right} right gradients"]
    assert [int(row[1]) for row in rows] == detected
    assert [row[2] for row in rows] == ["–"] * 4 + [str(named)]
    assert [int(row[3]) for row in rows] == positives
    assert [
        re.search(r"\w+(?=`| |$)", row[0].replace("torch.autograd.", "").replace("jax.test_util.", ""))[0]
        for row in rows
    ] == [
        "gradcheck",
        "check_grads",
        "assert_allclose",
        "central",
        "gradparity",
    ]


def test_the_fastest_are_as_many_as_in_the_tables_of_the_benchmark():
    content = (pages.ROOT / "compare" / "bench" / "bench.md").read_text(encoding="utf-8")
    rows = [row for row in table_rows(content) if re.fullmatch(r"\d+, \d+, \d+, \d+", row[0])]
    fastest = sum(float(row[-2]) < 1 for row in rows)
    assert f"fastest on {fastest} of {len(rows)} workloads" in " ".join(README.split())


def test_every_page_is_in_the_index():
    index = pages.text("docs/README.md")
    names = {page.removeprefix("docs/") for page in pages.pages() if re.fullmatch(r"docs/[^/]+", page)} - {"README.md"}
    assert [name for name in sorted(names) if f"({name})" not in index] == []
