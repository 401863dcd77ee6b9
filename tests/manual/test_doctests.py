"""The examples in the docstrings of `gradparity.manual` run, and print what stands below them."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path
from types import ModuleType

import gradparity.manual
import pytest

FOLDER = Path(__file__).parent.parent.parent / "manual"
MODULES = [
    importlib.import_module(f"gradparity.manual.{path.stem}".removesuffix(".__init__"))
    for path in sorted(FOLDER.glob("*.py"))
]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_example_prints_what_stands_below_it(module):
    assert doctest.testmod(module).failed == 0


def test_everything_that_users_call_stands_in_an_example():
    docstrings = [docstring for module in MODULES for docstring in doctest.DocTestFinder().find(module)]
    code = "\n".join(example.source for docstring in docstrings for example in docstring.examples)
    assert {name for name in gradparity.manual.__all__ if name not in code} == set()


def test_an_example_that_is_wrong_is_found(capsys):
    module = ModuleType("wrong", "One and one.\n\n>>> 1 + 1\n3\n")
    assert doctest.testmod(module).failed == 1
    assert "Expected:\n    3\nGot:\n    2" in capsys.readouterr().out
