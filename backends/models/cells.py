"""The cells of recurrent networks: what a model has to know of each."""

from __future__ import annotations

from typing import NamedTuple


class CellSpec(NamedTuple):
    """What a model has to know of a cell.

    Attributes:
        gates: in the order of their rows in U, W and b; none for a cell with a single linear state.
        states: what is carried from step to step; the first is the one that is read out.
    """

    gates: str
    states: str = "h"


CELLS = {
    "rnn": CellSpec(""),
    "lstm": CellSpec("ifgo", states="hc"),
    "gru": CellSpec("rzn"),
}
