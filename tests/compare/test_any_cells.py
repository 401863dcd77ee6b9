"""Cells that no system has, and layers of one's own: compared with a definition in NumPy, with planted differences."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen, nnx
from gradparity.backends import Problem, Recurrent, RequestError, UnsupportedProblemError
from gradparity.backends.adapters import from_params
from gradparity.compare import DisagreementError, OwnLayer
from gradparity.compare import assert_same_layer as assert_same_layer_on
from gradparity.compare.layers.cell_definitions import (
    gru,
    layer_normalized_lstm,
    lstm,
    lstm_with_peepholes,
    lstm_with_projection,
)
from sampling import case

PEEPHOLES = {"U": "x2h.weight", "W": "h2h.weight", "b": "x2h.bias", "p_i": "p_i", "p_f": "p_f", "p_o": "p_o"}
NORMALIZED = {"U": "x2h.weight", "W": "h2h.weight"}
NORMALIZED |= {f"gain_{x}": f"norm_{x}.weight" for x in "xhc"} | {f"bias_{x}": f"norm_{x}.bias" for x in "xhc"}
SIZES = {"input_size": 3, "states": {"h": 5, "c": 5}}


def assert_same_layer(*layers, seq_len=4, **options):
    return assert_same_layer_on(*layers, seq_len=seq_len, batch_size=2, **options)


def report(*layers, **options):
    with pytest.raises(DisagreementError) as error:
        assert_same_layer(*layers, **options)
    return str(error.value)


def projected(layer_class=torch.nn.LSTM, **options):
    torch.manual_seed(0)
    return layer_class(3, 5, proj_size=2, **options)


class PeepholeCell(torch.nn.Module):
    """As users write it; `sees` is what the output gate sees."""

    def __init__(self, sees="new"):
        super().__init__()
        torch.manual_seed(0)
        self.x2h, self.h2h = torch.nn.Linear(3, 20), torch.nn.Linear(5, 20, bias=False)
        self.p_i, self.p_f, self.p_o = (torch.nn.Parameter(torch.randn(5)) for _ in range(3))
        self.sees = sees

    def forward(self, x, state):
        h, c = state
        i, f, g, o = (self.x2h(x) + self.h2h(h)).chunk(4, dim=1)
        new = torch.sigmoid(f + self.p_f * c) * c + torch.sigmoid(i + self.p_i * c) * torch.tanh(g)
        seen = {"new": new, "old": c, "detached": new.detach()}[self.sees]
        return torch.sigmoid(o + self.p_o * seen) * torch.tanh(new), new


class NormalizedCell(torch.nn.Module):
    def __init__(self, keeps_normalized=False, epsilon=1e-5):
        super().__init__()
        torch.manual_seed(0)
        self.x2h, self.h2h = torch.nn.Linear(3, 20, bias=False), torch.nn.Linear(5, 20, bias=False)
        self.norm_x, self.norm_h = torch.nn.LayerNorm(20, eps=epsilon), torch.nn.LayerNorm(20, eps=epsilon)
        self.norm_c, self.keeps_normalized = torch.nn.LayerNorm(5, eps=epsilon), keeps_normalized
        for parameter in self.parameters():
            torch.nn.init.normal_(parameter, std=0.5)

    def forward(self, x, state):
        h, c = state
        i, f, g, o = (self.norm_x(self.x2h(x)) + self.norm_h(self.h2h(h))).chunk(4, dim=1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        normalized = self.norm_c(c)
        return torch.sigmoid(o) * torch.tanh(normalized), normalized if self.keeps_normalized else c


def own(cell, **options):
    return OwnLayer(cell, names=PEEPHOLES if isinstance(cell, PeepholeCell) else NORMALIZED, **SIZES | options)


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


def peephole_step(weights, x, h, c):
    i, f, g, o = jnp.split(x @ weights["U"].T + h @ weights["W"].T + weights["b"], 4, axis=1)
    i, f = jax.nn.sigmoid(i + weights["p_i"] * c), jax.nn.sigmoid(f + weights["p_f"] * c)
    c = f * c + i * jnp.tanh(g)
    return jax.nn.sigmoid(o + weights["p_o"] * c) * jnp.tanh(c), c


class NnxCell(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.i, self.h = nnx.Linear(3, 20, rngs=rngs), nnx.Linear(5, 20, use_bias=False, rngs=rngs)
        self.p = nnx.Param(jnp.full((3, 5), 0.3))

    def __call__(self, carry, x):
        c, h = carry
        weights = {"U": self.i.kernel.T, "W": self.h.kernel.T, "b": self.i.bias[...]}
        h, c = peephole_step(weights | dict(zip(("p_i", "p_f", "p_o"), self.p[...], strict=True)), x, h, c)
        return (c, h), h


class LinenCell(linen.Module):
    @linen.compact
    def __call__(self, carry, x):
        c, h = carry
        p = self.param("p", linen.initializers.normal(), (3, 5))
        a = linen.Dense(20, name="i")(x) + linen.Dense(20, use_bias=False, name="h")(h)
        i, f, g, o = jnp.split(a, 4, axis=1)
        new = jax.nn.sigmoid(f + p[1] * c) * c + jax.nn.sigmoid(i + p[0] * c) * jnp.tanh(g)
        h = jax.nn.sigmoid(o + p[2] * new) * jnp.tanh(new)
        return (new, h), h


def flax_names(w, x, h, c):
    """The definition on the weights as Flax's cells of one's own have them here."""
    weights = {"U": w["i.kernel"].T, "W": w["h.kernel"].T, "b": w["i.bias"]}
    return lstm_with_peepholes(weights | dict(zip(("p_i", "p_f", "p_o"), w["p"], strict=True)), x, h, c)


def test_cells_of_ones_own_in_jax_and_flax_are_compared():
    weights = {name: jnp.asarray(PeepholeCell().get_parameter(n).detach()) for name, n in PEEPHOLES.items()}
    comparison = assert_same_layer(own(PeepholeCell()), OwnLayer(peephole_step, weights), lstm_with_peepholes)
    assert list(comparison.answers) == ["PeepholeCell", "peephole_step", "lstm_with_peepholes"]
    assert_same_layer(OwnLayer(NnxCell(), **SIZES), flax_names)
    states = jnp.zeros((1, 5)), jnp.zeros((1, 5))
    variables = LinenCell().init(jax.random.key(0), states, jnp.zeros((1, 3)))
    assert_same_layer(OwnLayer((LinenCell(), variables), **SIZES), flax_names)


def test_a_step_in_numpy_is_compared_with_layers_of_any_library():
    model = Recurrent("lstm", 3, 5, 2)
    params = Problem.from_seed(model, seed=1, seq_len=1, batch_size=1).params
    layers = [from_params(library, model, params) for library in ("torch", "equinox", "haiku")]
    assert len(assert_same_layer(*layers, lstm).answers) == 4
    assert_same_layer(torch.nn.GRU(3, 5), gru)
    assert "torch GRU and gru differ" in report(torch.nn.GRU(3, 5), partial(gru, reset="before"))


def test_a_whole_layer_in_numpy_is_compared_and_not_told_lengths():
    def layer(w, x, h, c):
        steps = []
        for x_t in x:
            h, c = lstm(w, x_t, h, c)
            steps.append(h)
        return np.stack(steps), (h, c)

    comparison = assert_same_layer(torch.nn.LSTM(3, 5), OwnLayer(layer, whole=True))
    assert comparison.not_asked == ("with lengths, layer: it cannot be told lengths",)

    def stale(w, x, h, c):
        states, (h_n, _) = layer(w, x, h, c)
        return states, (h_n, c)

    assert "after the last step c_n differs" in report(torch.nn.LSTM(3, 5), OwnLayer(stale, whole=True))


def test_the_case_is_kept_whatever_the_weights_are_called(tmp_path):
    problem = assert_same_layer(OwnLayer(NnxCell(), **SIZES), flax_names).problem
    assert Problem.load(problem.save(tmp_path / "case.npz")).fingerprint == problem.fingerprint


def test_weights_of_a_module_that_are_not_named_are_said_not_to_be_compared():
    names = {name: own_name for name, own_name in PEEPHOLES.items() if name != "p_o"}
    p_o = PeepholeCell().p_o.detach().numpy()

    def step(w, x, h, c):
        return lstm_with_peepholes({**w, "p_o": p_o}, x, h, c)

    comparison = assert_same_layer(OwnLayer(PeepholeCell(), names=names, **SIZES), step)
    assert comparison.not_asked[-1] == "the gradient of p_o, which PeepholeCell has beside the named weights"


def no_h(w, x, h):
    return h


def short(w, x, h, c):
    return h[:, :2], c


REFUSED = {
    "a wrong signature": (lambda: (torch.nn.LSTM(3, 5), no_h), RequestError, "no_h raised TypeError: .* 3 positional"),
    "another weight": (
        lambda: (torch.nn.LSTM(3, 5), lstm_with_peepholes),
        RequestError,
        "lstm_with_peepholes raised KeyError: 'p_f'; it is called with .weights, x, h, c., the weights being U .20, 3.",
    ),
    "states of other shapes": (
        lambda: (torch.nn.LSTM(3, 5), short),
        RequestError,
        r"short returned states of \(2, 2\), \(2, 5\), expected h \(2, 5\), c \(2, 5\)",
    ),
    "another kind": (
        lambda: (projected(), torch.nn.LSTM(3, 5)),
        AssertionError,
        "not the same layer: torch LSTM is lstm with a projection of D=3 h=2 c=5; torch LSTM is lstm of D=3 h=5 c=5",
    ),
    "other weights": (
        lambda: (own(PeepholeCell()), OwnLayer(NnxCell()), lstm_with_peepholes),
        AssertionError,
        "NnxCell has the weights h.kernel",
    ),
    "no definition": (
        lambda: (own(PeepholeCell()), own(PeepholeCell())),
        UnsupportedProblemError,
        "no definition in NumPy is among the layers.*add one, such as lstm_with_peepholes",
    ),
    "no sizes": (lambda: (OwnLayer(NnxCell()), flax_names), RequestError, "state them, such as OwnLayer"),
    "no weights": (lambda: (OwnLayer(lstm, **SIZES), lstm), RequestError, "no layer has weights: give them to one"),
    "another dtype": (
        lambda: (projected(), projected(dtype=torch.float64)),
        AssertionError,
        "torch LSTM 1 is float32; torch LSTM 2 is float64",
    ),
    "other sizes": (
        lambda: (torch.nn.LSTM(3, 5), OwnLayer(lstm, input_size=4)),
        AssertionError,
        "lstm has input_size=4, not 3",
    ),
    "no weight of that name": (
        lambda: (OwnLayer(PeepholeCell(), names={"U": "kernel"}, **SIZES), lstm_with_peepholes),
        RequestError,
        "PeepholeCell has no weight 'kernel', expected one of p_i, p_f, p_o, x2h.weight",
    ),
    "a reserved name": (
        lambda: (OwnLayer(lstm, {"V": np.ones((2, 2))}, **SIZES), lstm),
        RequestError,
        "the weights have the name 'V'",
    ),
    "half precision": (
        lambda: (OwnLayer(PeepholeCell().half(), names=PEEPHOLES, **SIZES), lstm_with_peepholes),
        RequestError,
        "the torch weight U is torch.float16, expected float64 or float32",
    ),
    "no function": (lambda: (OwnLayer(3), lstm), RequestError, "OwnLayer got a int, expected a function or a module"),
    "dropout in training": (
        lambda: (projected(num_layers=2, dropout=0.5), lstm_with_projection),
        RequestError,
        "call its eval",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_is_refused_in_one_line(name):
    layers, error, message = REFUSED[name]
    with pytest.raises(error, match=rf"^[^\n]*{message}[^\n]*$"):
        assert_same_layer(*layers())
