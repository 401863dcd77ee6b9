"""The referee: gives every backend the same problem, judges the answers, and explains the judgement."""

# Lazy (PEP 562), since pytest imports this package whenever it starts, in every project, for `pytest_plugin`.

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .api import *  # noqa: F403
else:

    def __getattr__(name: str) -> object:
        if not name.startswith("_") or name == "__all__":
            api = import_module(".api", __name__)
            if name == "__all__" or name in api.__all__:
                return getattr(api, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})
