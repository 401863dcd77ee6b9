"""How the operands of a recorded program are put together from whole blocks.

Frameworks compute with arrays and not with entries: each block is one flat array of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..models.traced import CONSTANT, ENTRY_DTYPES, Entry, Operand, Traced


class Sources(NamedTuple):
    """From which blocks an operand is put together.

    Attributes:
        blocks: their positions in `Traced.blocks`.
        places: where each number stands in these, one after the other, and then the constants; None takes all in order.
        constants: the numbers that come after the blocks; None if there are none.
    """

    blocks: tuple[int, ...]
    places: np.ndarray | None
    constants: np.ndarray | None


class ArraysOf(NamedTuple):
    """The arrays of a framework.

    Attributes:
        made: makes one of an array of NumPy's.
        joined: makes one of several flat ones, one after the other.
    """

    made: Callable[[np.ndarray], Any]
    joined: Callable[[list[Any]], Any]


class Assembly:
    """How the operands of a recorded program are put together from whole blocks.

    Frameworks compute with arrays and not with entries: each block is an array of theirs, flat.
    """

    def __init__(self, model: Traced) -> None:
        self._model = model
        self.blocks = model.blocks
        self._by_dtype: dict[np.dtype, tuple[Any, Any]] = {}
        for dtype in ENTRY_DTYPES:
            positions = [position for position, block in enumerate(self.blocks) if block.dtype == dtype]
            positions = [position for position in positions if self.blocks[position].stop > self.blocks[position].start]
            positions.sort(key=lambda position: self.blocks[position].start)
            starts = np.array([self.blocks[position].start for position in positions], dtype="int64")
            self._by_dtype[dtype] = np.array(positions, dtype="int64"), starts

    def sources(self, operand: Operand) -> Sources:
        """The blocks that hold an operand's numbers.

        Args:
            operand: of the program.

        Returns:
            The blocks, and where in them the numbers stand.
        """
        positions, starts = self._by_dtype[operand.dtype]
        origin = operand.origin.reshape(-1)
        is_entry = origin != CONSTANT
        holder = np.searchsorted(starts, origin[is_entry], side="right") - 1  # the place of the block that holds it
        held, holder = np.unique(holder, return_inverse=True)
        blocks = tuple(int(position) for position in positions[held])
        sizes = np.array(
            [self.blocks[position].stop - self.blocks[position].start for position in blocks], dtype="int64"
        )
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype("int64")
        index = np.empty(origin.size, dtype="int64")
        index[is_entry] = offsets[holder] + origin[is_entry] - starts[held][holder]
        index[~is_entry] = offsets[-1] + np.arange(np.count_nonzero(~is_entry))
        constants = None if operand.constants is None else operand.constants.reshape(-1)[~is_entry]
        total = int(offsets[-1]) + np.count_nonzero(~is_entry)
        return Sources(blocks, None if np.array_equal(index, np.arange(total)) else index, constants)

    def carried_out(self, arguments: list[Any], functions: Mapping[str, Callable[..., Any]], arrays: ArraysOf) -> Any:
        """Carries the program out, operation by operation.

        Args:
            arguments: the arguments' blocks, flat.
            functions: the framework's, by the primitive.
            arrays: how the framework makes an array of NumPy's, and how it joins several.

        Returns:
            The loss, one number of the framework's.
        """
        blocks = list(arguments)  # each in the shape in which it was made
        taken: dict[int, Any] = {}

        def take(operand: Operand) -> Any:
            if id(operand) not in taken:
                taken[id(operand)] = _shaped(put_together(*self.sources(operand)), operand.shape)
            return taken[id(operand)]

        def put_together(positions: tuple[int, ...], places: np.ndarray | None, constants: np.ndarray | None) -> Any:
            if places is None and constants is None and len(positions) == 1:
                return blocks[positions[0]]
            parts = [_shaped(blocks[position], (-1,)) for position in positions]
            parts += [] if constants is None else [arrays.made(constants)]
            flat = parts[0] if len(parts) == 1 else arrays.joined(parts)
            return flat if places is None else flat[arrays.made(places)]

        for operation in self._model.operations:
            result = functions[operation.primitive](*map(take, operation.operands), **operation.parameters)
            blocks.append(result)
        block, place = self.position(self._model.loss)
        return _shaped(blocks[block], (-1,))[place]

    def position(self, entry: Entry) -> tuple[int, int]:
        """The block that holds an entry, and the place in it."""
        positions, starts = self._by_dtype[entry.dtype]
        place = int(np.searchsorted(starts, entry.number, side="right")) - 1
        return int(positions[place]), entry.number - int(starts[place])


def _shaped(array: Any, shape: tuple[int, ...]) -> Any:
    """A framework's array in a shape; itself if it has it, since what is done to it takes time to compile."""
    if tuple(array.shape) == shape or (shape == (-1,) and array.ndim == 1):
        return array
    return array.reshape(shape)
