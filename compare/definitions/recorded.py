"""Recorded functions in the numbers of the certificate and of the tolerance."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ...backends import Evaluation, Problem
from ...backends.models.traced import Decision, Operand, Operation, Traced
from ...backends.tracing import replay
from ...backends.tracing.decisions import margins
from ...backends.tracing.trace import arguments_of
from .numbers import Floats, Numbers


def differentiate_recorded(problem: Problem, numbers: Numbers) -> Evaluation:
    """The loss and the gradients of a recorded function, by the rules of the tape.

    Args:
        problem: of a `Traced` model.
        numbers: what is computed with.

    Returns:
        The answer, in arrays of these numbers.
    """
    model = problem.model
    assert isinstance(model, Traced)
    rows = arguments_of(problem)
    if isinstance(numbers, Floats):
        functions: Any = _RecordedFloats(numbers, model.operations)
        carried_out = replay.Replay(model, functions)
        carried_out.forward(rows)
        functions.note_decisions(model.decisions, carried_out)
        magnitudes = [np.abs(np.asarray(row)) for row in carried_out.rows.values()]
        numbers.largest = max(float(row.max(initial=0, where=np.isfinite(row))) for row in magnitudes)
    else:
        from ...backends.tracing.replay_balls import enclosed

        carried_out = enclosed(model, rows)
    return Evaluation(carried_out.loss, carried_out.gradients(), None)


def outputs_of(model: Traced, outputs: Sequence[Operand], numbers: Floats) -> list[np.ndarray]:
    """Arrays that a recorded program computed, in numbers that may round at random.

    Args:
        model: the program, at its own arguments.
        outputs: of it.
        numbers: what is computed with.

    Returns:
        The arrays; the leading axes are those of the numbers.
    """
    carried_out = replay.Replay(model, _RecordedFloats(numbers, model.operations))
    carried_out.forward(model.fixed)
    return [np.asarray(carried_out.take(output)) for output in outputs]


class _RecordedFloats(replay.Floats):
    """Floating-point numbers that may round at random, and may take either side of a kink."""

    def __init__(self, numbers: Floats, operations: Sequence[Operation]) -> None:
        self.leading = numbers.leading
        self._numbers, self._operations = numbers, operations
        self._kinks: dict[int, int] = {}  # by the number of an operation with a kink, that of its argument
        self._numbered: dict[Hashable, int] = {}  # what is computed twice from the same, as `w.max()`, is one choice

    def row(self, size: int, dtype: np.dtype) -> Any:
        return self._numbers.leaf(np.zeros(size, dtype))

    def leaf(self, values: np.ndarray) -> Any:
        return self._numbers.leaf(values)

    def maximum(self, a: Any, b: Any) -> Any:
        self._note(a - b)
        return np.maximum(a, b)

    def absolute(self, x: Any) -> Any:
        self._note(x)
        return np.absolute(x)

    def share_of_larger(self, a: Any, b: Any) -> Any:
        return self._numbers.slopes(self._kinks[self.operation], super().share_of_larger(a, b))

    def sign(self, x: Any) -> Any:
        share = self._numbers.slopes(self._kinks[self.operation], (np.sign(x) + 1) / 2)
        return 2 * share - 1

    def cast(self, x: Any, dtype: Any) -> Any:
        """Rounded at random in the narrower dtype, too."""
        result = x.astype(dtype)
        roundings = getattr(result, "roundings", None)
        if roundings is not None and result.dtype.itemsize < x.dtype.itemsize:
            roundings.perturb(result.view(np.ndarray), result != x)
        return result

    def cumsum(self, x: Any, axis: int) -> Any:
        """One addition after the other, each with a rounding of its own."""
        rows = np.moveaxis(x, axis, 0)
        sums = [rows[0]]
        for row in rows[1:]:
            sums.append(sums[-1] + row)
        return np.moveaxis(np.stack(sums), 0, axis)

    def note_decisions(self, decisions: tuple[Decision, ...], carried_out: replay.Replay) -> None:
        """Remembers how close each decision was."""
        for decision in decisions:
            operands = [np.asarray(carried_out.take(operand)) for operand in decision.operands]
            found = [margins(decision, [one[place] for one in operands]) for place in np.ndindex(self.leading)]
            values = [np.asarray(known.values)[known.matters] for known in found if known is not None]
            if values:
                margins_of = self._numbers.borders if decision.is_fragile else self._numbers.margins
                margins_of.append(np.stack(values) if self.leading else values[0])

    def _note(self, argument: Any) -> None:
        operation = self._operations[self.operation - 1]
        taken = [(one.dtype, one.shape, _bytes(one.origin), _bytes(one.constants)) for one in operation.operands]
        key = operation.primitive, *taken
        if key not in self._numbered:
            self._numbered[key] = len(self._numbers.relu_arguments)
            self._numbers.relu_arguments.append(argument)
        self._kinks[self.operation] = self._numbered[key]


def _bytes(array: np.ndarray | None) -> bytes:
    return b"" if array is None else array.tobytes()
