"""The numbers of a recorded program's entries, in a row: operations that were left out have left gaps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from .traced import CONSTANT, Block, Entry, Operand, Traced

NOT_MADE = -1  # in the place of the number of an entry that nothing makes


def without_gaps(model: Traced) -> Traced:
    """The same program, whose entries are numbered in a row: those of the arguments, and then those of each operation.

    Args:
        model: the program; an entry that nothing makes gets the number `NOT_MADE`.

    Returns:
        The program, which takes no more memory than it needs; the model itself if there are no gaps.

    Example:
        >>> from dataclasses import replace
        >>> from gradparity.backends.tracing.trace import trace
        >>> traced = trace(lambda w: (np.sin(w), w * w)[1].sum(), {"w": np.ones(3)})
        >>> model = traced.model(traced.returned, {"w": "w"})
        >>> smaller = without_gaps(replace(model, operations=model.operations[1:]))
        >>> [operation.start for operation in smaller.operations], smaller.loss.number
        ([4, 7], 7)
    """
    made = dict.fromkeys(model.sizes, 1)
    numbers = {dtype: np.full(size, NOT_MADE, "int64") for dtype, size in model.sizes.items()}
    blocks = []
    for block in model.blocks:
        start = made[block.dtype]
        stop = made[block.dtype] = start + block.stop - block.start
        numbers[block.dtype][block.start : block.stop] = np.arange(start, stop)
        blocks.append(Block(block.dtype, start, stop))
    if made == dict(model.sizes):
        return model
    for row in numbers.values():
        row[CONSTANT] = CONSTANT
    changed: dict[int, Operand] = {}  # an operand that several take stays one

    def renumbered(operands: Iterable[Operand]) -> tuple[Operand, ...]:
        for one in operands:
            if id(one) not in changed:
                changed[id(one)] = replace(one, origin=numbers[one.dtype][one.origin])
        return tuple(changed[id(one)] for one in operands)

    results = blocks[len(model.arguments) :]
    return replace(
        model,
        operations=tuple(
            replace(one, operands=renumbered(one.operands), start=block.start)
            for one, block in zip(model.operations, results, strict=True)
        ),
        decisions=tuple(replace(one, operands=renumbered(one.operands)) for one in model.decisions),
        arguments=tuple(blocks[: len(model.arguments)]),
        differentiated={name: numbers[model.dtypes[name]][origin] for name, origin in model.differentiated.items()},
        sizes=made,
        loss=Entry(model.loss.dtype, int(numbers[model.loss.dtype][model.loss.number])),
    )
