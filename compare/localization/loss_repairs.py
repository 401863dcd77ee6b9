"""Where a forward pass is wrong: the one change of an expression after which the recorded loss is the right one.

Each expression of the loss is carried out without one of its operands, or with another activation in its place, and all
that follows from it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ...backends.models.traced import Operand, Operation, Traced
from .expressions import Expression, expressions_of
from .located import Located, located_at, located_from
from .source_text import operand
from .written_program import WrittenProgram

MOST_COMPUTED = 400_000  # operations, of all changes together
PASSED_ON = {
    "add": "++",
    "subtract": "+-",
    "multiply": "++",
    "divide": "+ ",
}  # by operand, with which sign, if it is tried
ACTIVATIONS = ("tanh", "sigmoid", "relu")


class RightAnswer(NamedTuple):
    """What a program should return.

    Attributes:
        loss: the right one.
        gradients: the right ones, by the names of the program's outputs.
        allowed: how far two right answers may differ: `loss`, and by the same names.
    """

    loss: float
    gradients: Mapping[str, np.ndarray]
    allowed: Mapping[str, float]

    def has_loss(self, loss: float) -> bool:
        """Whether a loss is right."""
        return abs(loss - self.loss) <= self.allowed["loss"]

    def has(self, gradients: Mapping[str, np.ndarray]) -> bool:
        """Whether all gradients are right."""
        return all(
            bool((np.abs(gradients[name] - array) <= self.allowed[name]).all())
            for name, array in self.gradients.items()
        )


class _Change(NamedTuple):
    """What is put in the place of an expression.

    Attributes:
        expression: that is changed, in all runs.
        operand: which of its operands is passed on, or goes into another function.
        function: the activation that it goes into; `+` or `-` where it is passed on.
        says: what is put there, in words.
    """

    expression: Expression
    operand: int
    function: str
    says: str

    def of(self, operation: Operation) -> Operation:
        """An operation after the change."""
        given = operation.operands[self.operand]
        zero = Operand(given.dtype, np.zeros(given.shape, "int64"), np.zeros(given.shape, given.dtype), 0)
        primitive, operands = {
            "+": ("add", (given, zero)),
            "-": ("negative", (given,)),
            "relu": ("maximum", (given, zero)),
        }.get(self.function, (self.function, (given,)))
        return replace(operation, primitive=primitive, operands=operands, parameters={})


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

    def heading(self, right_loss: str) -> str:
        """What gives the right loss, or what the changes are; empty if nothing does."""
        if self.is_right:
            return f"In float64 its loss is {right_loss}, here and at other numbers."
        if not self.changes:
            return ""
        change = "This change gives" if len(self.changes) == 1 else "Each of these changes gives"
        after = ", in float64" if self.rounded else ""
        return f"{change} {right_loss}{after}, here and at other numbers:"


def loss_repairs(program: WrittenProgram, right: RightAnswer) -> LossRepairs:
    """Looks for a change of one expression of the loss that gives another loss, and its gradients.

    Args:
        program: the whole run, in float64 if it rounds inside.
        right: what it should return.

    Returns:
        The changes, and what they put there; nothing if the loss and its derivatives are right.
    """
    rounded = program.rounded.rounded_at if program.rounded else ()
    if right.has_loss(program.loss) and right.has(program.right):
        return LossRepairs(rounded, is_right=program.rounded is not None and not right.has_loss(program.rounded.loss))
    of_loss, found, computed = program.of_loss, [], 0
    for change in _changes(program):
        following = of_loss[of_loss.index(change.expression.numbers[0]) :]
        computed += len(following)
        if computed > MOST_COMPUTED:
            break
        changed = _changed_model(program.model, change)
        if right.has_loss(program.loss_of(changed, following)) and right.has(program.with_model(changed).right):
            found.append(located_at(change.expression.place, change.says, ()))
    return LossRepairs(rounded, changes=tuple(dict.fromkeys(found)))


def after_change(program: WrittenProgram, wanted: Located) -> WrittenProgram:
    """The whole run after a change that `loss_repairs` has found, the way back with it.

    Args:
        program: the run, in float64 if it rounds inside.
        wanted: the change.

    Returns:
        The run; the same one if it has no such expression.
    """
    for change in _changes(program):
        if located_at(change.expression.place, change.says, ()) == wanted:
            return program.with_model(_changed_model(program.model, change))
    return program


def loss_repairs_from(values: Mapping[str, Any]) -> LossRepairs:
    """Those out of the plain values of `dataclasses.asdict`."""
    rounded, changes = (tuple(map(located_from, values[name])) for name in ("rounded", "changes"))
    return LossRepairs(rounded, bool(values["is_right"]), changes)


def _changed_model(model: Traced, change: _Change) -> Traced:
    operations = list(model.operations)
    for number in change.expression.numbers:
        operations[number] = change.of(operations[number])
    return replace(model, operations=tuple(operations))


def _changes(program: WrittenProgram) -> Iterator[_Change]:
    """The changes of expressions of the loss, those that are carried out last first."""
    of_loss = set(program.of_loss)
    for one in expressions_of(program.model):
        operation = program.operation(one.numbers[0])
        if one.numbers[0] in of_loss:
            for number, given in enumerate(operation.operands):
                if given.shape == operation.shape and given.dtype == operation.dtype:
                    yield from _changes_to(one, number, operation.operands)


def _changes_to(one: Expression, number: int, operands: tuple[Operand, ...]) -> Iterator[_Change]:
    """The expression with one operand passed on, and with another activation of it."""
    text = operand(one.place, number).strip("`")
    sign = PASSED_ON.get(one.primitive, "  ")[number].strip() if len(operands) == 2 else ""
    if sign:
        kept = f"`{sign.strip('+')}{text}`" if text else f"its {'second' if number else 'first'} operand"
        yield _Change(one, number, sign, f"{kept} in its place.")
    others = operands[:number] + operands[number + 1 :]
    is_relu = one.primitive == "maximum" and not any(other.origin.any() or np.any(other.constants) for other in others)
    activation = "relu" if is_relu else one.primitive
    if activation in ACTIVATIONS:
        yield _Change(one, number, "+", f"`{text or 'its argument'}` in its place, without {activation}.")
        for name in ACTIVATIONS:
            if name != activation:
                yield _Change(one, number, name, f"{name} in the place of {activation}.")
