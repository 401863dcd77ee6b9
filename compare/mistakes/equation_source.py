"""Reads the lines of `manual/equations.py`, so that a mistake can be a change of some of them.

A section is what is executed as one: the lines of one function there or of several, one after another, which hand on
their results by name. The right lines stand in that file alone; what is shown to a person is the text that was run.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any, NamedTuple

from ...manual import equations

EQUATIONS = inspect.getsource(equations)
NUMBER = re.compile(r"\s*(?:# \((\d+)\))?")  # of an equation, behind its line


class Line(NamedTuple):
    """A statement.

    Attributes:
        left: what it assigns, or adds to.
        right: the expression.
        text: the whole statement.
        equation: its number in the derivation; None for one that only prepares another.
    """

    left: str
    right: str
    text: str
    equation: int | None = None


Section = tuple[Line, ...]


def section(*functions: Callable[..., Any]) -> Section:
    """The lines of functions of `manual/equations.py`, one after another."""
    return tuple(line for function in functions for line in lines_of_function(EQUATIONS, function.__name__))


def lines_of_function(source: str, name: str) -> Section:
    """The lines of a function in the source of its module, each with the number of its equation.

    Raises:
        ValueError: beside a docstring and a last `return` of names, something in it is no equation of one line.
    """
    *body, last = _functions(source)[name].body
    if not (isinstance(last, ast.Return) and _are_names(last.value)):
        body.append(last)
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    text_lines = source.splitlines()
    numbered = []
    for node in body:
        text = text_lines[node.lineno - 1].encode()
        number = NUMBER.fullmatch(text[node.end_col_offset :].decode())
        if node.lineno != node.end_lineno or not number:
            raise ValueError(f"{name}: an equation has a line of its own, with no more behind it than its number")
        numbered.append(_line(text, node)._replace(equation=int(number[1]) if number[1] else None))
    return tuple(numbered)


@lru_cache(maxsize=4096)
def statements(text: str) -> Section:
    """The statements of a text such as `dU = ... ; dW = ...`.

    Raises:
        ValueError: one of them has no left and right side.
    """
    return tuple(_line(text.encode(), node) for node in ast.parse(text).body)


def changed(section: Section, replacements: Mapping[str, str]) -> Section:
    """A section with lines replaced by others of the same left side; those without one in it are left out."""
    return tuple(
        statements(replacements[line.left])[0]._replace(equation=line.equation) if line.left in replacements else line
        for line in section
    )


@lru_cache(maxsize=4096)
def compiled(section: Section) -> CodeType:
    """A section, ready to be executed."""
    return compile("\n".join(line.text for line in section), "<equations>", "exec")


@lru_cache(maxsize=4)
def _functions(source: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def _are_names(value: ast.expr | None) -> bool:
    return all(isinstance(part, ast.Name) for part in (value.elts if isinstance(value, ast.Tuple) else [value]))


def _line(text: bytes, node: ast.stmt) -> Line:
    """A statement of a line of text; where its parts begin and end is counted in bytes of UTF-8."""

    def segment(part: ast.stmt | ast.expr) -> str:
        return text[part.col_offset : part.end_col_offset].decode()

    match node:
        case ast.Assign(targets=[target]) | ast.AugAssign(target=target, op=ast.Add()):
            return Line(segment(target), segment(node.value), segment(node))
    raise ValueError(f"expected a line such as `a = b` or `a += b`, got {segment(node)!r}")
