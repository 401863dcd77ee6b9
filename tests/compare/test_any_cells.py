"""Cells that no system has, and layers of one's own: compared with a definition in NumPy, with planted differences."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from gradparity.compare.layers.cell_definitions import (
    layer_normalized_lstm,
    lstm_with_peepholes,
    lstm_with_projection,
)
from own_cells import NormalizedCell, PeepholeCell, assert_same_layer, own, projected, report
from sampling import case


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_first": True, "bias": False},
        case({"num_layers": 2, "bidirectional": True, "dtype": torch.float64}, campaign=False),
        case({"bidirectional": True}, campaign=True),
    ],
)
def test_a_projected_lstm_of_torch_is_its_definition(options):
    layer = projected(**options)
    comparison = assert_same_layer(layer, lstm_with_projection)
    assert list(comparison.answers) == ["torch LSTM", "lstm_with_projection"]
    assert list(comparison.questions) == ["from given initial states", "without an initial state", "with lengths"]
    labels = {block.label for block in comparison.blocks}
    assert {"loss", "o_1", "o_4", "dV", "dh0", "dc0", "dinputs"} <= labels
    places = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    assert sum("c_n" in label for label in labels) == places
    assert all(0 < block.allowed < 1e-4 * block.scale for block in comparison.blocks)


def test_two_projected_layers_are_compared_with_each_other_and_with_the_definition():
    layer = projected()
    other = projected(batch_first=True)
    comparison = assert_same_layer(layer, other)
    assert list(comparison.answers) == ["torch LSTM 1", "torch LSTM 2", "definition of lstm with a projection"]
    assert comparison.handed_over_after == 2
    assert comparison.not_asked == ()
    with torch.no_grad():
        other.weight_hr_l0[1, 2] *= 1.01
    message = report(layer, other)
    assert "torch LSTM 2 differs from torch LSTM 1 and definition of lstm with a projection" in message
    assert "W_hr[1, 2] differs by 1 %: " in message
    assert message.endswith("Mapped to the same names, their weights differ in W_hr.")


class Detached(torch.nn.LSTM):
    def forward(self, x, hx=None):
        h, (h_n, c_n) = super().forward(x, hx)
        return h, (h_n.detach(), c_n.detach())


class IgnoresLengths(torch.nn.LSTM):
    def forward(self, x, hx=None):
        if not isinstance(x, torch.nn.utils.rnn.PackedSequence):
            return super().forward(x, hx)
        padded, lengths = torch.nn.utils.rnn.pad_packed_sequence(x)
        h, after = super().forward(padded, hx)
        return torch.nn.utils.rnn.pack_padded_sequence(h, lengths, enforce_sorted=False), after


class BeginsWithOnes(torch.nn.LSTM):
    def forward(self, x, hx=None):
        ones = torch.ones(1, 2, 2), torch.ones(1, 2, 5)
        return super().forward(x, ones if hx is None else hx)


@pytest.mark.parametrize(
    ("layer_class", "question", "finding"),
    [
        (Detached, "without an initial state, and again after step 2 from the states returned", "dU"),
        (IgnoresLengths, "with lengths", "after the last step h_n and c_n differ"),
        (BeginsWithOnes, "without an initial state", "The forward pass differs already, first in o_1"),
    ],
)
def test_each_question_finds_what_it_is_asked_for(layer_class, question, finding):
    message = report(projected(layer_class), lstm_with_projection)
    assert f"Called {question}" in message
    assert finding in message


def test_a_peephole_cell_of_ones_own_in_torch_is_the_definition():
    comparison = assert_same_layer(own(PeepholeCell()), lstm_with_peepholes)
    assert list(comparison.questions) == ["from given initial states", "with lengths"]
    assert comparison.not_asked == ("without an initial state, PeepholeCell: it has to be given one",)
    assert {"dp_i", "dp_f", "dp_o", "c_n"} <= {block.label for block in comparison.blocks}


def test_what_the_output_gate_sees_is_found_forwards_and_backwards():
    assert "The forward pass differs already, first in o_1." in report(own(PeepholeCell("old")), lstm_with_peepholes)
    message = report(own(PeepholeCell("detached")), lstm_with_peepholes)
    assert "The forward pass" not in message
    assert "dp_f: PeepholeCell and lstm_with_peepholes differ" in message


@pytest.mark.parametrize("keeps_normalized", [False, True])
def test_layer_normalised_cells_are_told_apart_by_the_state_that_they_keep(keeps_normalized):
    definition = partial(layer_normalized_lstm, keeps_normalized=keeps_normalized)
    assert_same_layer(own(NormalizedCell(keeps_normalized)), definition)
    assert "layer_normalized_lstm" in report(own(NormalizedCell(not keeps_normalized)), definition)


def test_another_epsilon_is_found_in_float64():
    layer = own(NormalizedCell(epsilon=1e-6).double())
    assert "differ" in report(layer, layer_normalized_lstm)
    assert_same_layer(layer, partial(layer_normalized_lstm, epsilon=1e-6))
