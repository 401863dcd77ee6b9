"""The house has three floors, and imports point down only."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "manual": {"manual"},
    "backends": {"backends", "manual"},
    "compare": {"compare", "backends", "manual"},
}
FRAMEWORKS = (
    "torch",
    "jax",
    "autograd",
    "sklearn",
    "statsmodels",
    "pandas",
    "matplotlib",
    "plotext",
    "flint",
    "hypothesis",
    "pytest",
)


def imports_of(source: str, floor: str) -> set[str]:
    """What a module on a floor imports when it runs: floors of the house by their name, others by their root."""
    found = set()
    for node in ast.walk(_without_type_checking(ast.parse(source))):
        if isinstance(node, ast.Import):
            found |= {_root(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(_root(node.module or ""))
        elif isinstance(node, ast.ImportFrom) and node.level == 1:
            found.add(floor)
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module.split(".")[0]} if node.module else {alias.name for alias in node.names}
    return found


def _root(module: str) -> str:
    parts = module.split(".")
    return parts[1] if parts[0] == "gradparity" and len(parts) > 1 else parts[0]


def _without_type_checking(tree: ast.Module) -> ast.Module:
    for_types = [node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    tree.body = [node for node in tree.body if node not in for_types]
    return tree


def violations(source: str, floor: str) -> set[str]:
    upward = (imports_of(source, floor) & ALLOWED.keys()) - ALLOWED[floor]
    if floor == "manual":
        upward |= imports_of(source, floor) - {"manual", "numpy"} - sys.stdlib_module_names
    return upward


@pytest.mark.parametrize("floor", ALLOWED)
def test_no_floor_imports_from_above(floor):
    modules = list((ROOT / floor).rglob("*.py"))
    assert modules
    assert {path.name: found for path in modules if (found := violations(path.read_text(), floor))} == {}


@pytest.mark.parametrize(
    ("floor", "source", "culprit"),
    [
        ("manual", "from ..backends import Problem", "backends"),
        ("manual", "def late():\n    from gradparity.compare import compare", "compare"),
        ("manual", "import scipy.special", "scipy"),
        ("backends", "from ..compare.results import Verdict", "compare"),
        ("backends", "from .. import compare", "compare"),
    ],
)
def test_a_planted_violation_is_found(floor, source, culprit):
    assert violations(source, floor) == {culprit}


def test_no_file_is_longer_than_400_lines():
    files = [path for folder in (*ALLOWED, "tests", "docs") for path in (ROOT / folder).rglob("*.*")]
    written = [path for path in (*files, *ROOT.glob("*.md")) if path.suffix in (".py", ".md")]
    assert len(written) > 50
    assert {path.name: lines for path in written if (lines := len(path.read_text().splitlines())) > 400} == {}


def test_only_the_adapter_imports_the_derivation_into_backends():
    imports = {path.name: imports_of(path.read_text(), "backends") for path in (ROOT / "backends").glob("*.py")}
    assert [name for name, found in imports.items() if "manual" in found] == ["numpy_manual.py"]


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*(m for m in {FRAMEWORKS} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_compare_loads_no_framework():
    assert loaded_after("import gradparity.compare, gradparity.compare.cli") == set()


def test_the_check_of_loaded_frameworks_can_fail():
    assert "hypothesis" in loaded_after("import hypothesis, gradparity.compare")


def test_asking_for_one_backend_loads_its_framework_alone():
    statement = "from gradparity.backends import get_backend; get_backend('torch')"
    assert loaded_after(statement) & {"torch", "jax"} == {"torch"}


def test_every_folder_is_in_the_wheel():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {path.parent for floor in ALLOWED for path in (ROOT / floor).rglob("__init__.py")}
    packages = {".".join(("gradparity", *folder.relative_to(ROOT).parts)) for folder in folders}
    assert packages == set(pyproject["tool"]["setuptools"]["packages"])
