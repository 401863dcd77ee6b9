"""Results show themselves in a notebook: that of the documentation is run, and says what stands in it."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import nbformat
import pytest
from run_notebook import NOTEBOOK, outputs, words

RUN = """
import json
from run_notebook import executed, outputs

print(json.dumps(outputs(executed())))
"""
# How long a benchmark took; the times within it are not compared either.
CHANGING = re.compile(r"\([\d.]+ s\)")


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
