"""A recording that is being made: operations and decisions are added as the program carries them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from ..models.traced import CONSTANT, ENTRY_DTYPES, Block, Decision, Entry, Operand, Operation, Traced
from .places import Place
from .primitives import PRIMITIVES


@dataclass(eq=False)
class Recording:
    """What a program did, as far as it has been run.

    Attributes:
        operations: in order.
        decisions: likewise.
        sizes: by the dtype, how many entries there are, and `CONSTANT`.
        notes: what is to be said, without repetition, such as that a number left the recording.
        texts: by the text, where recorded numbers became text, which matters only if something is lost.
        read: where such a text became a number again.
        arguments: where the entries of the arguments lie.
    """

    operations: list[Operation] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    sizes: dict[np.dtype, int] = field(default_factory=lambda: dict.fromkeys(ENTRY_DTYPES, 1))
    notes: dict[str, None] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    arguments: list[Block] = field(default_factory=list)
    _operands: dict[tuple[Any, ...], Operand] = field(default_factory=dict)
    _starts: dict[np.dtype, list[int]] = field(default_factory=lambda: {dtype: [] for dtype in ENTRY_DTYPES})
    _numbers: dict[np.dtype, list[int]] = field(default_factory=lambda: {dtype: [] for dtype in ENTRY_DTYPES})

    def argument(self, values: np.ndarray) -> np.ndarray:
        """Numbers the entries of an argument.

        Args:
            values: the argument, of one of `ENTRY_DTYPES`.

        Returns:
            Its origin.
        """
        origin = self._new_entries(values.dtype, values.shape)
        self.arguments.append(Block(values.dtype, self.sizes[values.dtype] - values.size, self.sizes[values.dtype]))
        return origin

    def operand(self, values: np.ndarray, origin: np.ndarray) -> Operand:
        """An array as an operand; the same one for the same entries, such as those of a matrix at every step.

        Args:
            values: the numbers, of one of `ENTRY_DTYPES`.
            origin: the numbers of their entries.

        Returns:
            The operand, which keeps nothing of the arrays.
        """
        origin = np.asarray(origin, order="C")
        is_constant = origin == CONSTANT
        constants = np.where(is_constant, values, 0) if is_constant.any() else None
        key = (values.dtype, origin.shape, origin.tobytes(), None if constants is None else constants.tobytes())
        known = self._operands.get(key)
        if known is None:
            ready = self._made_by(values.dtype, int(origin.max(initial=CONSTANT)))
            known = self._operands[key] = Operand(values.dtype, origin.copy(), constants, ready)
        return known

    def record(
        self, primitive: str, operands: tuple[Operand, ...], result: np.ndarray, place: Place | None, **parameters: Any
    ) -> np.ndarray:
        """Adds an operation.

        Args:
            primitive: the name in `PRIMITIVES`.
            operands: what it takes.
            result: what came out, of one of `ENTRY_DTYPES`.
            place: where in the program.
            **parameters: what else it takes.

        Returns:
            The result's origin.
        """
        assert primitive in PRIMITIVES, primitive
        origin = self._new_entries(result.dtype, result.shape)
        start = self.sizes[result.dtype] - result.size
        self._starts[result.dtype].append(start)
        self._numbers[result.dtype].append(len(self.operations) + 1)
        self.operations.append(Operation(primitive, operands, parameters, result.dtype, start, result.shape, place))
        return origin

    def _new_entries(self, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        start = self.sizes[dtype]
        self.sizes[dtype] = start + prod(shape)
        return np.arange(start, self.sizes[dtype]).reshape(shape)

    def _made_by(self, dtype: np.dtype, entry: int) -> int:
        """How many operations are done as soon as an entry is there; 0 for an argument's."""
        position = int(np.searchsorted(self._starts[dtype], entry, side="right"))
        return self._numbers[dtype][position - 1] if position else 0

    def model(
        self,
        function: str,
        loss: Entry,
        differentiated: Mapping[str, tuple[np.ndarray, np.dtype]],
        fixed: Mapping[np.dtype, np.ndarray],
        constant_loss: float = 0.0,
    ) -> Traced:
        """The recording as a model.

        Args:
            function: the function's name.
            loss: the entry that is the loss.
            differentiated: by name, the origin and the dtype of each array with respect to which it is differentiated.
            fixed: by dtype, the values of all arguments' entries, from entry 1 on.
            constant_loss: the loss, if it depends on no argument.

        Returns:
            The model, which what is recorded later does not change.
        """
        return Traced(
            function,
            tuple(self.operations),
            tuple(self.decisions),
            tuple(self.arguments),
            {name: origin for name, (origin, _) in differentiated.items()},
            {name: dtype for name, (_, dtype) in differentiated.items()},
            dict(fixed),
            dict(self.sizes),
            loss,
            constant_loss,
        )
