"""Returned arrays taken apart into what they are put together of, such as a flat buffer of many gradients."""

from __future__ import annotations

import numpy as np

from ...backends.models.traced import Operand
from .written_program import WrittenProgram

Names = dict[str, str]  # by the name of a piece, that of the returned array
Piece = tuple[Operand, np.ndarray]  # and what it should be


def in_pieces(program: WrittenProgram) -> tuple[WrittenProgram, Names] | None:
    """The same run, where what returns several results in one array returns each of them.

    What is added to all of it in the end, such as weight decay, is taken as it stands.

    Args:
        program: the run.

    Returns:
        The program; None if there is nothing to take apart.
    """
    outputs: dict[str, Operand] = {}
    right: dict[str, np.ndarray] = {}
    names: Names = {}
    for name, output in program.outputs.items():
        pieces = _pieces(program, *_without_last_term(program, output, program.right[name]))
        for number, (operand, values) in enumerate(pieces or [(output, program.right[name])]):
            piece = f"{name} {number}" if pieces else name
            outputs[piece], right[piece], names[piece] = operand, values, name
    if len(outputs) == len(program.outputs):
        return None
    taken_apart = program.with_outputs(outputs, right)
    taken_apart.paths = {
        piece: program.paths[name] if piece == name else f"a part of {program.paths[name]}"
        for piece, name in names.items()
    }
    return taken_apart, names


def _without_last_term(program: WrittenProgram, output: Operand, right: np.ndarray) -> Piece:
    """What an output is before a term is added to it in the end, if it is put together of several results there."""
    number = program.maker_of(output)
    operation = program.operation(number) if number is not None else None
    if operation is None or operation.primitive != "add":
        return output, right
    for inner, term in (operation.operands, operation.operands[::-1]):
        if inner.shape == output.shape and len(program.makers_of(inner)) > 1:
            rows = {dtype: row[None] for dtype, row in program.values.items()}
            return inner, right - program.taken(term, rows)
    return output, right


def _pieces(program: WrittenProgram, output: Operand, right: np.ndarray) -> list[Piece]:
    """The results that an array is put together of; none if it is one result, or not whole ones alone."""
    origin, makers = output.origin.reshape(-1), program.makers_of(output)
    operations = [program.operation(number) for number in makers]
    if len(makers) < 2 or sum(one.stop - one.start for one in operations) != origin.size:
        return []
    pieces = []
    order = np.argsort(origin, kind="stable")
    for one in operations:
        entries = np.arange(one.start, one.stop)
        found = order[np.minimum(np.searchsorted(origin, entries, sorter=order), origin.size - 1)]
        if not np.array_equal(origin[found], entries):
            return []
        piece = Operand(output.dtype, entries.reshape(one.shape), None, output.ready)
        pieces.append((piece, right.reshape(-1)[found].reshape(one.shape)))
    return pieces
