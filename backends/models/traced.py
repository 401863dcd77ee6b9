"""A recorded program as a model: what a NumPy function did to its numbers, as a list of pure operations.

Every number that depends on an argument is an *entry*, and has a number of its own: the arguments' entries come first,
and each operation's results follow, in the order of the run. An entry is never written again. An array of the program
is then known by the entries that its places hold, its *origin*; what moves numbers about, such as indexing, assignment,
a view, a transpose or a concatenation, changes origins alone, and is no operation. What is left are the operations that
compute: functions of single entries, sums, products of matrices.

Entries are counted from 1, apart for each dtype; 0 stands for a number that depends on no argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from .array_spec import ArraySpec, Variable

if TYPE_CHECKING:
    from jaxtyping import Float, Int

ENTRY_DTYPES = (np.dtype("float64"), np.dtype("float32"))
CONSTANT = 0  # in the place of an entry's number: depends on no argument


class Block(NamedTuple):
    """Successive entries: those of an argument, or of an operation's result.

    Attributes:
        dtype: of the numbers.
        start: the first entry's number.
        stop: one more than the last one's.
    """

    dtype: np.dtype
    start: int
    stop: int


class Entry(NamedTuple):
    """One number.

    Attributes:
        dtype: of it.
        number: that of the entry; `CONSTANT` if it depends on no argument.
    """

    dtype: np.dtype
    number: int


@dataclass(frozen=True, eq=False)
class Operand:
    """The numbers that an operation takes, by where they come from.

    Attributes:
        dtype: of the numbers.
        origin: the number of the entry in each place, or `CONSTANT`.
        constants: the numbers where the origin is `CONSTANT`; None if it is nowhere.
        ready: how many operations have to be done before all entries are there.
    """

    dtype: np.dtype
    origin: Int[np.ndarray, "*shape"]
    constants: Float[np.ndarray, "*shape"] | None
    ready: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.origin.shape

    @cached_property
    def start(self) -> int | None:
        """The first entry, if the array holds a row of successive entries in order; else None."""
        if self.constants is not None or not self.origin.size:
            return None
        first = int(self.origin.flat[0])
        row = np.arange(first, first + self.origin.size)
        return first if np.array_equal(self.origin.reshape(-1), row) else None

    @cached_property
    def turns(self) -> list[np.ndarray]:
        """The places, so parted that no entry stands twice in one part: all first ones, all second ones, and so on."""
        places = np.flatnonzero(self.origin.reshape(-1) != CONSTANT)
        entries = self.origin.reshape(-1)[places]
        order = np.argsort(entries, kind="stable")
        turn = np.empty(len(entries), dtype="int64")
        turn[order] = np.arange(len(entries)) - np.searchsorted(entries[order], entries[order])
        return [places[turn == number] for number in range(turn.max(initial=-1) + 1)]


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation: what was computed from what.

    Attributes:
        primitive: its name.
        operands: what it takes, of its own dtype unless it is a cast.
        parameters: what else it takes, such as axes.
        dtype: of the result.
        start: the number of the result's first entry.
        shape: of the result, whose entries are numbered in C order.
        place: where in the program, to be shown by `str`.
    """

    primitive: str
    operands: tuple[Operand, ...]
    parameters: Mapping[str, Any]
    dtype: np.dtype
    start: int
    shape: tuple[int, ...]
    place: Any = None

    @property
    def stop(self) -> int:
        """One more than the number of the result's last entry."""
        return self.start + prod(self.shape)


@dataclass(frozen=True, eq=False)
class Decision:
    """Something that the program learned of its numbers, which is plain: a comparison, a sign, an order.

    Attributes:
        function: NumPy's function.
        operands: of what.
        arguments: its other arguments, by name.
        result: what came out.
        place: where in the program.
        after: how many operations had been done.
        is_fragile: whether it is another one close to the arguments.
    """

    function: Any
    operands: tuple[Operand, ...]
    arguments: Mapping[str, Any]
    result: Any
    place: Any = None
    after: int = 0
    is_fragile: bool = True


@dataclass(frozen=True, eq=False)
class Traced:
    """A NumPy function as it ran once: its loss as a list of operations on its arguments.

    Two are the same only if they are one object.

    Attributes:
        function: its name.
        operations: in order.
        decisions: likewise.
        arguments: the blocks of entries of all arrays that the function could reach.
        differentiated: by name, the origin of each array with respect to which the loss is differentiated.
        dtypes: by the same names, their dtypes.
        fixed: by dtype, the values of all arguments' entries as they were, from entry 1 on.
        sizes: by dtype, how many entries there are, and `CONSTANT`.
        loss: the entry that is the loss.
        constant_loss: its value, if it depends on no argument.
    """

    LEADING: ClassVar[dict[str, str]] = {}

    function: str
    operations: tuple[Operation, ...]
    decisions: tuple[Decision, ...]
    arguments: tuple[Block, ...]
    differentiated: Mapping[str, Int[np.ndarray, "*shape"]]
    dtypes: Mapping[str, np.dtype]
    fixed: Mapping[np.dtype, np.ndarray]
    sizes: Mapping[np.dtype, int]
    loss: Entry
    constant_loss: float = 0.0

    @property
    def blocks(self) -> list[Block]:
        """The arguments, and then the results of the operations, in order."""
        return [*self.arguments, *(Block(one.dtype, one.start, one.stop) for one in self.operations)]

    @cached_property
    def description(self) -> dict[str, Any]:
        """The function's name, the number of operations, and a digest of all that the recording holds but places."""
        from .traced_parts import digest_of  # which knows this class

        return {"function": self.function, "operations": len(self.operations), "digest": digest_of(self)}

    @property
    def differentiable(self) -> tuple[str, ...]:
        """The arrays of a batch that have a gradient: there is no batch."""
        return ()

    @property
    def parameter_specs(self) -> dict[str, ArraySpec]:
        """The arrays with respect to which the loss is differentiated."""
        return {name: ArraySpec(origin.shape, str(origin.shape)) for name, origin in self.differentiated.items()}

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Their shapes."""
        return {name: origin.shape for name, origin in self.differentiated.items()}

    def state_specs(self) -> dict[str, ArraySpec]:
        """There is no state."""
        return {}

    def input_spec(self) -> Any:
        """None: there are no inputs apart from the arguments."""

    def target_spec(self) -> Any:
        """None: there are no targets apart from the arguments."""

    def output_spec(self) -> Any:
        """None: there is nothing beside the loss."""

    def variables(self) -> dict[str, Variable]:
        """There are no inner variables with a name."""
        return {}

    @property
    def size_summary(self) -> str:
        """The size in a few words."""
        return (
            f"{sum(origin.size for origin in self.differentiated.values())} numbers, {len(self.operations)} operations"
        )

    @property
    def summary(self) -> str:
        """What the model is, in a few words."""
        return f"{self.function}, recorded"
