"""Results show themselves in a notebook: that of the documentation is run, and says what stands in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import nbformat
import pytest
from gradparity.compare import SYSTEMS, check_gradients, compare
from run_notebook import NOTEBOOK, outputs

RUN = """
import json
from run_notebook import executed, outputs

print(json.dumps(outputs(executed())))
"""
# How long a benchmark took; the times within it are not compared either.
CHANGING = re.compile(r"\([\d.]+ s\)")


def words(html: str) -> str:
    """What a reader sees of HTML, without styles."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(style|svg).*?</\1>", "", html)))


@pytest.fixture(scope="module")
def now():
    """In a process of its own: a kernel has an event loop, and its client complains of ours."""
    done = subprocess.run(
        [sys.executable, "-c", RUN], capture_output=True, text=True, cwd=NOTEBOOK.parents[1] / "tests"
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.docs
def test_the_notebook_says_what_stands_in_it(now):
    then = outputs(nbformat.read(NOTEBOOK, as_version=4))
    for cell, (was, is_now) in enumerate(zip(then, now, strict=True)):
        assert [one.keys() for one in was] == [one.keys() for one in is_now], cell
        for one, other in zip(was, is_now, strict=True):
            assert CHANGING.sub("…", one.get("text/plain", "")) == CHANGING.sub("…", other.get("text/plain", "")), cell
            if "<FunctionBench" not in one.get("text/plain", ""):
                assert words(one.get("text/html", "")) == words(other.get("text/html", "")), cell


@pytest.mark.docs
def test_every_result_shows_itself(now):
    shown = [one["text/html"] for cell in now for one in cell if "text/html" in one]
    compared, wrong, right, bench = shown
    assert 'class="heatmap"' in compared
    assert "agree" in words(compared)
    assert "<mark>" in wrong  # the expression in the source
    assert "is wrong" in words(wrong)
    assert "is right" in words(right)
    assert "entry_by_entry" in words(bench)
    assert "<svg" in bench
    assert not any("<script" in one for one in shown)


def test_without_jinja2_the_conclusion_is_shown_and_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    comparison = compare(SYSTEMS["elman-softmax"].problem(seed=0), ["manual", "torch"])
    shown = comparison._repr_html_()
    assert words(shown).strip().startswith("agree: manual, torch on rnn")
    assert 'pip install "gradparity[report]"' in shown.replace("&quot;", '"')
    b = SYSTEMS["elman-softmax"].problem(seed=0).params["b"]
    shown = check_gradients(
        lambda params: ((params["<b>"] ** 2).sum(), {"<b>": 3 * params["<b>"]}), {"<b>": b}
    )._repr_html_()
    assert "is wrong" in shown
    assert "<b>" not in shown


def test_a_result_is_a_line_where_there_is_no_notebook():
    comparison = compare(SYSTEMS["elman-softmax"].problem(seed=0), ["manual", "torch"])
    assert repr(comparison) == (
        "<Comparison: agree: manual, torch on rnn (tanh, softmax_cross_entropy), float64, T=12 B=3 D=4 H=8 K=5, "
        "case 0ab3baa41d3e>"
    )
