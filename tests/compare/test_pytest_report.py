"""The page of a test run: every comparison of its tests, whatever process ran them."""

from __future__ import annotations

import shlex

import pytest
from html_pages import parsed
from projects import LEAN
from sampling import case

pytest_plugins = ["pytester"]

TESTS = """
import mine
import pytest
import numpy as np


@pytest.mark.gradparity("lstm", dtype="float64", seed=[0, 1])
def test_right(gradparity):
    gradparity.assert_agree(mine.right)


@pytest.mark.gradparity("elman-softmax", dtype="float32")
def test_wrong(gradparity):
    gradparity.assert_agree(mine.wrong)


@pytest.mark.xfail(strict=True, reason="known")
@pytest.mark.gradparity("elman-softmax", dtype="float64")
def test_known(gradparity):
    gradparity.assert_agree(mine.wrong)


def square(x):
    return (x**2).sum(), {"x": 2 * x}


def test_own(gradparity):
    gradparity.assert_gradients(square, np.arange(3.0))


@pytest.mark.parametrize("name", ["<script>alert(1)</script>"])
def test_named(gradparity, name):
    gradparity.assert_gradients(square, np.arange(3.0))


def test_without():
    pass
"""


def rows_of(document):
    (table,) = [one for one in document.all("table") if one.all("caption")[0].text == "Each comparison"]
    return [[cell.text for cell in row.all("td")] for row in table.all("tbody")[0].all("tr")]


@pytest.mark.parametrize("is_shared", [case(True, campaign=False, id="xdist"), case(False, campaign=True, id="alone")])
def test_every_comparison_of_the_run_stands_on_the_page(is_shared, project, monkeypatch):
    project.pytester.makepyfile(test_it=TESTS)
    if is_shared:
        monkeypatch.setenv("PYTEST_ADDOPTS", shlex.join([*LEAN[2:], "-n", "1"]))
    result = project("--gradparity-report=page.html")
    result.assert_outcomes(passed=5, failed=1, xfailed=1)
    result.stdout.fnmatch_lines(["gradparity, report of 6 comparisons: page.html"])
    document = parsed((project.pytester.path / "page.html").read_text(encoding="utf-8"))
    assert document.of_class("verdict")[0].text == "✗ 6 comparisons in 6 tests: 2 agree, 2 disagree, 2 right"
    assert [(row[0].partition("::")[2], row[1].split()[1], row[4], row[2]) for row in rows_of(document)] == [
        ("test_known[elman-softmax-float64-0]", "disagree", "assert_agree", "failed, as expected"),
        ("test_named[<script>alert(1)</script>]", "right", "assert_gradients", "passed"),
        ("test_own", "right", "assert_gradients", "passed"),
        ("test_right[lstm-float64-0]", "agree", "assert_agree", "passed"),
        ("test_right[lstm-float64-1]", "agree", "assert_agree", "passed"),
        ("test_wrong[elman-softmax-float32-0]", "disagree", "assert_agree", "failed"),
    ]
    assert len(document.all("script")) == 1
    assert len(document.of_class("heatmap")) == 2


def test_without_the_option_nothing_is_written_or_said(project):
    project.pytester.makepyfile(test_it=TESTS)
    result = project("-k", "test_without")
    result.assert_outcomes(passed=1, deselected=6)
    assert "report of" not in result.stdout.str()


def test_a_run_without_a_comparison_says_so(project):
    project.pytester.makepyfile("def test_it():\n    pass\n")
    assert project("--gradparity-report=page.html").ret == 0
    document = parsed((project.pytester.path / "page.html").read_text(encoding="utf-8"))
    assert document.of_class("verdict")[0].text == "? no comparison was made"


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_collected(project):
    result = project("--gradparity-report=none/page.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--gradparity-report *none/page.html: cannot be written: there is no folder *none"])


def test_a_page_that_cannot_be_written_in_the_end_is_no_success(project):
    project.pytester.makepyfile("import shutil\n\ndef test_it():\n    shutil.rmtree('pages')\n")
    project.pytester.mkdir("pages")
    result = project("--gradparity-report=pages/page.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(["gradparity, no report: *page.html: cannot be written: *"])
