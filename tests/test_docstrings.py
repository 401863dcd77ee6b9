"""Docstrings of public names say what is taken, returned and raised, and their examples run."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import sys
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = ("manual", "backends", "compare")
FACES = ("gradparity.manual", "gradparity.backends", "gradparity.backends.adapters", "gradparity.compare")
OPTIONAL = (
    "torch",
    "jax",
    "flax",
    "equinox",
    "haiku",
    "keras",
    "onnx",
    "onnxruntime",
    "autograd",
    "numba",
    "hypothesis",
    "flint",
)

# Classes whose docstrings have an example: what users write first.
WITH_EXAMPLE = {
    "gradparity.backends": (
        *("Recurrent", "FeedForward", "OrderedSystem", "Window", "Chunks", "LastSteps"),
        *("Evaluation", "Problem", "Problem.from_seed", "Problem.from_data", "Problem.save", "Problem.load"),
    )
}


def name_of(path: Path) -> str:
    """`gradparity.backends.registry`; of a folder's face `gradparity.backends`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["gradparity", *(part for part in parts if part != "__init__")])


def has_examples(source: str) -> bool:
    """Whether a docstring of the module, which is not imported for this, has an example."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    return any(">>> " in (ast.get_docstring(node) or "") for node in nodes)


def frameworks_of(module: ModuleType) -> set[str]:
    """The optional frameworks that the examples of a module import."""
    examples = [example for test in doctest.DocTestFinder().find(module) for example in test.examples]
    imported = {name for example in examples for name in re.findall(r"^(?:import|from) (\w+)", example.source)}
    return imported & set(OPTIONAL)


def failures_of(module: ModuleType) -> list[str]:
    """The examples of a module that do not give what they say."""
    runner = doctest.DocTestRunner(verbose=False)
    reports: list[str] = []
    for test in doctest.DocTestFinder().find(module):
        runner.run(test, out=reports.append)
    assert runner.tries
    return reports


def public_functions(face: str) -> dict[str, FunctionType]:
    module = importlib.import_module(face)
    members = {f"{face}.{name}": getattr(module, name) for name in module.__all__}
    return {name: member for name, member in members.items() if isinstance(member, FunctionType)}


def sections(docstring: str) -> set[str]:
    """The sections of a docstring in Google style."""
    return set(re.findall(r"^(Args|Returns|Raises|Yields|Example|Examples):$", docstring, re.MULTILINE))


def raises(function: FunctionType) -> bool:
    """Whether the function's own lines raise an error, of any kind but a failed assertion."""
    tree = ast.parse(inspect.cleandoc("\n" + inspect.getsource(function)))
    return any(isinstance(node, ast.Raise) and node.exc is not None for node in ast.walk(tree))


def missing_from(function: FunctionType) -> set[str]:
    """What the docstring of a function lacks."""
    docstring = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    wanted = {"summary", "example"}
    wanted |= {"Args"} if signature.parameters else set()
    wanted |= {"Returns"} if signature.return_annotation not in ("None", None, signature.empty) else set()
    wanted |= {"Raises"} if raises(function) else set()
    there = (
        sections(docstring) | ({"summary"} if docstring else set()) | ({"example"} if ">>> " in docstring else set())
    )
    return wanted - there


MODULES = sorted(
    name_of(path) for floor in FLOORS for path in (ROOT / floor).rglob("*.py") if has_examples(path.read_text())
)
FUNCTIONS = {name: function for face in FACES for name, function in public_functions(face).items()}


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_a_module_give_what_they_say(module):
    try:
        imported = importlib.import_module(module)
        for framework in frameworks_of(imported):
            importlib.import_module(framework)
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        pytest.skip(f"{module} needs {error.name}, which is not installed")
    assert failures_of(imported) == []


def test_a_framework_that_only_an_example_needs_is_known():
    assert frameworks_of(importlib.import_module("gradparity.backends.adapters.layer_objects")) == {"torch"}


def test_a_module_whose_framework_is_missing_is_skipped_with_the_reason(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(pytest.skip.Exception, match="needs torch, which is not installed"):
        test_the_examples_of_a_module_give_what_they_say("gradparity.backends.adapters.layer_objects")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_says_what_it_takes_returns_and_raises_and_shows_it(name):
    assert missing_from(FUNCTIONS[name]) == set()


@pytest.mark.parametrize(("face", "name"), [(face, name) for face, names in WITH_EXAMPLE.items() for name in names])
def test_what_users_write_first_has_an_example(face, name):
    member = importlib.import_module(face)
    for part in name.split("."):
        member = getattr(member, part)
    assert ">>> " in (member.__doc__ or "")


def planted(source: str) -> ModuleType:
    module = ModuleType("planted_example")  # a module of another test is called `planted`
    exec(source, module.__dict__)
    return module


def test_a_planted_example_that_is_wrong_is_found():
    (report,) = failures_of(planted('def two():\n    """Two.\n\n    >>> two()\n    3\n    """\n    return 2\n'))
    assert "Expected:\n    3\nGot:\n    2" in report
    assert failures_of(planted('def two():\n    """Two.\n\n    >>> two()\n    2\n    """\n    return 2\n')) == []


def test_a_module_without_examples_is_not_taken_for_one_with():
    assert has_examples('def two():\n    """Two.\n\n    >>> two()\n    2\n    """\n')
    assert not has_examples('PROMPT = ">>> "\n\n\ndef two():\n    """Two."""\n')
    assert {"gradparity.backends.registry", "gradparity.backends.problems.problem"} <= set(MODULES)


def half(number: float) -> float:
    """Half of a number.

    Args:
        number: any but 0.

    Returns:
        Half of it.

    Raises:
        ValueError: it is 0.

    Example:
        >>> half(4)
        2.0
    """
    if not number:
        raise ValueError("number = 0, expected another")
    return number / 2


@pytest.mark.parametrize(
    ("planted_fault", "missing"),
    [
        (("Args:", "Takes:"), {"Args"}),
        (("Returns:", "Gives:"), {"Returns"}),
        (("Raises:", "Errors:"), {"Raises"}),
        ((">>> half(4)", "half(4)"), {"example"}),
    ],
)
def test_a_planted_gap_in_a_docstring_is_found(monkeypatch, planted_fault, missing):
    assert missing_from(half) == set()
    monkeypatch.setattr(half, "__doc__", half.__doc__.replace(*planted_fault))
    assert missing_from(half) == missing


def test_a_function_without_a_docstring_is_found(monkeypatch):
    monkeypatch.setattr(half, "__doc__", None)
    assert missing_from(half) == {"summary", "Args", "Returns", "Raises", "example"}
