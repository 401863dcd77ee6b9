"""What of a recording matters to its loss: the rest, such as the author's own backward pass, is left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import numpy as np

from ..models.numbering import without_gaps
from ..models.traced import CONSTANT, Block, Entry, Operand, Traced

Marks = dict[np.dtype, np.ndarray]  # by dtype, of every entry


def pruned(model: Traced, fragile: Collection[int] | None = None, irrelevant: Collection[int] = ()) -> Traced:
    """A recording without the operations that the loss does not depend on, and without arrays that nothing takes.

    Args:
        model: as it was recorded.
        fragile: the numbers, from 0, of the decisions that are others close to the arguments; None means all.
        irrelevant: the numbers of the decisions that change nothing of the loss.

    Returns:
        The same loss, with its entries numbered anew. Of the decisions those are left that were made until the loss was
        there, and concern what is differentiated by: how the data compare decides nothing about a derivative.

    Example:
        >>> from gradparity.backends.tracing.trace import trace
        >>> traced = trace(lambda w: ((w * w).sum(), (2 * w,)), {"w": np.ones(3)})
        >>> model = traced.model(traced.returned[0], {"w": "w"})
        >>> len(model.operations), len(pruned(model).operations)
        (3, 2)
    """
    needed = entries_behind(model, model.loss)
    is_kept = [bool(needed[one.dtype][one.start : one.stop].any()) for one in model.operations]
    before = np.concatenate([[0], np.cumsum(is_kept)])  # how many of the first operations are kept
    changed: dict[int, Operand] = {}  # an operand that several take stays one

    def renumbered(operands: Iterable[Operand]) -> tuple[Operand, ...]:
        return tuple(changed.setdefault(id(one), replace(one, ready=int(before[one.ready]))) for one in operands)

    kept = [one for one, keeps in zip(model.operations, is_kept, strict=True) if keeps]
    computed = _computed(model, is_kept)
    moved = _moved(model)
    last = max((number for number, keeps in enumerate(is_kept, 1) if keeps), default=0)
    decisions = [
        replace(decision, is_fragile=fragile is None or number in fragile)
        for number, decision in enumerate(model.decisions)
        if decision.after <= last
        and number not in irrelevant
        and all(computed[one.dtype][one.origin].all() for one in decision.operands)
        and any(moved[one.dtype][one.origin].any() for one in decision.operands)
    ]
    left = replace(
        model,
        operations=tuple(replace(one, operands=renumbered(one.operands)) for one in kept),
        decisions=tuple(replace(one, operands=renumbered(one.operands)) for one in decisions),
    )
    return without_gaps(_without_idle_arguments(left))


def is_same_program(one: Traced, other: Traced) -> bool:
    """Whether two recordings compute their losses by the same operations on the same entries and constants.

    Args:
        one: a recording, pruned.
        other: another of the same function, pruned.

    Returns:
        Whether they do, whatever the arguments are.

    Example:
        >>> from gradparity.backends.tracing.trace import trace
        >>> def loss_at(*w):
        ...     traced = trace(lambda w: (w * w if w[0] > 0 else w * 2).sum(), {"w": np.array(w)})
        ...     return pruned(traced.model(traced.returned, {}))
        >>> [is_same_program(loss_at(1.0, 2.0), loss_at(first, 4.0)) for first in (3.0, -3.0)]
        [True, False]
    """

    def described(operand: Operand) -> tuple[object, ...]:
        constants = None if operand.constants is None else operand.constants.tobytes()
        return operand.dtype, operand.shape, operand.origin.tobytes(), constants

    if (one.loss, one.sizes, len(one.operations)) != (other.loss, other.sizes, len(other.operations)):
        return False
    if one.loss.number == CONSTANT and one.constant_loss != other.constant_loss:
        return False
    return all(
        (a.primitive, a.parameters, a.dtype, a.shape) == (b.primitive, b.parameters, b.dtype, b.shape)
        and [*map(described, a.operands)] == [*map(described, b.operands)]
        for a, b in zip(one.operations, other.operations, strict=True)
    )


def needed_arguments(model: Traced, origins: Mapping[str, tuple[np.dtype, np.ndarray]]) -> list[str]:
    """The arrays on which the loss depends.

    Args:
        model: the loss.
        origins: by name, the dtype of each array and the numbers of its entries.

    Returns:
        Their names.
    """
    needed = entries_behind(model, model.loss)
    return [name for name, (dtype, origin) in origins.items() if needed[dtype][origin].any()]


def entries_behind(model: Traced, entry: Entry) -> Marks:
    """On which entries one depends, and itself.

    Args:
        model: the recording.
        entry: of it.

    Returns:
        By dtype, whether the entry of each number is one.
    """
    marks = {dtype: np.zeros(size, bool) for dtype, size in model.sizes.items()}
    marks[entry.dtype][entry.number] = True
    for operation in reversed(model.operations):
        if marks[operation.dtype][operation.start : operation.stop].any():
            for operand in operation.operands:
                marks[operand.dtype][operand.origin.reshape(-1)] = True
    for row in marks.values():
        row[CONSTANT] = False
    return marks


def _without_idle_arguments(model: Traced) -> Traced:
    """The same without the arrays that nothing takes, such as a large table beside the function."""
    taken = {dtype: np.zeros(size, bool) for dtype, size in model.sizes.items()}
    operands = (one.operands for steps in (model.operations, model.decisions) for one in steps)
    for operand in (operand for some in operands for operand in some):
        taken[operand.dtype][operand.origin] = True
    for name, origin in model.differentiated.items():
        taken[model.dtypes[name]][origin] = True
    taken[model.loss.dtype][model.loss.number] = True
    kept = [block for block in model.arguments if taken[block.dtype][block.start : block.stop].any()]
    fixed = {
        dtype: np.concatenate(
            [values[:0], *(values[one.start - 1 : one.stop - 1] for one in kept if one.dtype == dtype)]
        )
        for dtype, values in model.fixed.items()
    }
    return replace(model, arguments=tuple(kept), fixed=fixed)


def _computed(model: Traced, is_kept: list[bool]) -> Marks:
    """Which entries are still there: constants, arguments, and the results of what is kept."""
    marks = {dtype: np.zeros(size, bool) for dtype, size in model.sizes.items()}
    kept = [one for one, keeps in zip(model.operations, is_kept, strict=True) if keeps]
    blocks = [*model.arguments, *(Block(one.dtype, one.start, one.stop) for one in kept)]
    for block in blocks:
        marks[block.dtype][block.start : block.stop] = True
    for row in marks.values():
        row[CONSTANT] = True
    return marks


def _moved(model: Traced) -> Marks:
    """Which entries depend on what is differentiated by."""
    marks = {dtype: np.zeros(size, bool) for dtype, size in model.sizes.items()}
    for name, origin in model.differentiated.items():
        marks[model.dtypes[name]][origin] = True
    for one in model.operations:
        if any(marks[operand.dtype][operand.origin].any() for operand in one.operands):
            marks[one.dtype][one.start : one.stop] = True
    return marks
