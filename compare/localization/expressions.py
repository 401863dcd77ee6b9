"""The expressions of a recorded loss: what was carried out at one place of the program, in which turns of a loop."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ...backends.models.traced import Traced
from ...backends.tracing.places import Place


class Expression(NamedTuple):
    """An expression of the forward pass, and the operations that it became.

    Attributes:
        place: where it stands.
        primitive: of the operations.
        numbers: of them, from 0, in the order of the run.
        turns: of each, which turn of the innermost loop it is, from 0, and how many there are in that run of the loop.
    """

    place: Place
    primitive: str
    numbers: tuple[int, ...]
    turns: tuple[tuple[int, int], ...]


class Step(NamedTuple):
    """When an operation is carried out: in which run of the loop over the steps, and in which of its turns."""

    run: int
    turn: int


def expressions_of(model: Traced) -> tuple[Expression, ...]:
    """The expressions of a recording, the one that is carried out last first.

    Args:
        model: the recording.

    Returns:
        They, apart for each shape.
    """
    groups: dict[tuple[Place, str, tuple[tuple[int, ...], ...]], list[int]] = defaultdict(list)
    for number, one in enumerate(model.operations):
        if isinstance(one.place, Place):
            shapes = (one.shape, *(operand.shape for operand in one.operands))
            groups[one.place, one.primitive, shapes].append(number)
    found = [
        Expression(place, primitive, tuple(numbers), _turns(numbers))
        for (place, primitive, _), numbers in groups.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.numbers[-1]))


def makers_of_entries(model: Traced) -> dict[np.dtype, np.ndarray]:
    """By the number of an entry, that of the operation that makes it; -1 of an argument's.

    Args:
        model: the recording.

    Returns:
        They, by the dtype of the entries.
    """
    makers = {dtype: np.full(size, -1) for dtype, size in model.sizes.items()}
    for number, operation in enumerate(model.operations):
        makers[operation.dtype][operation.start : operation.stop] = number
    return makers


def common_callers(expressions: Sequence[Expression]) -> frozenset[Place]:
    """The places that all of some expressions were called from."""
    chains = [frozenset(_callers(one.place)) for one in expressions]
    return frozenset.intersection(*chains) if chains else frozenset()


def steps_of(expressions: Sequence[Expression]) -> dict[int, Step]:
    """By number, when an operation of the loop over the steps is carried out: of the loop with the most expressions."""
    shapes = Counter(tuple(count for _, count in one.turns) for one in expressions if len(one.numbers) > 1)
    if not shapes:
        return {}
    ((usual, _),) = shapes.most_common(1)
    found = {}
    for one in expressions:
        if tuple(count for _, count in one.turns) == usual:
            run = -1
            for number, (turn, _) in zip(one.numbers, one.turns, strict=True):
                run += turn == 0
                found[number] = Step(run, turn)
    return found


def _callers(place: Place) -> Iterator[Place]:
    while place.called_from:
        place = place.called_from
        yield place


def _turns(numbers: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """The turns of the innermost loop: its runs are parted where more is carried out between two turns than usually."""
    gaps = np.diff(numbers)
    usual = np.median(gaps) if len(gaps) else 0
    runs: list[list[int]] = [[0]] if numbers else []
    for position, gap in enumerate(gaps, 1):
        if gap > usual:
            runs.append([])
        runs[-1].append(position)
    return tuple((turn, len(run)) for run in runs for turn in range(len(run)))
