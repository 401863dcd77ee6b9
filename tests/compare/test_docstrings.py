"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib

import pytest

MODULES = (
    "check.checking",
    "check.results",
    "referee.block_result",
    "referee.comparison",
    "referee.explanation",
    "referee.results",
)


@pytest.mark.parametrize("module", MODULES)
def test_every_example_in_a_docstring_gives_what_stands_there(module):
    results = doctest.testmod(importlib.import_module(f"gradparity.compare.{module}"))
    assert results.attempted > 0
    assert results.failed == 0
