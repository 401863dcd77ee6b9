"""Loads a person's file, also one that trains, or reads its data, as soon as it is imported.

A file with a loop at its top level is a script: what is defined before the loop is loaded, and the loop is not run.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from ...backends import RequestError
from ...backends.errors import first_line

LOOPS = (ast.While, ast.For, ast.AsyncFor)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
PREFIX = "_gradparity_"
NOTES = "__gradparity_notes__"  # names in the module
SOURCE = "__gradparity_source__"


def module_from_file(path: Path) -> ModuleType:
    """The module in a file. It is loaded once, as an import does: two functions of a file share its classes.

    Args:
        path: the file.

    Returns:
        The module. `notes_of` has what is to be said of it.

    Raises:
        RequestError: there is no such file.
    """
    if not path.is_file():
        raise RequestError(f"{path}: no such file")
    name = f"{PREFIX}{path.stem}"  # a file may be called like a module that is in use
    source = path.read_bytes()
    known = sys.modules.get(name)
    if known is not None and (known.__file__, getattr(known, SOURCE, None)) == (str(path), source):
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as an import would, for dataclasses and the like in it
    try:
        with _beside(path):
            tree = ast.parse(source, str(path))
            is_script = any(isinstance(statement, LOOPS) for statement in tree.body)
            if not is_script:
                try:
                    # not by its loader, which takes what was compiled of another text of this size in the same second
                    exec(compile(tree, str(path), "exec", dont_inherit=True), module.__dict__)
                except OSError:  # such as that the file with its data is not there
                    is_script = True
            if is_script:
                setattr(module, NOTES, _run_script(tree, module, path))
    except BaseException:
        del sys.modules[name]
        raise
    setattr(module, SOURCE, source)
    return module


def notes_of(module: ModuleType | None) -> tuple[str, ...]:
    """What is to be said of a module that `module_from_file` loaded: what of it was not run."""
    notes: tuple[str, ...] = getattr(module, NOTES, ())
    return notes


@contextmanager
def _beside(path: Path) -> Iterator[None]:
    """While it is entered, modules beside a file are found, as `python FILE.py` does; those in use are shared."""
    sys.path.insert(0, str(path.parent))
    in_use = {}
    for name, module in list(sys.modules.items()):
        if name.startswith(PREFIX) and Path(str(module.__file__)).parent == path.parent:
            in_use[name.removeprefix(PREFIX)] = module
    shared = {name: module for name, module in in_use.items() if name not in sys.modules}
    sys.modules.update(shared)
    try:
        yield
    finally:
        sys.path.remove(str(path.parent))
        for name in shared:
            sys.modules.pop(name, None)


def _run_script(tree: ast.Module, module: ModuleType, path: Path) -> tuple[str, ...]:
    """Runs a script up to its first loop, and the definitions after that. A statement that fails is left out."""
    notes = []
    loop: int | None = None
    for statement in tree.body:
        if isinstance(statement, LOOPS) and loop is None:
            loop = statement.lineno
            notes.append(f"{path.name}:{loop}: it was loaded without the loop here, and what follows, but definitions")
        is_definition = isinstance(statement, DEFINITIONS)
        if loop is not None and not is_definition:
            continue
        try:
            exec(compile(ast.Module([statement], []), str(path), "exec"), module.__dict__)
        except Exception as error:  # such as that a file is missing
            if is_definition:
                raise
            notes.append(f"{path.name}:{statement.lineno}: left out, since it raised {first_line(error)}")
    return tuple(notes)
