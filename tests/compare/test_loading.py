"""A file is loaded, also one that trains, or reads its data, as soon as it is imported."""

from __future__ import annotations

import sys

import pytest
from gradparity.backends import RequestError
from gradparity.compare.check.loading import module_from_file, notes_of


@pytest.fixture
def load(tmp_path):
    def load(text, name="mine.py"):
        (tmp_path / name).write_text(text)
        return module_from_file(tmp_path / name)

    return load


def test_a_module_is_imported_whole_with_its_neighbours(load, tmp_path):
    (tmp_path / "neighbour.py").write_text("value = 3\n")
    before = list(sys.path)
    module = load("from neighbour import value\nif __name__ == '__main__':\n    value = 0\n")
    assert (module.value, notes_of(module), sys.path) == (3, (), before)


@pytest.mark.parametrize("loop", ["while True:", "for step in range(10**12):"])
def test_a_script_is_loaded_up_to_its_loop_and_its_definitions_after_that(load, loop):
    module = load(
        f"import math\nW = [1.0]\n{loop}\n    W[0] += 1\nW = None\ndef loss(): return W[0]\nclass Net: pass\n"
    )
    assert module.loss() == 1.0
    assert module.Net
    assert notes_of(module) == ("mine.py:3: it was loaded without the loop here, and what follows, but definitions",)


def test_a_statement_that_fails_is_left_out_of_a_script(load):
    module = load("data = open('none.txt').read()\nsize = 3\ndef loss(): return size\n")
    assert module.loss() == 3
    (note,) = notes_of(module)
    assert note.startswith("mine.py:1: left out, since it raised FileNotFoundError: ")


@pytest.mark.parametrize("text", ["import none_such\nfor i in (): pass\n", "raise ValueError('enough')\n", "def f(:\n"])
def test_a_definition_or_a_module_that_fails_is_an_error_and_leaves_nothing(load, text):
    with pytest.raises((ValueError, ImportError, SyntaxError)):
        load(text, "broken.py")
    assert "_gradparity_broken" not in sys.modules


def test_two_functions_of_a_file_share_its_classes_also_one_that_imports_it(load, tmp_path):
    cells = load("class Params: pass\ndef loss(): return Params\n", "cells_of_mine.py")
    assert module_from_file(tmp_path / "cells_of_mine.py") is cells
    draws = load("from cells_of_mine import Params\n", "draws_of_mine.py")
    assert draws.Params is cells.Params
    assert "cells_of_mine" not in sys.modules


def test_a_file_that_was_written_anew_is_loaded_anew(load):
    assert load("value = 1\n").value == 1
    assert load("value = 2\n").value == 2


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(RequestError, match="no such file"):
        module_from_file(tmp_path / "none.py")
