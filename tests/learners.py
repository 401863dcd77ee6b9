"""Problems that are learned from: one of each kind, with a mean loss, and in one of them unequal lengths."""

from __future__ import annotations

import pytest
from gradparity.backends import FeedForward, Problem, Recurrent

ELMAN = Problem.from_seed(Recurrent("rnn", 3, 5, 4, reduction="mean"), seq_len=4, batch_size=6, seed=0)
LSTM = Problem.from_seed(
    Recurrent("lstm", 3, 4, 3, reduction="mean", num_layers=2),
    seq_len=3,
    batch_size=6,
    seed=0,
    lengths=[3, 1, 2, 3, 2, 3],
)
MLP = Problem.from_seed(FeedForward((3, 6, 4), loss="softmax_cross_entropy", reduction="mean"), batch_size=6, seed=0)
of_every_kind = pytest.mark.parametrize("problem", [ELMAN, LSTM, MLP], ids=["elman", "lstm", "mlp"])
