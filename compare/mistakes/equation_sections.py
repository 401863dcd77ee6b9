"""Which functions of `manual/equations.py` make a pass: of each cell, read-out and layer, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...manual import equations
from ...manual.plain_loops import LOSSES
from .equation_source import Section, section

Functions = Sequence[Callable[..., Any]]


class CellSections(NamedTuple):
    """A step of a cell, forward and backward."""

    forward: Section
    backward: Section


def cell_sections(forward: Functions, backward: Functions) -> CellSections:
    """A cell of its functions; backward every cell begins with dh, and ends with what its linear part hands on."""
    return CellSections(section(*forward), section(equations.state_backward, *backward, equations.input_backward))


CELLS = {
    "rnn": cell_sections(
        forward=[equations.rnn_forward],
        backward=[equations.rnn_backward, equations.recurrent_weights_backward],
    ),
    "lstm": cell_sections(
        forward=[equations.lstm_forward],
        backward=[equations.lstm_backward, equations.recurrent_weights_backward],
    ),
    "gru after": cell_sections(
        forward=[equations.gru_gates, equations.gru_candidate_after, equations.gru_state],
        backward=[equations.gru_state_backward, equations.gru_after_backward],
    ),
    "gru before": cell_sections(
        forward=[equations.gru_gates, equations.gru_candidate_before, equations.gru_state],
        backward=[equations.gru_state_backward, equations.gru_before_backward],
    ),
}

READOUT = {name: section(equations.readout_forward, loss, equations.readout_backward) for name, loss in LOSSES.items()}

LAYER_FORWARD = section(equations.layer_forward)
OUTPUT = {
    name: section(equations.activated_output, loss, equations.activated_output_backward)
    if name == "squared_error"
    else section(equations.linear_output, loss, equations.linear_output_backward)
    for name, loss in LOSSES.items()
}
LAYER_HIDDEN = section(equations.hidden_backward)
LAYER_BACKWARD = section(equations.layer_backward)

ORDERED_FORWARD = section(equations.ordered_forward)
ORDERED_BACKWARD = section(equations.ordered_backward)
