"""What a program does in the end: a change of all gradients, and factors of its loss."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...backends.models.traced import Operand
from ...backends.tracing.places import Place
from .written_program import WrittenProgram

CHANGES = ("multiply", "divide", "maximum", "negative", "add", "subtract")  # what all gradients may go through
MOST_FACTORS = 4  # of a loss, such as one over the steps and one over the samples


class _Factor(NamedTuple):
    factor: float
    inner: Operand
    place: Place | None


class OtherUnits(NamedTuple):
    """A factor that the loss has in the end, and the gradients have not.

    Attributes:
        program: whose loss is the one before.
        place: where the loss is multiplied.
        factor: by what, all in all.
        of_right: the returned arrays that are right for the loss before, and were wrong.
    """

    program: WrittenProgram
    place: Place
    factor: float
    of_right: tuple[str, ...]


def before_last(program: WrittenProgram) -> tuple[WrittenProgram, Place] | None:
    """The program without what it does to all gradients in the end, such as a clip; and where it does that.

    Args:
        program: the whole run.

    Returns:
        The program, whose outputs are what these are made of; None if there is no one expression that all go
        through, or it belongs there: what is right goes wrong without it, or nothing gets right and the loss ends
        in the same way.
    """
    found = None
    without, place = program, None
    while stripped := _before_last_operation(without):
        if place not in (None, stripped[1]):
            break
        without, place = stripped  # a clip is several operations
        loses, gains = program.returned_right - without.returned_right, without.returned_right - program.returned_right
        if not loses and (gains or not _ends_like_loss(program)):
            found = without, place
    return found


def _before_last_operation(program: WrittenProgram) -> tuple[WrittenProgram, Place] | None:
    """The program without the one operation that all gradients go through last; None if it is not in one place."""
    places, before = set(), {}
    for name, output in program.outputs.items():
        if not output.origin.any():  # it is never computed, and what is done to it is not recorded
            before[name] = output
            continue
        number = program.maker_of(output)
        if number is None or number in program.of_loss:
            return None
        operation = program.model.operations[number]
        places.add(operation.place)
        inner = [one for one in operation.operands if one.shape == output.shape and one.origin.any()]
        if operation.primitive not in CHANGES or len(inner) != 1:
            return None
        before[name] = inner[0]
    place = places.pop() if len(places) == 1 else None
    if place is None or sum(bool(output.origin.any()) for output in program.outputs.values()) < 2:
        return None
    return program.with_outputs(before, program.right), place


def before_mean(program: WrittenProgram) -> tuple[WrittenProgram, Place] | None:
    """The program without the factor that the loss and all gradients are multiplied by in the end.

    It divides its sums over the samples by their number, so that what it adds up belongs to the sum of the losses.

    Args:
        program: the whole run.

    Returns:
        The program, whose loss is the one before; and where this is multiplied. None if there is no such factor.
    """
    end = _last_factor(program, program.of_loss[-1])
    before: dict[str, Operand] = {}
    for name, output in program.outputs.items():
        other = _last_factor(program, program.maker_of(output))
        is_same = end is not None and other is not None and _are_equal(program, end, other)
        if other and is_same and set(program.makers_of(other.inner)) - set(program.of_loss):
            before[name] = other.inner
        elif output.origin.any() or np.any(output.constants):  # what is never computed is 0 before, too
            return None
    if end is None or end.place is None or not before:
        return None
    return program.before_end(end.inner, {**program.outputs, **before}), end.place


def in_other_units(program: WrittenProgram) -> OtherUnits | None:
    """The program whose loss is the one before factors that the gradients do not have.

    Args:
        program: the whole run.

    Returns:
        The one for which the most gradients get right, and none gets wrong; None if there is none.
    """
    best, inner, factor = None, program, 1.0
    for _ in range(MOST_FACTORS):
        end = _last_factor(inner, inner.of_loss[-1]) if inner.of_loss else None
        if end is None or end.place is None or not end.inner.origin.any():
            break
        inner, factor = program.before_end(end.inner, program.outputs), factor * end.factor
        gains = inner.returned_right - program.returned_right
        is_kept = program.returned_right <= inner.returned_right and factor > 0 and factor != 1
        if is_kept and len(gains) > (len(best.of_right) if best else 0):
            best = OtherUnits(inner, end.place, factor, tuple(name for name in program.outputs if name in gains))
    return best


def _ends_like_loss(program: WrittenProgram) -> bool:
    """Whether the loss and a gradient end with the same factor, such as one over the number of samples."""
    end = _last_factor(program, program.of_loss[-1])
    others = [_last_factor(program, program.maker_of(output)) for output in program.outputs.values()]
    return end is not None and any(other is not None and _are_equal(program, end, other) for other in others)


def _last_factor(program: WrittenProgram, number: int | None) -> _Factor | None:
    """The number that an operation multiplies or divides by, if it is one number."""
    if number is None:
        return None
    operation = program.model.operations[number]
    if operation.primitive == "negative":
        return _Factor(-1.0, operation.operands[0], operation.place)
    if operation.primitive not in ("multiply", "divide"):
        return None
    for inner, other in (operation.operands, operation.operands[::-1]):
        numbers = other.constants if other.constants is not None and not other.origin.any() else np.zeros(1)
        factor = float(numbers.flat[0]) if numbers.size and np.ptp(numbers) == 0 else 0.0
        if not factor or inner.shape != operation.shape:
            continue
        if operation.primitive == "multiply":
            return _Factor(factor, inner, operation.place)
        if inner is operation.operands[0]:
            return _Factor(1 / factor, inner, operation.place)
    return None


def _are_equal(program: WrittenProgram, one: _Factor, other: _Factor) -> bool:
    return abs(one.factor - other.factor) <= program.tolerance * abs(one.factor)
