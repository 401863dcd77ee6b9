"""A function's whole run: its loss, the way back that its author wrote, and what it returned.

The loss and the way back are parts of one recording. The loss's part says what every derivative is; the other part is
what its author computed in their place.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ...backends.models.traced import Entry, Operand, Operation, Traced
from ...backends.tracing.array import as_recorded
from ...backends.tracing.places import Place
from ...backends.tracing.pruning import entries_behind
from ...backends.tracing.replay import Replay, Rows
from ...backends.tracing.trace import Argument, traced_call
from .expressions import makers_of_entries
from .located import Located
from .precision import Beside, BesideInFloat64, rounded_places

NEAR = {np.dtype("float64"): 1e-9, np.dtype("float32"): 1e-4}
ROUNDINGS = 8  # of the largest gradient, which one that cancels may have
Values = Mapping[int, np.ndarray]  # by the number of an operation, its result


class Written(NamedTuple):
    """An expression of the way back, and the operations that it became.

    Attributes:
        place: where it stands.
        primitive: of the operations.
        shape: of each result.
        dtype: of them.
        numbers: of the operations, from 0, in the order of the run.
    """

    place: Place | None
    primitive: str
    shape: tuple[int, ...]
    dtype: np.dtype
    numbers: tuple[int, ...]


class WrittenProgram:
    """A function's whole run, which can be carried out again with other values for some of its results.

    Attributes:
        code: of the function; None if it has none of its own.
        model: the run; its loss is the one that the function returned.
        outputs: by name, the gradients that the function returned.
        paths: by the same names, the array that each is the gradient with respect to.
        right: by the same names, what they should be.
        arguments: by path, the arrays that the function could reach.
        values: of every entry.
        adjoints: the derivative of the loss with respect to every entry.
        beside: the kind of its numbers.
        rounded: the same run as it was, if this is that in float64.

    Example:
        >>> def twice(w):
        ...     return (w * w).sum(), {"w": 3 * w}
        >>> program = WrittenProgram(twice, {"w": np.array([1.0, 2.0])}, lambda value: value, {"w": "w"})
        >>> program.right["w"].tolist(), [written.primitive for written in program.way_back]
        ([2.0, 4.0], ['multiply'])
        >>> (number,) = program.way_back[0].numbers
        >>> program.with_results({number: np.array([[2.0, 4.0]])}, 1)["w"].tolist()
        [[2.0, 4.0]]
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        read: Callable[[Any], tuple[Any, Mapping[str, Any]]],
        paths: Mapping[str, str],
        floats: Iterable[str] = (),
    ) -> None:
        """Runs the function once.

        Args:
            function: in NumPy.
            arguments: by the names of its parameters.
            read: takes the loss and the gradients, by name, out of what it returns.
            paths: by these names, the array that each is the gradient with respect to.
            floats: the paths of numbers of Python's that are differentiated by.

        Raises:
            NotRecordableError: the function does something that cannot be followed.
        """
        run = traced_call(function, arguments, list(floats))
        loss, gradients = read(run.returned)
        self.code = getattr(getattr(function, "__func__", function), "__code__", None)
        self.model: Traced = run.model(loss, {})
        self.arguments: Mapping[str, Argument] = run.arguments
        self.paths = dict(paths)
        self.outputs: dict[str, Operand] = {}
        for name in paths:
            returned = as_recorded(gradients[name])
            self.outputs[name] = run.recording.operand(returned.numbers, returned.origin)
        self.rounded: WrittenProgram | None = None
        self._carry_out(Beside)

    def _carry_out(self, beside: type[Beside]) -> None:
        """Computes every entry, and what the derivatives of the loss should be."""
        self.beside = beside
        self._replay = Replay(self.model, beside())
        with np.errstate(all="ignore"):
            self._replay.forward(self.model.fixed)
            self.adjoints: Rows = self._replay.backward(self.model.loss)
        self.values: Rows = self._replay.rows
        self.right: dict[str, np.ndarray] = {name: self._derivative_of(path) for name, path in self.paths.items()}

    @cached_property
    def rounded_at(self) -> tuple[Located, ...]:
        """Where numbers are rounded to float32 on which the loss or a gradient depends, though all arguments are wider.

        Nothing if an argument of float32 is differentiated by.
        """
        if any(self.arguments[path].values.dtype != np.dtype("float64") for path in self.paths.values()):
            return ()
        return rounded_places(self.model.operations[number] for number in sorted(self._needed | set(self.of_loss)))

    def in_float64(self) -> WrittenProgram:
        """The same run without these roundings."""
        program = self.with_outputs(self.outputs, self.right)
        program.rounded = self
        program._carry_out(BesideInFloat64)
        return program

    def result(self, number: int, rows: Rows, leading: tuple[int, ...] = ()) -> np.ndarray:
        """The result of an operation, or its derivative, out of rows."""
        operation = self.model.operations[number]
        row = rows[operation.dtype][..., operation.start : operation.stop]
        return np.asarray(row).reshape((*leading, *operation.shape))

    def parts(self, number: int) -> list[tuple[int, np.ndarray]]:
        """What an operation of the loss gives to the derivatives of its operands, by the operand's number."""
        operation = self.model.operations[number]
        g, y = self.result(number, self.adjoints), self.result(number, self.values)
        with np.errstate(all="ignore"):
            parts = self._replay.parts(operation, g, y)
        return [(index, np.broadcast_to(part, operation.operands[index].shape)) for index, part in parts]

    def operands(self, number: int, rows: Rows | None = None) -> list[np.ndarray]:
        """The numbers that an operation takes: as in the run, or out of rows with one leading axis of length 1."""
        operation = self.model.operations[number]
        if rows is None:
            return [np.asarray(self._replay.take(operand)) for operand in operation.operands]
        return [self.taken(operand, rows) for operand in operation.operands]

    def taken(self, operand: Operand, rows: Rows) -> np.ndarray:
        """The numbers of an operand out of rows with one leading axis of length 1."""
        replay = Replay(self.model, self.beside(1))
        replay.rows = rows
        return np.asarray(replay.take(operand))[0]

    def takers_of(self, number: int) -> list[tuple[Operation, int]]:
        """The operations of the way back that take an operation's result, or a part of it, and as which operand."""
        return [
            (self.model.operations[follower], index)
            for follower in self._followers[number]
            for index, operand in enumerate(self.model.operations[follower].operands)
            if number in self.makers_of(operand)
        ]

    def number_of(self, operation: Operation) -> int:
        """The number of an operation."""
        return int(self._makers[operation.dtype][operation.start])

    def makers_of(self, operand: Operand) -> list[int]:
        """The numbers of the operations whose results an operand holds."""
        return [int(one) for one in np.unique(self._makers[operand.dtype][operand.origin]) if one >= 0]

    @cached_property
    def _makers(self) -> dict[np.dtype, np.ndarray]:
        """See `makers_of_entries`."""
        return makers_of_entries(self.model)

    def with_outputs(self, outputs: dict[str, Operand], right: dict[str, np.ndarray]) -> WrittenProgram:
        """The same run with other arrays in the place of what is returned, and what these should be."""
        program = copy(self)
        program.outputs, program.right = outputs, right
        for cached in ("way_back", "_needed", "_followers", "as_returned", "returned_right"):
            program.__dict__.pop(cached, None)
        return program

    @property
    def loss(self) -> float:
        """What the function returned as its loss."""
        return float(self._replay.loss)

    def with_model(self, model: Traced) -> WrittenProgram:
        """The same run with other operations in the place of some, all that follows carried out again."""
        program = self.with_outputs(self.outputs, self.right)
        program.__dict__.pop("of_loss", None)
        program.model = model
        program._carry_out(self.beside)
        return program

    def loss_of(self, model: Traced, following: Iterable[int]) -> float:
        """The loss with other operations in the place of some.

        Args:
            model: the run with these operations.
            following: the numbers of those that are carried out again.
        """
        replay = Replay(model, self.beside())
        replay.rows = {dtype: row.copy() for dtype, row in self.values.items()}
        with np.errstate(all="ignore"):
            for number in following:
                operation = model.operations[number]
                replay.rows[operation.dtype][operation.start : operation.stop] = np.ravel(replay.computed(number + 1))
        return float(replay.value(model.loss))

    def before_end(self, loss: Operand, outputs: dict[str, Operand]) -> WrittenProgram:
        """The program without what its loss, and the arrays that it returns, go through in the end.

        Args:
            loss: one number of the run, in the place of the loss.
            outputs: by name, in the place of what is returned.

        Returns:
            The program, with the derivatives of that loss.
        """
        program = self.with_outputs(outputs, self.right)
        program.model = replace(self.model, loss=Entry(loss.dtype, int(loss.origin.item())))
        program.__dict__.pop("of_loss", None)
        with np.errstate(all="ignore"):
            program.adjoints = self._replay.backward(program.model.loss)
        program.right = {name: program._derivative_of(path) for name, path in self.paths.items()}
        return program

    def _derivative_of(self, path: str) -> np.ndarray:
        """Of the loss with respect to an argument."""
        argument = self.arguments[path]
        return np.asarray(self.adjoints[argument.values.dtype][argument.origin])

    @cached_property
    def as_returned(self) -> dict[str, np.ndarray]:
        """The gradients that the function returned."""
        returned = self.returned({dtype: row[None] for dtype, row in self.values.items()}, (1,))
        return {name: array[0] for name, array in returned.items()}

    @cached_property
    def returned_right(self) -> frozenset[str]:
        """The names of the gradients that are right as they are returned."""
        return self.right_within(self.tolerance)

    def right_within(self, tolerance: float) -> frozenset[str]:
        """The names of the gradients that are right up to a part of the largest entry."""
        return frozenset(
            name
            for name, array in self.as_returned.items()
            if (np.abs(array - self.right[name]) <= tolerance * self.size_of(name, tolerance)).all()
        )

    def size_of(self, name: str, tolerance: float | None = None) -> float:
        """By what the error of a gradient is measured: its largest entry, or what rounding makes of larger ones.

        A gradient that is 0 but for rounding, since what it adds up cancels, is right.
        """
        largest = float(np.abs(self.right[name]).max(initial=0.0))
        return max(largest, self.least_size * self.tolerance / (tolerance or self.tolerance))

    @property
    def least_size(self) -> float:
        """The size of a gradient of which a part as large as the tolerance is rounding of the largest one."""
        largest = max((float(np.abs(array).max(initial=0.0)) for array in self.right.values()), default=0.0)
        eps = max((float(np.finfo(array.dtype).eps) for array in self.right.values()), default=0.0)
        return ROUNDINGS * eps * largest / self.tolerance

    def maker_of(self, output: Operand) -> int | None:
        """The operation whose whole result an output is; None if it is put together."""
        makers = self.makers_of(output)
        if len(makers) != 1:
            return None
        operation = self.model.operations[makers[0]]
        is_whole = (operation.start, operation.shape) == (output.start, output.shape)
        return makers[0] if is_whole else None

    @property
    def tolerance(self) -> float:
        """By which part of the largest number two values may differ that are the same: far above all roundings."""
        is_rounded = self.model.sizes[np.dtype("float32")] > 1 and self.beside is Beside
        return NEAR[np.dtype("float32" if is_rounded else "float64")]

    @cached_property
    def of_loss(self) -> tuple[int, ...]:
        """The numbers of the operations that the loss depends on."""
        behind = entries_behind(self.model, self.model.loss)
        operations = enumerate(self.model.operations)
        return tuple(number for number, one in operations if behind[one.dtype][one.start : one.stop].any())

    @cached_property
    def way_back(self) -> tuple[Written, ...]:
        """What the returned gradients depend on, and the loss does not, by the expression."""
        of_loss = set(self.of_loss)
        groups: dict[Written, list[int]] = defaultdict(list)
        for number in sorted(self._needed - of_loss):
            one = self.model.operations[number]
            groups[Written(one.place, one.primitive, one.shape, one.dtype, ())].append(number)
        return tuple(written._replace(numbers=tuple(numbers)) for written, numbers in groups.items())

    def run(self, results: Values, width: int) -> tuple[Rows, tuple[int, ...]]:
        """Carries the way back out again, `width` times beside each other, with other results of some operations.

        Args:
            results: (width, …), by the number of the operation.
            width: how many times.

        Returns:
            The rows of all entries, and their leading axes.
        """
        replay = Replay(self.model, self.beside(width))
        replay.rows = {dtype: np.broadcast_to(row, (width, len(row))).copy() for dtype, row in self.values.items()}
        pending, done = list(results), set()
        heapq.heapify(pending)
        while pending:
            number = heapq.heappop(pending)
            if number in done:
                continue
            done.add(number)
            operation = self.model.operations[number]
            with np.errstate(all="ignore"):
                result = results[number] if number in results else replay.computed(number + 1)
            replay.rows[operation.dtype][:, operation.start : operation.stop] = np.reshape(result, (width, -1))
            for follower in self._followers[number]:
                heapq.heappush(pending, follower)
        return replay.rows, (width,)

    def computed(self, number: int, rows: Rows) -> np.ndarray:
        """What an operation gives of the values in rows, with one leading axis of length 1."""
        replay = Replay(self.model, self.beside(1))
        replay.rows = rows
        with np.errstate(all="ignore"):
            return np.asarray(replay.computed(number + 1)).reshape(self.model.operations[number].shape)

    def returned(self, rows: Rows, leading: tuple[int, ...] = ()) -> dict[str, np.ndarray]:
        """The gradients that the function returns, out of rows."""
        replay = Replay(self.model, self.beside(*leading))
        replay.rows = rows
        return {name: np.asarray(replay.take(output)) for name, output in self.outputs.items()}

    def with_results(self, results: Values, width: int) -> dict[str, np.ndarray]:
        """The gradients that are returned with other results of some operations, (width, …) each."""
        return self.returned(*self.run(results, width))

    @cached_property
    def _needed(self) -> set[int]:
        marks = {dtype: np.zeros(size, bool) for dtype, size in self.model.sizes.items()}
        for output in self.outputs.values():
            marks[output.dtype][output.origin.reshape(-1)] = True
        needed = set()
        for number in reversed(range(len(self.model.operations))):
            operation = self.model.operations[number]
            if marks[operation.dtype][operation.start : operation.stop].any():
                needed.add(number)
                for operand in operation.operands:
                    marks[operand.dtype][operand.origin.reshape(-1)] = True
        return needed

    @cached_property
    def _followers(self) -> dict[int, list[int]]:
        """By the number of an operation, those of the way back that take its result."""
        followers: dict[int, list[int]] = defaultdict(list)
        for number in sorted(self._needed):
            operands: tuple[Operand, ...] = self.model.operations[number].operands
            for maker in {maker for operand in operands for maker in self.makers_of(operand)}:
                followers[maker].append(number)
        return followers

    def operation(self, number: int) -> Operation:
        """One of the run."""
        return self.model.operations[number]
