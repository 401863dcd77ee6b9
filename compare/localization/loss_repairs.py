"""Where a forward pass is wrong: the one change of an expression after which the recorded loss is the right one.

Each expression of the loss is carried out without one of its operands, or with another activation in its place, and all
that follows from it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...backends.models.traced import Operand, Traced
from ...backends.tracing.pruning import entries_behind
from ...backends.tracing.replay import Replay
from .expressions import Expression, expressions_of
from .located import Located, located_at, located_from
from .precision import Beside, BesideInFloat64, rounded_places
from .source_text import operand

MOST_COMPUTED = 400_000  # operations, of all changes together
PASSED_ON = {
    "add": (1, 1),
    "subtract": (1, -1),
    "multiply": (1, 1),
    "divide": (1, 0),
}  # with which sign; 0 is not tried
ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "relu": lambda x: np.maximum(x, 0),
}


class _Change(NamedTuple):
    """What is put in the place of an expression.

    Attributes:
        expression: that is changed, in all runs.
        operand: which of its operands goes into `compute`.
        compute: makes its result.
        says: what is put there, in words.
    """

    expression: Expression
    operand: int
    compute: Callable[[np.ndarray], np.ndarray]
    says: str


@dataclass(frozen=True)
class LossRepairs:
    """What gives the right loss.

    Attributes:
        rounded: where the function rounds to float32 inside; the rest is then told of its run in float64.
        is_right: whether the loss is right as it stands, in float64.
        changes: the expressions of which each has to be changed alone, and how.
    """

    rounded: tuple[Located, ...] = ()
    is_right: bool = False
    changes: tuple[Located, ...] = ()

    def __bool__(self) -> bool:
        return self.is_right or bool(self.changes)

    def __and__(self, other: LossRepairs) -> LossRepairs:
        """What gives the right loss at other numbers, too."""
        return LossRepairs(
            tuple(place for place in self.rounded if place in other.rounded),
            self.is_right and other.is_right,
            tuple(change for change in self.changes if change in other.changes),
        )

    def in_words(self, right_loss: str) -> str:
        """What gives the right loss, with its heading in the first line; empty if nothing does."""
        if self.is_right:
            return f"In float64 its loss is {right_loss}, here and at other numbers."
        if not self.changes:
            return ""
        change = "This change gives" if len(self.changes) == 1 else "Each of these changes gives"
        after = ", in float64" if self.rounded else ""
        return "\n".join([f"{change} {right_loss}{after}, here and at other numbers:", *map(str, self.changes)])


def loss_repairs(model: Traced, right: float, allowed: float) -> LossRepairs:
    """Looks for a change of one expression that gives another loss.

    Args:
        model: the recording of a loss, at its own numbers.
        right: the loss that it should be.
        allowed: how far two right ones may differ.

    Returns:
        The changes, and what they put there; nothing if the loss is right.
    """
    behind = entries_behind(model, model.loss)
    of_loss = [number for number, one in enumerate(model.operations) if behind[one.dtype][one.start : one.stop].any()]
    rounded = rounded_places(model.operations[number] for number in of_loss)
    replay = Replay(model, BesideInFloat64() if rounded else Beside())
    with np.errstate(all="ignore"):
        replay.forward(model.fixed)
        before = {dtype: row.copy() for dtype, row in replay.rows.items()}
        if not of_loss or abs(replay.loss - right) <= allowed:
            return LossRepairs(rounded, is_right=bool(rounded))
        found, computed = [], 0
        for change in _changes(model, frozenset(of_loss)):
            following = of_loss[of_loss.index(change.expression.numbers[0]) :]
            computed += len(following)
            if computed > MOST_COMPUTED:
                break
            for dtype, row in before.items():
                replay.rows[dtype][:] = row
            if abs(_loss_with(replay, model, change, following) - right) <= allowed:
                found.append(located_at(change.expression.place, change.says, ()))
    return LossRepairs(rounded, changes=tuple(dict.fromkeys(found)))


def loss_repairs_from(values: Mapping[str, Any]) -> LossRepairs:
    """Those out of the plain values of `dataclasses.asdict`."""
    rounded, changes = (tuple(map(located_from, values[name])) for name in ("rounded", "changes"))
    return LossRepairs(rounded, bool(values["is_right"]), changes)


def _changes(model: Traced, of_loss: frozenset[int]) -> Iterator[_Change]:
    for one in expressions_of(model):
        if one.numbers[0] not in of_loss:
            continue
        operation = model.operations[one.numbers[0]]
        for number, given in enumerate(operation.operands):
            if given.shape == operation.shape and given.dtype == operation.dtype:
                yield from _changes_to(one, number, operation.operands)


def _changes_to(one: Expression, number: int, operands: tuple[Operand, ...]) -> Iterator[_Change]:
    """The expression with one operand passed on, and with another activation of it."""
    text = operand(one.place, number)
    if sign := PASSED_ON.get(one.primitive, (0, 0))[number] if len(operands) == 2 else 0:
        minus = "-" if sign < 0 else ""
        kept = f"`{minus}{text.strip('`')}`" if text else f"its {'second' if number else 'first'} operand"
        yield _Change(one, number, lambda x: sign * x, f"{kept} in its place.")
    is_relu = one.primitive == "maximum" and not any(
        other.origin.any() or np.any(other.constants) for other in operands[:number] + operands[number + 1 :]
    )
    activation = "relu" if is_relu else one.primitive
    if activation in ACTIVATIONS:
        argument = text.strip("`") or "its argument"
        yield _Change(one, number, lambda x: x, f"`{argument}` in its place, without {activation}.")
        for name, compute in ACTIVATIONS.items():
            if name != activation:
                yield _Change(one, number, compute, f"{name} in the place of {activation}.")


def _loss_with(replay: Replay, model: Traced, change: _Change, following: Sequence[int]) -> float:
    """The loss after a change: the operations that may depend on it are carried out again."""
    changed = set(change.expression.numbers)
    for number in following:
        operation = model.operations[number]
        if number in changed:
            result = change.compute(replay.take(operation.operands[change.operand]))
        else:
            result = replay.computed(number + 1)
        replay.rows[operation.dtype][operation.start : operation.stop] = np.reshape(result, -1)
    return float(replay.value(model.loss))
