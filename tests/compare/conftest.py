"""What the tests of the referee share."""

from __future__ import annotations

import importlib.util
import shlex
import sys

import pytest
from gradparity.backends.frameworks import require
from gradparity.compare import cli
from projects import BACKENDS, LEAN


@pytest.fixture
def gradparity(capsys, monkeypatch, tmp_path):
    """Runs the command line in an empty folder; returns its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return exit_.value.code or 0, out, err

    return run


@pytest.fixture
def hide(monkeypatch):
    """A finder that hides a package stands in for its absence."""

    def hide(package):
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
        require.cache_clear()

    yield hide
    require.cache_clear()


@pytest.fixture
def project(pytester, monkeypatch):
    """A project with three backends; runs pytest in it."""
    pytester.makepyfile(mine=BACKENDS)
    monkeypatch.setenv("PYTEST_ADDOPTS", shlex.join(LEAN))  # also where a printed command runs it again

    def run(*arguments):
        return pytester.runpytest_subprocess(*arguments)

    run.pytester = pytester
    return run
