"""Assignments that only give a value another name, such as `da = dh`, made operations, so that one can be wrong.

A factor that was forgotten leaves such a line behind. For a recording, the function runs with `da = copied(dh)` in its
place, on the same line and columns, and is afterwards as it was.
"""

from __future__ import annotations

import ast
import linecache
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from types import CodeType, FunctionType
from typing import Any

import numpy as np

from ...backends.models.traced import ENTRY_DTYPES
from ...backends.tracing.array import RecordedArray, as_recorded, operand
from ...backends.tracing.places import current_place
from ...backends.tracing.recorder import active
from .written_program import WrittenProgram

COPIED = "gradparity: copied"  # a constant of the compiled text, in whose place the function is put


def copied(value: Any) -> Any:
    """An array that is given another name, as an operation; what is no array of floating-point numbers, as it is."""
    if not isinstance(value, np.ndarray | RecordedArray) or value.dtype not in ENTRY_DTYPES:
        return value
    array = as_recorded(value)
    operands = operand(array), operand(as_recorded(np.zeros_like(array.numbers)))
    origin = active().record("add", operands, array.numbers, current_place())
    return RecordedArray(array.numbers.copy(), origin)


def with_copies(program: WrittenProgram, record: Callable[[], WrittenProgram], function: Any) -> WrittenProgram:
    """A program in which the copies of names on the way back are operations.

    Args:
        program: the whole run as it is.
        record: runs it anew.
        function: that runs.

    Returns:
        The new run; the program itself if there are no copies, or the new run returns something else, as it does where
        an array is changed under both names.
    """
    lines = _first_lines(program)
    with ExitStack() as stack:
        found = [stack.enter_context(_copying(one, lines[one.__code__])) for one in _functions(function, lines)]
        if not any(found):
            return program
        copying = record()
    same = copying.loss == program.loss and all(
        np.array_equal(array, copying.as_returned[name], equal_nan=True) for name, array in program.as_returned.items()
    )
    return copying if same else program


def _first_lines(program: WrittenProgram) -> dict[CodeType, int]:
    """By the code of the way back, the line after the last one that the loss needs."""
    of_loss: dict[CodeType, int] = {}
    for number in program.of_loss:
        if place := program.operation(number).place:
            of_loss[place.code] = max(place.line, of_loss.get(place.code, 0))
    return {one.place.code: of_loss.get(one.place.code, 0) + 1 for one in program.way_back if one.place}


def _functions(function: Any, codes: Iterable[CodeType]) -> list[FunctionType]:
    """The functions that can be reached by name and have one of the codes."""
    outermost = getattr(function, "__func__", function)
    names = getattr(outermost, "__globals__", {})
    classes = [value for value in names.values() if isinstance(value, type)]
    reached = [outermost, *names.values(), *(method for one in classes for method in vars(one).values())]
    found = {id(one): one for one in reached if isinstance(one, FunctionType) and one.__code__ in set(codes)}
    return list(found.values())


@contextmanager
def _copying(function: FunctionType, first_line: int) -> Iterator[bool]:
    """While it is entered, copies of names from a line on are operations of a function; yields whether it has any."""
    code, changed = function.__code__, _changed(function.__code__, first_line)
    if changed is not None:
        function.__code__ = changed
    try:
        yield changed is not None
    finally:
        function.__code__ = code


def _changed(code: CodeType, first_line: int) -> CodeType | None:
    """The code with operations in the place of copies; None if there are none, or its text cannot be read."""
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError):
        return None
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == code.co_name]
    copies = _Copies(first_line)
    for node in functions:
        if code.co_firstlineno in (node.lineno, *(one.lineno for one in node.decorator_list)):
            copies.visit(node)
    if not copies.number:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # a text is called
        compiled = compile(ast.fix_missing_locations(tree), code.co_filename, "exec")
    changed = _code_of(compiled, code)
    return changed and _with_function(changed)


def _with_function(code: CodeType) -> CodeType:
    """The code with `copied` in the place of the constant that stands for it, in functions inside of it, too."""
    constants = [
        copied if one == COPIED else _with_function(one) if isinstance(one, CodeType) else one for one in code.co_consts
    ]
    return code.replace(co_consts=tuple(constants))


def _code_of(compiled: CodeType, code: CodeType) -> CodeType | None:
    """The code of the same function in a module that was compiled anew."""
    for constant in compiled.co_consts:
        if isinstance(constant, CodeType):
            is_same = (constant.co_qualname, constant.co_firstlineno) == (code.co_qualname, code.co_firstlineno)
            if is_same and constant.co_freevars == code.co_freevars:
                return constant
            if found := _code_of(constant, code):
                return found
    return None


class _Copies(ast.NodeTransformer):
    """Puts operations in the place of copies, from a line on.

    Attributes:
        number: how many there are.
    """

    def __init__(self, first_line: int) -> None:
        self.number, self._first_line = 0, first_line

    def visit_Assign(self, node: ast.Assign) -> ast.Assign:
        if node.lineno >= self._first_line:
            if isinstance(node.value, ast.Tuple):
                node.value.elts = [self._operation(one) for one in node.value.elts]
            else:
                node.value = self._operation(node.value)
        return node

    def _operation(self, value: ast.expr) -> ast.expr:
        """`copied(value)` of a name, or a part of one, such as `error[t]`."""
        inner: ast.expr = value
        while isinstance(inner, ast.Subscript | ast.Attribute):
            inner = inner.value
        if not isinstance(inner, ast.Name):
            return value
        self.number += 1
        return ast.copy_location(ast.Call(ast.copy_location(ast.Constant(COPIED), value), [value], []), value)
