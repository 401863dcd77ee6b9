"""The catalogue: the named systems, each with the sizes on which it is compared.

Example:
    >>> from gradparity.compare import SYSTEMS
    >>> SYSTEMS["lstm"].model.cell, SYSTEMS["lstm"].leading
    ('lstm', {'T': 12, 'B': 3})
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ...backends import Chunks, FeedForward, LastSteps, Model, OrderedSystem, Problem, Recurrent, Window
from ...backends.errors import unknown_name
from ..answers import Training

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
        seq_len: T, where there is time.
        batch_size: B, where there is a batch.
        lengths: of the sequences, (B,), if they differ; None if all have T steps.
        training: how a system learns; None if a single gradient is compared.

    Example:
        >>> from gradparity.backends import Recurrent
        >>> from gradparity.compare import System
        >>> System("mine", "a small GRU", (), Recurrent("gru", 2, 3, 2), seq_len=5).problem(seed=0).inputs.shape
        (5, 3, 2)
    """

    name: str
    summary: str
    documents: tuple[str, ...]
    model: Model
    seq_len: int = 12
    batch_size: int = 3
    lengths: tuple[int, ...] | None = None
    training: Training | None = None

    @property
    def leading(self) -> dict[str, int]:
        """The sizes T and B by their letters, as far as the model has them."""
        return {letter: getattr(self, name) for name, letter in self.model.LEADING.items()}

    def problem(self, *, seed: int, dtype: DTypeLike = "float64") -> Problem:
        """The system's model with numbers.

        Args:
            seed: from which parameters, inputs and targets are drawn.
            dtype: `float64` or `float32`.
        """
        sizes: dict[str, Any] = {name: getattr(self, name) for name in self.model.LEADING}
        return Problem.from_seed(self.model, seed=seed, dtype=dtype, lengths=self.lengths, **sizes)


def _elman(activation: str = "tanh", loss: str = "softmax_cross_entropy", **options: Any) -> Recurrent:
    # Every size differs from every other, so that a transposed array cannot go unnoticed.
    return Recurrent("rnn", 4, 8, 5, activation=activation, loss=loss, **options)


def _gated(cell: str, **options: Any) -> Recurrent:
    return Recurrent(cell, 4, 8, 5, **options)


def _linear(**options: Any) -> Recurrent:
    return _elman("identity", "squared_error", reduction="mean", bias=False, **options)


WERBOS = OrderedSystem(
    weights=((0, 0, 0, 0), (2, 0, 0, 0), (1, 3, 0, 0), (1, 2, 4, 0)),
    objective=(0, 2, 0, 4),
)
ALL, ELMAN = ("000", "001", "003", "004"), ("001", "004")

SYSTEMS = MappingProxyType(
    {
        system.name: system
        for system in (
            System("elman-softmax", "tanh, softmax cross-entropy", ALL, _elman()),
            System("elman-sigmoid", "tanh, sigmoid cross-entropy", ("000",), _elman(loss="sigmoid_cross_entropy")),
            System("elman-relu", "relu, softmax cross-entropy", ELMAN, _elman("relu")),
            System("elman-logistic", "sigmoid, softmax cross-entropy", ELMAN, _elman("sigmoid")),
            System("elman-squared-error", "tanh, squared error", ELMAN, _elman(loss="squared_error")),
            System(
                "elman-expanded",
                "the sum over pairs of steps, term by term",
                ("000", "001", "004"),
                _elman(differentiation="expanded"),
            ),
            System("elman-concat", "one matrix on input and state", ("003",), _elman(concatenated=True)),
            System("elman-window", "each loss at most 5 steps back", ("000",), _elman(truncation=Window(5))),
            System("elman-chunks", "stopped every 5 steps", ("000",), _elman(truncation=Chunks(5))),
            System("elman-last-steps", "the last 5 steps alone", ("000",), _elman(truncation=LastSteps(5))),
            System("linear-mean", "identity, squared error, mean, no biases", ("002",), _linear()),
            System("linear-closed-form", "the same by powers of W", ("002",), _linear(differentiation="closed_form")),
            System("ordered-derivatives", "four variables, totals (136, 58, 16, 4)", ("003",), WERBOS),
            System("mlp", "three layers by the four equations", ("004",), FeedForward((4, 8, 6, 5))),
            System(
                "logistic-regression",
                "one layer, sigmoid cross-entropy, mean",
                ("004",),
                FeedForward((4, 1), loss="sigmoid_cross_entropy", reduction="mean"),
                batch_size=7,
            ),
            System("elman-forward-mode", "real-time recurrent learning", ("004",), _elman(differentiation="forward")),
            System("lstm", "long short-term memory", ("004",), _gated("lstm")),
            System("gru", "gated recurrent unit, reset after", ("004",), _gated("gru")),
            System("gru-reset-before", "as in the original paper", ("004",), _gated("gru", reset="before")),
            System(
                "elman-sgd", "gradient descent", ("000", "004"), _elman(reduction="mean"), training=Training(0.1, 20)
            ),
            System(
                "mlp-minibatch-sgd",
                "gradient descent on batches of 4",
                ("004",),
                FeedForward((4, 8, 5), loss="softmax_cross_entropy", reduction="mean"),
                batch_size=10,
                training=Training(0.5, 20, batch_size=4),
            ),
            System("elman-stacked", "two layers", (), _elman(num_layers=2)),
            System("elman-bidirectional", "both directions", (), _elman(bidirectional=True)),
            System("lstm-stacked", "two layers", (), _gated("lstm", num_layers=2)),
            System("gru-bidirectional", "both directions", (), _gated("gru", bidirectional=True)),
            System("elman-lengths", "mean over unequal lengths", (), _elman(reduction="mean"), lengths=(12, 1, 7)),
        )
    }
)


def get_system(name: str) -> System:
    """The system of that name.

    Raises:
        UnknownNameError: there is none; the message has the nearest name.

    Example:
        >>> get_system("lstm").summary
        'long short-term memory'
    """
    if name not in SYSTEMS:
        raise unknown_name("system", name, SYSTEMS)
    return SYSTEMS[name]
