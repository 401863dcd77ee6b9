"""What the README prints is what happens."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from gradparity.compare import cli

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.docs
README = (Path(__file__).parent.parent / "README.md").read_text()


def blocks(language):
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
    return [text for tag, text in fenced if tag == language]


@pytest.fixture
def the_backend(tmp_path, monkeypatch):
    """The README's backend as a file in the current folder."""
    (code,) = (block for block in blocks("python") if "class MyBackend" in block)
    (tmp_path / "my_backend.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delitem(sys.modules, "my_backend", raising=False)
    return tmp_path / "my_backend.py"


def run(*arguments):
    with pytest.raises(SystemExit) as exit_:
        cli.main(arguments)
    return exit_.value.code or 0


def test_the_backend_is_complete_and_agrees(the_backend, capsys):
    assert len(the_backend.read_text().splitlines()) < 40
    assert run("compare", "elman-squared-error", "--backend", "my_backend:MyBackend") == 0
    out = capsys.readouterr().out
    assert "6 agree" in out
    assert run("compare", "elman-softmax", "--backend", "my_backend:MyBackend") == 2
    assert "mine has a plain tanh layer with the squared error only" in capsys.readouterr().err


def test_a_mistake_in_a_derivation_is_told_as_printed(tmp_path, monkeypatch, capsys):
    (code,) = (block for block in blocks("python") if "def my_gradients" in block)
    (tmp_path / "my_gradients.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    (transcript,) = blocks("console")
    command, *told = transcript.splitlines()
    assert run(*command.removeprefix("$ gradparity ").split()) == 1
    out = capsys.readouterr().out
    for line in (line for line in told if line != "…"):
        assert without_the_spread(line) in without_the_spread(out)


def without_the_spread(text):
    """How many times more than rounding depends on the machine's BLAS, in the last digit."""
    return re.sub(r"\S+ times", "# times", text)


def test_the_benchmarkers_lines_run():
    (code,) = (block for block in blocks("python") if "prepare" in block and "class" not in block)
    scope = {}
    exec(code, scope)
    assert set(scope["gradients"]) == {"U", "W", "b", "V", "c"}


def test_the_tests_of_a_library_run_as_printed(pytester):
    (code,) = (block for block in blocks("python") if "def test_my_layer" in block)
    pytester.makepyfile(code.replace("my_package.gradparity:backend", "jax"))
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=5)


def test_weights_go_from_one_library_to_another():
    (code,) = (block for block in blocks("python") if "assert_same_layer" in block)
    scope = {}
    exec(code, scope)
    assert type(scope["cell"]).__name__ == "OptimizedLSTMCell"
    assert set(scope["params"]) == {"U", "W", "b"}


def test_the_detection_tables_are_those_that_the_command_wrote():
    page = (Path(__file__).parent.parent / "docs" / "detection.md").read_text().splitlines()
    section = README[README.index("## How good is it?") : README.index("## Architecture")]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    assert len(rows) > 15
    assert [row for row in rows if row not in page] == []
