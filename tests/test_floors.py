"""The house has three floors with rooms in rows, and imports point down only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ARCHITECTURE = ROOT / "docs" / "architecture.md"
ALLOWED = {
    "manual": {"manual"},
    "backends": {"backends", "manual"},
    "compare": {"compare", "backends", "manual"},
}
FRAMEWORKS = (
    "torch",
    "jax",
    "autograd",
    "numba",
    "sklearn",
    "statsmodels",
    "pandas",
    "matplotlib",
    "plotext",
    "flint",
    "hypothesis",
    "pytest",
    "distributed",
)


def modules_imported(source: str, module: str) -> set[str]:
    """The full names of what a module imports when it runs, such as `gradparity.compare.referee.compare` or `numpy`."""
    package = module.split(".")[:-1]
    found = set()
    for node in ast.walk(_without_type_checking(ast.parse(source))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = [*base, *(node.module.split(".") if node.module else [])]
            found |= {".".join([*origin, alias.name]) for alias in node.names}
    return found


def _without_type_checking(tree: ast.Module) -> ast.Module:
    for_types = [node for node in tree.body if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)]
    tree.body = [node for node in tree.body if node not in for_types]
    return tree


def name_of(path: Path) -> str:
    """`gradparity.compare.referee.results`; of a folder's face `gradparity.compare.referee.__init__`."""
    return ".".join(["gradparity", *path.relative_to(ROOT).with_suffix("").parts])


def floor_violations(source: str, module: str) -> set[str]:
    """The floors above, and for the derivation all packages but NumPy, that a module imports."""
    floor = module.split(".")[1]
    imported = modules_imported(source, module)
    ours = {name.split(".")[1] for name in imported if name.startswith("gradparity.")}
    others = {name.split(".")[0] for name in imported} - {"gradparity", "__future__"}
    outside = others - {"numpy"} - sys.stdlib_module_names if floor == "manual" else set()
    return ours - ALLOWED[floor] | outside


def rows(floor: str) -> list[list[str]]:
    """The rooms of a floor as docs/architecture.md draws them, a list for each row, from the top."""
    drawing = re.search(r"^```\n(compare/.*?)^```$", ARCHITECTURE.read_text(), re.DOTALL | re.MULTILINE)
    assert drawing
    found: dict[str, list[list[str]]] = {}
    at = ""
    for line in drawing[1].splitlines():
        if not line.startswith(" "):
            at = line.split("/")[0]
            found[at] = []
        else:
            found[at].append([room.strip("/ ") for room in re.split(r" {2,}", line.strip())[0].split(" · ")])
    return found[floor]


def rooms_imported(source: str, module: str, rooms: Collection[str]) -> set[str]:
    """The other rooms of its own floor from which a module imports, and the floor's own face as ``."""
    _, floor, *inner = module.split(".")
    found = set()
    for name in modules_imported(source, module):
        if name.startswith(f"gradparity.{floor}."):
            room = name.split(".")[2]
            found.add(room if room in rooms else "")
    return found - {inner[0]}


def room_violations(floor: str, sources: Mapping[str, str]) -> list[str]:
    """Arrows that run up, or in a circle, between the rooms of a floor; given the source of each module."""
    order = rows(floor)
    row_of = {room: number for number, row in enumerate(order) for room in row}
    arrows: dict[str, set[str]] = {room: set() for room in row_of}
    violations = []
    for module, source in sources.items():
        here = module.split(".")[2]
        if here in ("__init__", "__main__"):  # the floor's own face looks at everything
            continue
        for there in rooms_imported(source, module, row_of):
            if not there:
                violations.append(f"{module} imports the face of its own floor")
            elif row_of[there] < row_of[here]:
                violations.append(f"{module} imports {there}, which is above {here}")
            else:
                arrows[here].add(there)
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        violations.append(f"a circle: {' -> '.join(error.args[1])}")
    return violations


def sources_of(floor: str) -> dict[str, str]:
    return {name_of(path): path.read_text() for path in (ROOT / floor).rglob("*.py")}


@pytest.mark.parametrize("floor", ALLOWED)
def test_no_floor_imports_from_above(floor):
    sources = sources_of(floor)
    assert sources
    assert {name: found for name, source in sources.items() if (found := floor_violations(source, name))} == {}


@pytest.mark.parametrize(
    ("module", "source", "culprit"),
    [
        ("manual.rnn", "from ..backends import Problem", "backends"),
        ("manual.rnn", "def late():\n    from gradparity.compare import compare", "compare"),
        ("manual.rnn", "import scipy.special", "scipy"),
        ("backends.registry", "from ..compare.referee import Verdict", "compare"),
        ("backends.registry", "from .. import compare", "compare"),
        ("backends.problems.drawing", "from ...compare.referee import Verdict", "compare"),
        ("backends.references.devices", "from ... import compare", "compare"),
    ],
)
def test_a_planted_upward_import_is_found_on_a_floor_and_in_its_folders(module, source, culprit):
    assert floor_violations(source, f"gradparity.{module}") == {culprit}


@pytest.mark.parametrize("floor", ["backends", "compare"])
def test_no_room_imports_from_a_room_above_or_in_a_circle(floor):
    assert room_violations(floor, sources_of(floor)) == []


@pytest.mark.parametrize("floor", ["backends", "compare"])
def test_every_room_stands_in_the_drawing(floor):
    there = {path.stem for path in (ROOT / floor).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert {room for row in rows(floor) for room in row} == there - {"__init__", "__main__"}


def test_every_file_of_a_room_stands_in_the_list_and_no_other():
    listed, folder = set(), ""
    block = re.search(r"^```\n(compare/testing/.*?)^```$", ARCHITECTURE.read_text(), re.DOTALL | re.MULTILINE)
    assert block
    for line in block[1].splitlines():
        *first, names = re.split(r" {2,}", line.strip())
        folder = first[0] if first else folder
        listed |= {f"{folder}{name}" for name in names.split(" · ")}
    there = {path.relative_to(ROOT).with_suffix("") for floor in ALLOWED for path in (ROOT / floor).rglob("*.py")}
    in_rooms = {path.as_posix() for path in there if len(path.parts) > 2 or path.parts[0] == "manual"}
    assert listed == {name for name in in_rooms if not name.endswith("__init__")}


@pytest.mark.parametrize(
    ("module", "source", "violation"),
    [
        ("compare.referee.results", "from ..diagnosis import diagnose", "diagnosis, which is above referee"),
        ("compare.mistakes.mistake", "def late():\n    from ..referee import Comparison", "referee, which is above"),
        ("compare.tolerance.rounding", "from .. import Comparison", "the face of its own floor"),
        ("compare.answers.blocks", "from ..jobs import open_journal", "a circle: "),
        ("backends.models.recurrent", "from ..problems import Problem", "problems, which is above models"),
        ("backends.checks", "from .models.model import Model", "models, which is above checks"),
    ],
)
def test_a_planted_arrow_that_runs_up_or_in_a_circle_is_found(module, source, violation):
    floor = module.split(".")[0]
    planted = {f"gradparity.{module}": source, "gradparity.compare.jobs.journal": "from ..answers import quantities"}
    found = room_violations(floor, planted if floor == "compare" else {f"gradparity.{module}": source})
    assert len(found) == 1
    assert violation in found[0]


def test_no_file_is_longer_than_400_lines():
    files = [path for folder in (*ALLOWED, "tests", "docs") for path in (ROOT / folder).rglob("*.*")]
    written = [path for path in (*files, *ROOT.glob("*.md")) if path.suffix in (".py", ".md")]
    assert len(written) > 50
    assert {path.name: lines for path in written if (lines := len(path.read_text().splitlines())) > 400} == {}


def test_only_the_adapters_import_the_derivation_into_backends():
    def imports_manual(module: str, source: str) -> bool:
        return any(name.startswith("gradparity.manual") for name in modules_imported(source, module))

    importing = {module for module, source in sources_of("backends").items() if imports_manual(module, source)}
    assert importing == {
        "gradparity.backends.references.manual_backend",
        "gradparity.backends.optional.manual_compiled_backend",
    }


def loaded_after(statement: str, packages: Collection[str] = FRAMEWORKS) -> set[str]:
    code = f"import sys; {statement}; print(*(m for m in {packages} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_compare_loads_no_framework():
    assert loaded_after("import gradparity.compare, gradparity.compare.cli") == set()


def test_the_referee_loads_no_console():
    """Rich draws from the random state of the host when it is imported."""
    consoles = ("rich", "typer")
    assert loaded_after("from gradparity.compare import assert_agree, check_derivation", consoles) == set()
    assert loaded_after("import gradparity.compare.cli", consoles) == set(consoles)


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
