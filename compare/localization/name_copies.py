"""Assignments that only give a value another name, such as `da = dh`: no operation, so no expression to be wrong.

Where a value that is read under the new name should be another one, and is right under the old one, that line is meant.
"""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

import numpy as np

from ...backends.models.traced import Operand
from ...backends.tracing.places import Place
from ...backends.tracing.replay import Replay, Rows
from .derivatives import Candidate, candidates, usual_orders
from .findings import Finding, Search, is_near
from .right_inputs import RightInputs
from .source_text import Span, span_of
from .written_program import Written, WrittenProgram

VIEWS = ("transpose", "swapaxes", "reshape", "ravel", "copy")


class _Copy(NamedTuple):
    """An assignment of a name to another one.

    Attributes:
        value: the span of the old name.
        readers: the spans of the operations that read the new name, and of those the ones that take it as it is, with
            the number of the operand.
    """

    value: Span
    readers: dict[Span, int | None]


class _Use(NamedTuple):
    """How the new name is read in a run.

    Attributes:
        written: an expression that takes the value as it is.
        arrays: by the run, where the value's numbers come from.
        operands: by the number of an operation and of its operand, in which run it stands for the value.
    """

    written: Written
    arrays: list[Operand]
    operands: dict[tuple[int, int], int]


def with_name_copies(found: Search) -> Search:
    """The same findings, or instead of them the one line that only copies a name, if its value explains all.

    Args:
        found: what is wrong.

    Returns:
        The findings.
    """
    program = found.program
    codes = dict.fromkeys((one.place.code, one.place.called_from) for one in program.way_back if one.place)
    for code, called_from in codes if found.findings and not found.stopped else ():
        for copy in _copies(code):
            use = _use(program, code, copy)
            finding = use and _explanation(found, use, _place(code, copy.value, called_from))
            if finding:
                rows = _with_value(program, use, finding.expected) if use else found.rows
                return found._replace(findings=(finding,), left=(), rows=rows)
    return found


def _explanation(found: Search, use: _Use, place: Place | None) -> Finding | None:
    """That the new name should have another value, if that puts all right and its own is right under the old one."""
    program, tolerance, written = found.program, found.program.tolerance, use.written
    shape, runs = use.arrays[0].shape, len(use.arrays)
    wholes = [one for one in found.derivatives if one.is_whole]
    inputs = RightInputs(program, found.derivatives)
    for candidate in candidates(wholes, shape, runs, usual_orders(runs), written.numbers) if place else ():
        rows = _with_value(program, use, candidate)
        returned = program.returned(rows, (1,))
        if not all(is_near(array[0], program.right[name], tolerance) for name, array in returned.items()):
            continue
        given = np.stack([program.taken(array, rows) for array in use.arrays])
        if is_near(given, candidate.values, tolerance) or not all(inputs.are_right(one, rows) for one in use.arrays):
            continue
        repairs = tuple(name for name in program.outputs if name not in program.returned_right)
        copied = Written(place, "", shape, written.dtype, written.numbers)
        return Finding(copied, candidate, given, repairs, tolerance, is_entered_rightly=True, knows_steps=True)
    return None


def _with_value(program: WrittenProgram, use: _Use, candidate: Candidate) -> Rows:
    """The values of all entries where the new name has other ones; one leading axis of length 1."""
    operations = list(program.model.operations)
    for (number, index), run in use.operands.items():
        operation = operations[number]
        operands = list(operation.operands)
        values = _seen_as(operands[index], use.arrays[run], candidate.values[run])
        operands[index] = Operand(operation.dtype, np.zeros(values.shape, "int64"), values.astype(operation.dtype), 0)
        operations[number] = replace(operation, operands=tuple(operands))
    replay = Replay(replace(program.model, operations=tuple(operations)), program.beside())
    with np.errstate(all="ignore"):
        replay.forward(program.model.fixed)
    return {dtype: row[None] for dtype, row in replay.rows.items()}


def _seen_as(operand: Operand, array: Operand, values: np.ndarray) -> np.ndarray:
    """The values of an array as an operand has them that is a view of it, such as its transpose."""
    if operand.shape == array.shape and np.array_equal(operand.origin, array.origin):
        return values
    entries = array.origin.reshape(-1)
    order = np.argsort(entries)
    places = order[np.searchsorted(entries, operand.origin.reshape(-1), sorter=order)]
    return values.reshape(-1)[places].reshape(operand.shape)


def _use(program: WrittenProgram, code: CodeType, copy: _Copy) -> _Use | None:
    """How the new name is read; None unless every reading of it is an operation that can be carried out again."""
    by_span: dict[Span, list[Written]] = {}
    for written in program.way_back:
        if written.place and written.place.code is code and written.place.span in copy.readers:
            by_span.setdefault(written.place.span, []).append(written)
    if not copy.readers or by_span.keys() != copy.readers.keys():
        return None
    whole = [
        (by_span[span][0], index)
        for span, index in copy.readers.items()
        if index is not None and len(by_span[span]) == 1
    ]
    if not whole:
        return None
    first, index = max(whole, key=lambda one: len(one[0].numbers))
    taken = [program.operation(number).operands for number in first.numbers]
    if any(len(one) <= index or one[index].shape != taken[0][index].shape for one in taken):
        return None
    arrays = [one[index] for one in taken]
    operands: dict[tuple[int, int], int] = {}
    for span, expressions in by_span.items():
        read = {
            (number, place): runs
            for written in expressions
            for number in written.numbers
            for place, operand in enumerate(program.operation(number).operands)
            if copy.readers[span] in (None, place)
            and (runs := [run for run, array in enumerate(arrays) if _is_view(operand, array)])
        }
        most = max(len(written.numbers) for written in expressions)
        if any(len(runs) > 1 for runs in read.values()) or len({runs[0] for runs in read.values()}) < most:
            return None
        operands |= {key: runs[0] for key, runs in read.items()}
    return _Use(first, arrays, operands)


def _is_view(operand: Operand, array: Operand) -> bool:
    """Whether an operand holds numbers of an array alone, each of which is known by where it comes from."""
    if operand.shape == array.shape and np.array_equal(operand.origin, array.origin):
        one, other = operand.constants, array.constants
        return bool(operand.origin.any()) or (one is not None and other is not None and np.array_equal(one, other))
    return bool(operand.origin.all()) and bool(np.isin(operand.origin, array.origin).all())


def _place(code: CodeType, span: Span, called_from: Place | None) -> Place | None:
    positions = enumerate(code.co_positions())
    found = (number for number, (first, last, start, end) in positions if (first, last, start, end) == span)
    number = next(found, None)
    return None if number is None else Place(code, 2 * number, called_from)


@lru_cache(maxsize=64)
def _copies(code: CodeType) -> tuple[_Copy, ...]:
    """The copies of names in a function, of names that are given nothing else."""
    function = _function(code)
    if function is None:
        return ()
    parents = {id(child): node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    copies = []
    for node in ast.walk(function):
        if not (isinstance(node, ast.Assign) and _is_read_alone(node.value) and len(node.targets) == 1):
            continue
        (target,), old = node.targets, ast.unparse(node.value)
        if isinstance(target, ast.Name) and target.id != old:
            uses = [one for one in names if one.id == target.id]
            if sum(not isinstance(one.ctx, ast.Load) for one in uses) == 1:
                readers = _readers(uses, old, parents)
                if readers is not None:
                    copies.append(_Copy(span_of(node.value), readers))
    return tuple(copies)


def _is_read_alone(node: ast.expr) -> bool:
    """Whether an expression is a name, or a part of what it names, such as `error[t]`."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name)


def _readers(uses: Iterable[ast.Name], old: str, parents: Mapping[int, ast.AST]) -> dict[Span, int | None] | None:
    """The operations that take a name; None if something else does, or takes the old name, too."""
    readers: dict[Span, int | None] = {}
    for name in uses:
        if not isinstance(name.ctx, ast.Load):
            continue
        node, index = _reader(name, parents)
        if not isinstance(node, ast.expr | ast.AugAssign):
            return None
        if any(ast.unparse(one) == old for one in ast.walk(node) if isinstance(one, ast.expr)):
            return None
        readers[span_of(node)] = None if span_of(node) in readers else index
    return readers


def _reader(name: ast.Name, parents: Mapping[int, ast.AST]) -> tuple[ast.AST | None, int | None]:
    """The operation that takes a name, or a view of it, and the number of the operand if it is the name as it is."""
    node: ast.AST = name
    parent = parents[id(node)]
    while _is_view_of(parent, node):
        node, parent = parent, parents[id(parent)]
    if isinstance(parent, ast.BinOp):
        return parent, int(parent.right is node) if node is name else None
    if isinstance(parent, ast.AugAssign) and parent.value is node:
        return parent, 1 if node is name else None
    if isinstance(parent, ast.UnaryOp | ast.Call):
        return parent, None
    if isinstance(parent, ast.Attribute):  # a method, such as `da.sum(axis=0)`
        return parents[id(parent)], None
    return None, None


def _is_view_of(parent: ast.AST, node: ast.AST) -> bool:
    if isinstance(parent, ast.Attribute):
        return parent.attr == "T" or parent.attr in VIEWS
    if isinstance(parent, ast.Subscript):
        return parent.value is node
    return isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute) and parent.func is node


def _function(code: CodeType) -> ast.AST | None:
    """The function's own text."""
    try:
        tree = ast.parse("".join(linecache.getlines(code.co_filename)))
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            first_lines = [node.lineno, *(one.lineno for one in node.decorator_list)]
            if code.co_firstlineno in first_lines:
                return node
    return None
