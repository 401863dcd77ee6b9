"""Modules that a function imports while it runs: they are looked through as well, however it imports them."""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


class Imports:
    """What stands for `import` and `importlib.import_module` while a function runs."""

    def __init__(self, found: Callable[[Any, str, Mapping[str, Any]], Any]) -> None:
        """Nothing is changed yet.

        Args:
            found: takes a module, its name, and the names of the module that imports it; gives what stands for it.
        """
        statement, function = builtins.__import__, importlib.import_module

        def by_statement(name: str, globals: Any = None, *rest: Any, **options: Any) -> Any:
            module = statement(name, globals, *rest, **options)
            return found(module, name, sys._getframe(1).f_globals if globals is None else globals)

        def by_function(name: str, package: str | None = None) -> Any:
            return found(function(name, package), name, sys._getframe(1).f_globals)

        self._before, self._now = (statement, function), (by_statement, by_function)

    def stand_in(self, value: Any) -> Any:
        """What stands for `importlib.import_module` under a name of its own; None for anything else."""
        return self._now[1] if value is self._before[1] else None

    @contextmanager
    def followed(self) -> Iterator[None]:
        """While it is entered, whatever is imported is found."""
        builtins.__import__, importlib.import_module = self._now
        try:
            yield
        finally:
            builtins.__import__, importlib.import_module = self._before
