"""Whether what goes into an expression is right: a fault is where right inputs give a wrong result."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from ...backends.models.traced import Operand
from ...backends.tracing.replay import Rows
from .derivatives import Derivative, fitted
from .written_program import Written, WrittenProgram

MOST_STEPS = 20  # from an expression to what goes into its statement


class RightInputs:
    """Knows the right values of a way back, of whatever shape.

    What goes into an expression is right if it is a number of the loss's part, or computed in one statement of such
    alone, or one of the loss's derivatives, or a sum of their parts so far. An intermediate result of the same
    statement is looked through.
    """

    def __init__(self, program: WrittenProgram, derivatives: Sequence[Derivative]) -> None:
        self._program, self._derivatives = program, derivatives
        self._known: dict[tuple[int, ...], np.ndarray] = {}

    def go_into(self, written: Written, run: int, rows: Rows) -> bool:
        """Whether all that goes into a run of an expression is right.

        Args:
            written: the expression.
            run: the number of the run.
            rows: the values of all entries, with one leading axis of length 1.
        """
        statement = self._statement(written.numbers[run])
        operands = self._program.operation(written.numbers[run]).operands
        return all(self._is_right(operand, rows, statement, MOST_STEPS) for operand in operands)

    def is_factor(self, written: Written) -> bool:
        """Whether an expression is made of the loss's numbers alone, and multiplies in its statement what is not.

        It is a part of a rule, such as `1 - h**2`, and no derivative of the loss.
        """
        return any(number in self._factors for number in written.numbers)

    def is_of_forward(self, written: Written) -> bool:
        """Whether an expression is made of the loss's numbers alone."""
        return self._of_forward.issuperset(written.numbers)

    @cached_property
    def _factors(self) -> set[int]:
        """The numbers of the operations that are made of the loss's numbers, and multiply something else."""
        found: set[int] = set()
        for number in sorted(self._of_forward - self._of_loss, reverse=True):
            if self._multiplies(number, found):
                found.add(number)
        return found

    def _multiplies(self, number: int, factors: set[int]) -> bool:
        """Whether its statement multiplies an operation with something else, or makes one of the factors of it."""
        for taker, index in self._program.takers_of(number):
            if self._statement(self._program.number_of(taker)) != self._statement(number):
                continue
            others = {
                one for place, of in enumerate(taker.operands) if place != index for one in self._program.makers_of(of)
            }
            if taker.primitive in ("multiply", "divide") and others - self._of_forward:
                return True
            if self._program.number_of(taker) in factors:
                return True
        return False

    def are_right(self, operand: Operand, rows: Rows) -> bool:
        """Whether numbers are the loss's own, or a derivative of it, as they stand; not what is made of the loss's."""
        return self._of_loss.issuperset(self._program.makers_of(operand)) or self._is_derivative(operand, rows)

    def _is_derivative(self, operand: Operand, rows: Rows) -> bool:
        values = self._program.taken(operand, rows)
        known = self._of_shape(values.shape)
        near = np.abs(known - values.reshape(1, -1)).max(axis=1, initial=0.0)
        return bool((near <= self._program.tolerance * np.abs(values).max(initial=0.0)).any())

    def _is_right(self, operand: Operand, rows: Rows, statement: object, steps: int) -> bool:
        makers = [number for number in self._program.makers_of(operand) if number not in self._of_forward]
        if not makers:
            return True
        if self._is_derivative(operand, rows):
            return True
        operations = [self._program.operation(number) for number in makers]
        return (
            steps > 0
            and statement is not None
            and all(self._statement(number) == statement for number in makers)
            and all(self._is_right(of, rows, statement, steps - 1) for one in operations for of in one.operands)
        )

    def _statement(self, number: int) -> object:
        place = self._program.operation(number).place
        return place and (place.code, place.statement, place.called_from)

    @cached_property
    def _of_loss(self) -> set[int]:
        return set(self._program.of_loss)

    @cached_property
    def _of_forward(self) -> set[int]:
        """The numbers of the operations of the loss's part, and of those that a statement makes of their results."""
        found = set(self._of_loss)
        for number in sorted(one for written in self._program.way_back for one in written.numbers):
            makers = {one for of in self._program.operation(number).operands for one in self._program.makers_of(of)}
            statement = self._statement(number)
            if all(
                one in self._of_loss or (one in found and statement and self._statement(one) == statement)
                for one in makers
            ):
                found.add(number)
        return found

    def _of_shape(self, shape: tuple[int, ...]) -> np.ndarray:
        """The derivatives, and the sums of them along and against the order of time, that have a shape, in rows."""
        if shape not in self._known:
            rows = [np.zeros((0, int(np.prod(shape))))]
            for derivative in self._derivatives:
                for _, values in fitted(derivative.values, shape):
                    flat = values.reshape(len(values), -1)
                    rows += [flat, np.cumsum(flat, axis=0), np.cumsum(flat[::-1], axis=0)]
            self._known[shape] = np.concatenate(rows)
        return self._known[shape]
