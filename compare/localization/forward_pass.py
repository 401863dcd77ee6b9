"""The way back through a recorded loss, carried out again with other rules for some of its operations.

A rule is linear in what comes to it from above. So a change of some rules sends only its difference on, and many
changes are carried out beside each other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cached_property

import numpy as np

from ...backends import Problem
from ...backends.models.traced import Operand, Operation, Traced
from ...backends.tracing.closeness import changed_decisions
from ...backends.tracing.places import Place
from ...backends.tracing.primitives import PRIMITIVES
from ...backends.tracing.replay import Floats, Replay, Rows
from ...backends.tracing.trace import arguments_of
from .expressions import Expression, Step, common_callers, expressions_of, makers_of_entries, steps_of

Gradients = dict[str, np.ndarray]
Edge = tuple[int, int]  # an operation, and one of its operands
Rule = Callable[["ForwardPass", Edge, np.ndarray], np.ndarray]  # from the derivative of a result to that of an operand
Rules = Mapping[Edge, Rule]
NEAR = {np.dtype("float64"): 1e-9, np.dtype("float32"): 1e-5}  # of the largest number of an array: above all roundings


class ForwardPass:
    """A recorded loss at some numbers, with its derivatives.

    Attributes:
        problem: the recording.
        values: of every entry.
        loss: its value.
        rules: of the way back that are others.
        adjoints: the derivative of the loss with respect to every entry, by these rules.
        gradients: with respect to what is differentiated by.

    Example:
        >>> from gradparity.backends.tracing.trace import trace
        >>> traced = trace(lambda w: (w * w).sum(), {"w": np.array([1.0, 2.0])})
        >>> model = traced.model(traced.returned, {"w": "w"})
        >>> at = ForwardPass(Problem(model, {"w": np.array([1.0, 2.0])}))
        >>> nothing = lambda at, edge, g: np.zeros_like(g)
        >>> [one["w"].tolist() for one in (at.gradients, *at.changed([{(0, 0): nothing}]))]
        [[2.0, 4.0], [1.0, 2.0]]
    """

    def __init__(self, problem: Problem, removed: Mapping[int, int] | None = None) -> None:
        """Carries the loss out, and the way back.

        Args:
            problem: of a `Traced` model.
            removed: operations that are left out, by number, and which of their operands stands for each.
        """
        assert isinstance(problem.model, Traced)
        self.problem, self.rules, self._removed = problem, dict[Edge, Rule](), removed or {}
        replay = _Without(problem.model, self._removed)
        with np.errstate(all="ignore"):
            replay.forward(arguments_of(problem))
        self.values: Rows = replay.rows
        self.loss = float(replay.loss)
        self._set_out()

    @property
    def has_other_decisions(self) -> bool:
        """Whether the function would take another branch at these numbers."""
        return bool(changed_decisions(self.model, self._replay))

    def _set_out(self) -> None:
        rows = self._zeros(1)
        rows[self.model.loss.dtype][:, self.model.loss.number] = 1.0
        rows = self._back(rows, {})
        self.adjoints: Rows = {dtype: row[0] for dtype, row in rows.items()}
        self.gradients: Gradients = {name: array[0] for name, array in _of_arguments(self.model, rows).items()}

    @property
    def model(self) -> Traced:
        """The recording."""
        assert isinstance(self.problem.model, Traced)
        return self.problem.model

    def operation(self, number: int) -> Operation:
        """One of the recording."""
        return self.model.operations[number]

    def result(self, number: int) -> np.ndarray:
        """The result of an operation."""
        one = self.operation(number)
        return self.values[one.dtype][one.start : one.stop].reshape(one.shape)

    def operands(self, number: int) -> list[np.ndarray]:
        """The numbers that an operation takes."""
        return [np.asarray(self._replay.take(operand)) for operand in self.operation(number).operands]

    @cached_property
    def _replay(self) -> Replay:
        replay = Replay(self.model)
        replay.rows = self.values
        return replay

    def part(
        self, edge: Edge, g: np.ndarray, *, y: np.ndarray | None = None, x: Sequence[np.ndarray] = ()
    ) -> np.ndarray:
        """What the right rule gives to an operand, of the derivative with respect to the result.

        Args:
            edge: the operation and the operand.
            g: the derivative.
            y: in the place of the result.
            x: in the place of the operands.
        """
        operation = self.operation(edge[0])
        rule = PRIMITIVES[operation.primitive].rules[edge[1]]
        assert rule
        result = self.result(edge[0]) if y is None else y
        part = rule(Floats(), g, result, *(x or self.operands(edge[0])), **operation.parameters)
        return summed(part, operation.operands[edge[1]].shape)

    def given(self, edge: Edge, g: np.ndarray) -> np.ndarray:
        """What the rule that holds here gives, right or not."""
        return self.rules[edge](self, edge, g) if edge in self.rules else self.part(edge, g)

    def adjoint(self, number: int) -> np.ndarray:
        """The derivative with respect to the result of an operation."""
        one = self.operation(number)
        return self.adjoints[one.dtype][one.start : one.stop].reshape(one.shape)

    def with_rules(self, rules: Rules) -> ForwardPass:
        """The same with other rules, beside those that are others already."""
        made = copy(self)
        made.rules = {**self.rules, **rules}
        made._set_out()
        return made

    def _zeros(self, width: int) -> Rows:
        return {dtype: np.zeros((width, size), dtype) for dtype, size in self.model.sizes.items()}

    def changed(self, changes: Sequence[Rules], *, within_step: bool = False) -> list[Gradients]:
        """The gradients with each of several sets of rules.

        Args:
            changes: each by itself.
            within_step: whether what differs is passed on within the same step of a loop alone.
        """
        edits: dict[int, list[tuple[int, int, Rule]]] = defaultdict(list)
        for column, rules in enumerate(changes):
            for (number, index), rule in rules.items():
                edits[number].append((column, index, rule))
        rows = self._back(self._zeros(len(changes)), edits, within_step=within_step)
        moved = _of_arguments(self.model, rows)
        return [{name: self.gradients[name] + moved[name][column] for name in moved} for column in range(len(changes))]

    def from_seeds(self, seeds: Rows, *, ages: bool = False) -> list[Gradients]:
        """The gradients that come of derivatives with respect to some entries.

        Args:
            seeds: rows of all entries, beside each other.
            ages: whether what crosses from one step of the loop into the one before moves on by one row, and out of the
                last one.
        """
        moved = _of_arguments(self.model, self._back({d: row.copy() for d, row in seeds.items()}, {}, ages=ages))
        width = len(next(iter(seeds.values())))
        return [{name: array[column] for name, array in moved.items()} for column in range(width)]

    def _back(
        self,
        rows: Rows,
        edits: Mapping[int, list[tuple[int, int, Rule]]],
        *,
        within_step: bool = False,
        ages: bool = False,
    ) -> Rows:
        """Carries the way back out, beside each other, for derivatives or, with edits, for differences of them."""
        width = len(next(iter(rows.values())))
        replay = Replay(self.model, _Beside(width))
        replay.rows = {dtype: np.broadcast_to(row, (width, len(row))) for dtype, row in self.values.items()}
        with np.errstate(all="ignore"):
            for number in range(len(self.model.operations) - 1, -1, -1):
                operation = self.operation(number)
                g = rows[operation.dtype][:, operation.start : operation.stop].reshape(width, *operation.shape)
                is_reached = g.any()
                if not is_reached and number not in edits:
                    continue
                parts = self._parts(replay, number, g) if is_reached else {}
                for column, index, rule in edits.get(number, ()):
                    edge, here = (number, index), self.adjoint(number)
                    of_operand = operation.operands[index].shape
                    if index not in parts:
                        parts[index] = np.zeros((width, *of_operand), operation.dtype)
                    elif not parts[index].flags.writeable:
                        parts[index] = parts[index].copy()
                    parts[index][column] = rule(self, edge, here + g[column]) - self.given(edge, here)
                for index, part in parts.items():
                    operand = operation.operands[index]
                    crossing = self.crossings.get((number, index)) if within_step or ages else None
                    if crossing is not None:
                        moved_on = np.roll(part, 1, axis=0) if ages else np.zeros_like(part)
                        moved_on[0] = 0
                        part = np.where(crossing, moved_on, part)
                    _add(rows[operand.dtype], operand, part)
        return rows

    def _parts(self, replay: Replay, number: int, g: np.ndarray) -> dict[int, np.ndarray]:
        operation, width = self.operation(number), len(g)
        if number in self._removed:
            index = self._removed[number]
            return {index: g.reshape(width, *operation.operands[index].shape)}
        y = np.broadcast_to(self.result(number), g.shape)
        parts = {
            index: np.broadcast_to(part, (width, *operation.operands[index].shape))
            for index, part in replay.parts(operation, g, y)
        }
        for index in parts:
            if (number, index) in self.rules:
                parts[index] = np.stack(
                    [self.given((number, index), one) + np.zeros_like(parts[index][0]) for one in g]
                )
        return parts

    @cached_property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions of the recording, in the order of their last runs, the last one first."""
        return expressions_of(self.model)

    @cached_property
    def callers(self) -> frozenset[Place]:
        """The places that all of it was called from, such as that of the call of the whole function."""
        return common_callers(self.expressions)

    @cached_property
    def steps(self) -> dict[int, Step]:
        """By number, when an operation of the loop over the steps is carried out: of the loop with the most bodies."""
        return steps_of(self.expressions)

    @cached_property
    def makers(self) -> dict[np.dtype, np.ndarray]:
        """See `makers_of_entries`."""
        return makers_of_entries(self.model)

    @cached_property
    def crossings(self) -> dict[Edge, np.ndarray]:
        """The operands that come from an earlier step of the same loop, and which of their numbers do.

        A sum that is only added to, such as a loss, is no state: what comes back to it is the same at each step.
        """
        last = len(self.model.operations)
        run, turn = np.full(last + 1, -1), np.full(last + 1, -1)  # the last one, which -1 takes, of arguments
        for number, step in self.steps.items():
            run[number], turn[number] = step
        found = {}
        sums = self._sums
        for number, step in self.steps.items():
            for index, operand in enumerate(self.operation(number).operands if number not in sums else ()):
                makers = self.makers[operand.dtype][operand.origin]
                earlier = (run[makers] == step.run) & (turn[makers] < step.turn) & (operand.origin > 0)
                if earlier.any():
                    found[number, index] = earlier
        return found

    @cached_property
    def _sums(self) -> set[int]:
        """The operations of sums that nothing else in the loop takes."""
        takers: dict[int, set[int]] = defaultdict(set)
        for number, one in enumerate(self.model.operations):
            for operand in one.operands:
                for maker in np.unique(self.makers[operand.dtype][operand.origin]).tolist():
                    takers[maker].add(number)
        return {
            number
            for one in self.expressions
            if one.primitive in ("add", "subtract")
            and all(
                taker in one.numbers or taker not in self.steps for number in one.numbers for taker in takers[number]
            )
            for number in one.numbers
        }

    @cached_property
    def reach(self) -> dict[Edge, frozenset[str]]:
        """Which arrays that are differentiated by the derivative of each operand gets to."""
        bits = {dtype: np.zeros(size, "int64") for dtype, size in self.model.sizes.items()}
        names = list(self.model.differentiated)
        for bit, name in enumerate(names[:62]):
            bits[self.model.dtypes[name]][self.model.differentiated[name].reshape(-1)] |= 1 << bit
        found = {}
        for number, one in enumerate(self.model.operations):
            of_result = 0
            for index, operand in enumerate(one.operands):
                of_operand = int(np.bitwise_or.reduce(bits[operand.dtype][operand.origin.reshape(-1)], initial=0))
                if of_operand and PRIMITIVES[one.primitive].rules[index]:
                    found[number, index] = frozenset(name for bit, name in enumerate(names) if of_operand >> bit & 1)
                    of_result |= of_operand
            bits[one.dtype][one.start : one.stop] = of_result
        return found


class _Without(Replay):
    """A replay in which some operations do nothing."""

    def __init__(self, model: Traced, removed: Mapping[int, int]) -> None:
        super().__init__(model)
        self._traced, self._removed = model, removed

    def computed(self, number: int) -> np.ndarray:
        if number - 1 not in self._removed:
            return np.asarray(super().computed(number))
        return np.asarray(self.take(self._traced.operations[number - 1].operands[self._removed[number - 1]]))


class _Beside(Floats):
    """Floating-point numbers beside each other."""

    def __init__(self, *leading: int) -> None:
        self.leading = leading


def summed(part: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A derivative, summed over the axes along which its operand was broadcast."""
    sizes = np.shape(part)[np.ndim(part) - len(shape) :]
    axes = tuple(axis - len(shape) for axis, size in enumerate(shape) if size == 1 and sizes[axis] != 1)
    return np.sum(part, axis=axes, keepdims=True) if axes else part


def _of_arguments(model: Traced, rows: Rows) -> Gradients:
    """Out of rows of derivatives beside each other, those with respect to what is differentiated by."""
    return {name: rows[model.dtypes[name]][:, origin] for name, origin in model.differentiated.items()}


def _add(row: np.ndarray, operand: Operand, part: np.ndarray) -> None:
    flat = part.reshape(len(part), -1)
    if operand.start is not None:
        row[:, operand.start : operand.start + operand.origin.size] += flat
        return
    for places in operand.turns:
        row[:, operand.origin.reshape(-1)[places]] += flat[:, places]
