"""The pages of the public surface: what the faces and the public modules offer, from their docstrings."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, UnionType
from typing import Any, get_args

import site_pages
from sphinx.application import Sphinx

MODULES = {
    "gradparity.manual": "api-manual",
    "gradparity.backends": "api-backends",
    "gradparity.backends.adapters": "api-adapters",
    "gradparity.compare": "api-compare",
    "gradparity.compare.strategies": "api-strategies",
    "gradparity.compare.conformance": "api-conformance",
    "gradparity.compare.layers.cell_definitions": "api-cell-definitions",
}


def public_names(module: str) -> dict[str, Any]:
    """What a module offers: the names of `__all__`, or else the functions and classes that it defines.

    Args:
        module: its full name.
    """
    loaded = importlib.import_module(module)
    if (names := getattr(loaded, "__all__", None)) is not None:
        return {name: getattr(loaded, name) for name in sorted(names)}
    own = module.rpartition(".")[2]  # a public module may take all from one of the same name in a room
    return {
        name: member
        for name, member in sorted(vars(loaded).items())
        if (inspect.isfunction(member) or inspect.isclass(member))
        and not name.startswith(("_", "pytest_"))
        and member.__module__.rpartition(".")[2] == own
    }


def page(module: str) -> str:
    """The page of a module, in reStructuredText."""
    parts = [module, "=" * len(module), "", f".. automodule:: {module}", "   :no-index:", ""]
    kinds: dict[str, list[str]] = {"Functions": [], "Classes": [], "Values": [], "Modules": []}
    for name, member in public_names(module).items():
        full = f"{module}.{name}"
        if isinstance(member, ModuleType):
            kinds["Modules"] += [f".. automodule:: {full}", "   :members:", ""]
        elif inspect.isclass(member):
            kinds["Classes"] += [f".. autoclass:: {full}", "   :members:", ""]
        elif callable(member):
            kinds["Functions"] += [f".. autofunction:: {full}", ""]
        else:
            kinds["Values"] += [f".. py:data:: {name}", f"   :module: {module}", "", f"   {_described(member)}", ""]
    for kind, directives in kinds.items():
        if directives:
            parts += [kind, "-" * len(kind), "", *directives]
    return "\n".join(parts)


def _described(value: Mapping[str, Any] | UnionType) -> str:
    if isinstance(value, UnionType):
        return f"Any of {', '.join(f'``{kind.__name__}``' for kind in get_args(value))}."
    return f"A mapping with the keys {', '.join(f'``{key}``' for key in value)}."


def write_pages(folder: Path) -> None:
    """Writes the page of each module, as `api-….rst`, and the page that leads to them."""
    for module, name in MODULES.items():
        (folder / f"{name}.rst").write_text(page(module), encoding="utf-8")
    title = "Python interface"
    entries = "\n".join(f"   {name}" for name in MODULES.values())
    text = f"{title}\n{'=' * len(title)}\n\n.. toctree::\n   :maxdepth: 2\n\n{entries}\n"
    (folder / "api.rst").write_text(text, encoding="utf-8")


def mark_literal_blocks(_app: Sphinx, _what: str, _name: str, _member: Any, _options: Any, lines: list[str]) -> None:
    """Marks what is indented below a sentence that ends in a colon as a literal block; sections have one word alone."""
    text = "\n".join(lines)
    lines[:] = re.sub(r"^(\S.* .*):$(?=\n\n )", r"\1::", text, flags=re.MULTILINE).split("\n")


def source_files() -> set[Path]:
    """The files that define what is public."""
    members = [member for module in MODULES for member in public_names(module).values()]
    return {file for member in members if (file := _file(member))}


def _file(member: Any) -> Path | None:
    try:
        file = Path(inspect.getsourcefile(inspect.unwrap(member)) or "")
    except TypeError:  # a value
        return None
    return file if file.is_relative_to(site_pages.ROOT) else None


def address(domain: str, info: dict[str, str]) -> str | None:
    """Where the listing has an object's first line, as `sphinx.ext.linkcode` asks; None if it is not listed."""
    if domain != "py" or not info["module"]:
        return None
    member: Any = importlib.import_module(info["module"])
    for part in info["fullname"].split("."):
        member = getattr(member, part, None)
    if isinstance(member, property):
        member = member.fget
    try:
        file, (_, line) = _file(member), inspect.getsourcelines(inspect.unwrap(member))
    except (TypeError, OSError):
        return None
    if file not in source_files():
        return None
    return f"{site_pages.listing_name(file)}.html#L-{line}"


def setup(app: Sphinx) -> dict[str, Any]:
    """Has docstrings prepared before their sections are read."""
    app.connect("autodoc-process-docstring", mark_literal_blocks, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
