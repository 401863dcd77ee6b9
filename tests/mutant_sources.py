"""The mutants of a file: its source with one small change, which cosmic-ray makes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names
from parso.python.tree import Name

ROOT = Path(__file__).resolve().parent.parent


class Mutant(NamedTuple):
    """A changed source.

    Attributes:
        module: the file.
        line: the number of the first line that differs.
        was: that line.
        now: what stands there instead.
        source: the whole.
    """

    module: str
    line: int
    was: str
    now: str
    source: str

    @property
    def key(self) -> str:
        """What is changed into what, at whatever line of its module."""
        return key(self.module, self.was, self.now)


def key(module: str, was: str, now: str) -> str:
    """By what a mutant is known in the list of those that are accepted."""
    return f"{module}: {was}  ->  {now}"


class SwapExtremes(Operator):
    """`max` for `min` and `min` for `max`, of Python and of arrays, which cosmic-ray does not do by itself."""

    OTHER = {"max": "min", "min": "max", "maximum": "minimum", "minimum": "maximum"}  # noqa: RUF012 # constant

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        if isinstance(node, Name) and node.value in self.OTHER:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        return Name(self.OTHER[node.value], node.start_pos, node.prefix)

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


def operators() -> list[Operator]:
    """Those of cosmic-ray that need no arguments, and the extremes."""
    classes = [get_operator(name) for name in sorted(operator_names())]
    return [*(operator() for operator in classes if not operator.arguments()), SwapExtremes()]


def changes(module: str) -> list[tuple[str, Operator, int]]:
    """Every change of a module, as an operator and the number of the place where it is applied."""
    nodes = list(ast_nodes(get_ast((ROOT / module).read_text(encoding="utf-8"))))
    return [
        (module, operator, number)
        for operator in operators()
        for number in range(sum(len(list(operator.mutation_positions(node))) for node in nodes))
    ]


def mutant(module: str, operator: Operator, number: int) -> Mutant | None:
    """The module with this change; None if that is no program, or the same but for its annotations."""
    source = (ROOT / module).read_text(encoding="utf-8")
    changed = mutate_code(source, operator, number)
    try:
        if changed is None or without_annotations(changed) == without_annotations(source):
            return None
    except SyntaxError:
        return None
    pairs = enumerate(zip(source.splitlines(), changed.splitlines(), strict=False), start=1)
    line, was, now = next((line, was, now) for line, (was, now) in pairs if was != now)
    return Mutant(module, line, was.strip(), now.strip(), changed)


def without_annotations(source: str) -> str:
    """What a program does: annotations are strings that nobody evaluates, nor what is imported for them."""
    tree = ast.parse(source)
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test))
    ]
    for node in ast.walk(tree):
        for part in ("annotation", "returns"):
            if hasattr(node, part):
                setattr(node, part, None)
    return ast.dump(tree)
