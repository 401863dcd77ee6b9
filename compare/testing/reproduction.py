"""The line that reproduces a failing test."""

from __future__ import annotations

import inspect
import os
import shlex
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from ...backends import Backend
from ..check import Function
from .session import STARTED_WITH


def backend_target(backend: str | Backend, path: Sequence[str]) -> str:
    """`module:object`, by which another process with that path finds a backend; empty if it does not."""
    if isinstance(backend, str):
        return backend
    kind = backend if isinstance(backend, type) else type(backend)
    module = sys.modules.get(kind.__module__)
    names = [name for name, value in vars(module).items() if value is backend] if module else []
    if not module or not names:
        return ""
    root = sys.modules[module.__name__.partition(".")[0]]
    spec = PathFinder.find_spec(root.__name__, [*path, os.getcwd()])
    return f"{module.__name__}:{names[0]}" if spec and spec.origin == root.__file__ else ""


def path_of_a_new_process(config: pytest.Config) -> tuple[str, ...]:
    """sys.path without the folders that pytest adds to find tests, which the other process will not have."""
    added = {str(folder) for folder in config.getini("pythonpath")}
    return tuple(folder for folder in STARTED_WITH if folder not in added)


def function_target(function: Function) -> str:
    """`FILE.py:FUNCTION`, by which `gradparity check` finds a function; empty if it is no function of a file."""
    name = getattr(function, "__name__", "")
    module = sys.modules.get(getattr(function, "__module__", ""))
    if getattr(module, name, None) is not function or not (file := inspect.getsourcefile(function)):
        return ""
    return f"{os.path.relpath(file)}:{name}"


def next_step_of_test(command: Sequence[str], saved: Path | None) -> str:
    """What a failing test tells to do next: keep the problem, and run the command."""
    keep = (
        f"The problem is saved: {os.path.relpath(saved)}" if saved else "Keep the problem: --gradparity-save-case DIR"
    )
    return f"{keep}\nTry: {shlex.join(command)}"
