"""The catalogue: the named systems, each with the sizes on which it is compared."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..backends import Model, Problem, Recurrent
from ..backends.errors import unknown_name

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class System:
    """A named model with its sizes.

    Attributes:
        name: as in `gradparity compare NAME`.
        summary: what it is, in a line.
        documents: the tutorial documents that it comes from, if any.
        model: what is computed.
        seq_len: T.
        batch_size: B.
        lengths: of the sequences, if they differ.
    """

    name: str
    summary: str
    documents: tuple[str, ...]
    model: Model
    seq_len: int = 12
    batch_size: int = 3
    lengths: tuple[int, ...] | None = None

    def problem(self, *, seed: int, dtype: DTypeLike = "float64") -> Problem:
        """This system's problem from a seed."""
        return Problem.from_seed(
            self.model,
            seq_len=self.seq_len,
            batch_size=self.batch_size,
            seed=seed,
            dtype=dtype,
            lengths=self.lengths,
        )


def _elman(activation: str = "tanh", loss: str = "softmax_cross_entropy", **options: object) -> Recurrent:
    # Every size differs from every other, so that a transposed array cannot go unnoticed.
    return Recurrent("rnn", 4, 8, 5, activation=activation, loss=loss, **options)  # type: ignore[arg-type]


SYSTEMS = MappingProxyType(
    {
        system.name: system
        for system in (
            System("elman-softmax", "tanh, softmax cross-entropy", ("000", "001", "003", "004"), _elman()),
            System("elman-sigmoid", "tanh, sigmoid cross-entropy", ("000",), _elman(loss="sigmoid_cross_entropy")),
            System("elman-relu", "relu, softmax cross-entropy", ("001", "004"), _elman("relu")),
            System("elman-logistic", "sigmoid, softmax cross-entropy", ("001", "004"), _elman("sigmoid")),
            System("elman-squared-error", "tanh, squared error", ("001", "004"), _elman(loss="squared_error")),
            System(
                "linear-mean",
                "identity, squared error, mean, no biases",
                ("002",),
                _elman("identity", "squared_error", reduction="mean", bias=False),
            ),
            System(
                "elman-lengths",
                "tanh, softmax cross-entropy, mean, sequences of unequal length",
                (),
                _elman(reduction="mean"),
                lengths=(12, 1, 7),
            ),
        )
    }
)


def get_system(name: str) -> System:
    """The system of that name, or an UnknownNameError with the nearest one."""
    if name not in SYSTEMS:
        raise unknown_name("system", name, SYSTEMS)
    return SYSTEMS[name]
