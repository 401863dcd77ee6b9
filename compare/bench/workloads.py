"""The workloads: loss and all parameter gradients of a recurrent layer with a read-out, in usual sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ...backends import Problem, Recurrent
from ...backends.checks import DTYPES, require_choice, require_integer
from ...backends.errors import RequestError
from ...backends.models import CELLS

SIZES = (  # B, T, D, H
    (1, 25, 64, 100),
    (20, 30, 100, 100),
    (20, 35, 200, 200),
    (32, 100, 64, 128),
    (25, 1000, 123, 320),
    (64, 25, 512, 512),
    (64, 100, 512, 512),
    (16, 50, 1024, 1024),
)
QUICK_SIZES = (SIZES[0], SIZES[2])
OUTPUT_SIZE = 10


@dataclass(frozen=True)
class Workload:
    """A problem to time: a cell (tanh in the plain one) with softmax cross-entropy over 10 classes at every step.

    Attributes:
        cell: `rnn`, `lstm` or `gru`.
        dtype: `float64` or `float32`.
        batch_size: B.
        seq_len: T.
        input_size: D.
        hidden_size: H.
    """

    cell: str
    dtype: str
    batch_size: int
    seq_len: int
    input_size: int
    hidden_size: int

    @property
    def size(self) -> str:
        """`B=20 T=35 D=200 H=200`."""
        return f"B={self.batch_size} T={self.seq_len} D={self.input_size} H={self.hidden_size}"

    @property
    def label(self) -> str:
        """`lstm float32 B=20 T=35 D=200 H=200`."""
        return f"{self.cell} {self.dtype} {self.size}"

    @property
    def work_per_step(self) -> int:
        """Multiply-adds of the cell's forward products at one step."""
        return self._model.linear_size * self.batch_size * (self.input_size + self.hidden_size)

    @property
    def layer_bytes(self) -> float:
        """What the layer's gates, states and inputs of all steps take, and its weights."""
        gates = self._model.linear_size
        rows = self.seq_len * self.batch_size * (gates + self.hidden_size + self.input_size)
        return float(np.dtype(self.dtype).itemsize * (rows + gates * (self.hidden_size + self.input_size)))

    @property
    def divisible(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """The sizes that the memory grows with evenly, by their letters."""
        return ("T", self.seq_len), ("B", self.batch_size)

    def problem(self) -> Problem:
        """The model with its numbers, drawn from seed 0."""
        return Problem.from_seed(
            self._model, seq_len=self.seq_len, batch_size=self.batch_size, seed=0, dtype=self.dtype
        )

    @property
    def _model(self) -> Recurrent:
        return Recurrent(self.cell, self.input_size, self.hidden_size, OUTPUT_SIZE)


def workloads(
    cells: Sequence[str] = (), dtypes: Sequence[str] = (), sizes: Sequence[str] = (), *, quick: bool = False
) -> list[Workload]:
    """The workloads in the order in which they are timed, small ones first.

    Args:
        cells: of `rnn`, `lstm` and `gru`; none means all.
        dtypes: `float64` and `float32`; none means both.
        sizes: such as `20,35,200,200`, for B, T, D and H; none means the usual ones.
        quick: two sizes in one dtype, unless others are asked for.

    Raises:
        RequestError: one of them does not exist.

    Example:
        >>> [workload.label for workload in workloads(["gru"], ["float32"], ["20,35,200,200"])]
        ['gru float32 B=20 T=35 D=200 H=200']
    """
    for cell in cells:
        require_choice("cell", cell, CELLS)
    for dtype in dtypes:
        require_choice("dtype", dtype, DTYPES)
    chosen = [_parsed_size(size) for size in sizes] or list(QUICK_SIZES if quick else SIZES)
    chosen_dtypes = list(dtypes) or (["float32"] if quick else list(DTYPES))
    timed = [Workload(cell, dtype, *size) for size, cell, dtype in product(chosen, cells or CELLS, chosen_dtypes)]
    return list(dict.fromkeys(timed))


def _parsed_size(text: str) -> tuple[int, int, int, int]:
    try:
        B, T, D, H = (require_integer("size", int(part), at_least=1) for part in text.split(","))
    except ValueError:
        raise RequestError(f"size {text!r}: expected four numbers for B,T,D,H such as 20,35,200,200") from None
    return B, T, D, H
