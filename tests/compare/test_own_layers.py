"""Layers of one's own beside those of libraries: what they may be, and what is refused."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from gradparity.backends import Problem, Recurrent, RequestError, UnsupportedProblemError
from gradparity.backends.adapters import from_params
from gradparity.compare import OwnLayer
from gradparity.compare.layers.cell_definitions import gru, lstm, lstm_with_peepholes, lstm_with_projection
from own_cells import (
    PEEPHOLES,
    SIZES,
    LinenCell,
    NnxCell,
    PeepholeCell,
    assert_same_layer,
    flax_names,
    own,
    peephole_step,
    projected,
    report,
)


@pytest.mark.campaign
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


@pytest.mark.campaign
def test_a_layer_that_goes_backwards_is_said_to():
    backward = nnx.RNN(nnx.GRUCell(3, 5, rngs=nnx.Rngs(0)), reverse=True)
    comparison = assert_same_layer(backward, gru)
    assert comparison.description == "gru with reset after, the direction backward of D=3 h=5 T=4 B=2"


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


def test_a_step_in_numpy_may_take_the_batch_row_by_row():
    def step(w, x, h, c):
        new = [lstm_of_row(w, *row) for row in zip(x, h, c, strict=True)]
        return np.array([h for h, _ in new]), np.array([c for _, c in new])

    def lstm_of_row(w, x, h, c):
        i, f, g, o = (w["U"] @ x + w["W"] @ h + w["b"]).reshape(4, -1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        return np.tanh(c) / (1 + np.exp(-o)), c

    assert_same_layer(torch.nn.LSTM(3, 5), step)


class Loop(torch.nn.Module):
    """A layer of one's own, called as PyTorch's."""

    def __init__(self):
        super().__init__()
        self.cell = torch.nn.LSTMCell(3, 5)

    def forward(self, x, states):
        h, c = (state[0] for state in states)
        steps = []
        for x_t in x:
            h, c = self.cell(x_t, (h, c))
            steps.append(h)
        return torch.stack(steps), (h[None], c[None])


def test_a_whole_module_is_called_as_the_layers_of_torch():
    def step(w, x, h, c):
        b = w["cell.bias_ih"] + w["cell.bias_hh"]
        return lstm({"U": w["cell.weight_ih"], "W": w["cell.weight_hh"], "b": b}, x, h, c)

    comparison = assert_same_layer(OwnLayer(Loop(), whole=True, **SIZES), step)
    assert {"dcell.bias_hh", "h_n", "c_n"} <= {block.label for block in comparison.blocks}


@pytest.mark.parametrize("array", [torch.ones, jnp.ones])
def test_a_step_that_returns_too_few_states_is_said_to(array):
    weights = {"U": array((20, 3)), "W": array((20, 5)), "b": array((20,))}
    message = report(OwnLayer(lambda w, x, h, c: h, weights, name="mine", **SIZES), lstm)
    assert "mine: error: it returned 1 states, expected 2." in message


def test_a_module_that_holds_a_layer_is_told_to_pass_that_and_nothing_else():
    class Tagger(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = torch.nn.LSTM(3, 5)

        def forward(self, x):
            return self.encoder(x)

    with pytest.raises(RequestError, match=r"pass the LSTM that it holds, \.encoder$"):
        assert_same_layer(Tagger(), lstm)


@pytest.mark.campaign
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
    "a module without an OwnLayer": (
        lambda: (PeepholeCell(), lstm_with_peepholes),
        RequestError,
        r"a PeepholeCell is no layer .*\. A cell of one's own is given as an OwnLayer, see docs/your-own-layer\.md",
    ),
    "a cell of nnx without one": (
        lambda: (NnxCell(), NnxCell()),
        RequestError,
        "the weights are .* as an OwnLayer, see",
    ),
    "a number": (lambda: (42, lstm), RequestError, "a int is no layer .* or a built keras layer or cell"),
    "a library's half precision": (
        lambda: (torch.nn.LSTM(3, 5, dtype=torch.float16), lstm),
        UnsupportedProblemError,
        "torch LSTM computes in float16: beside a definition, expected float32 or float64",
    ),
    "another direction": (
        lambda: (
            nnx.RNN(nnx.GRUCell(3, 5, rngs=nnx.Rngs(0)), reverse=True),
            nnx.RNN(nnx.GRUCell(3, 5, rngs=nnx.Rngs(0))),
            gru,
        ),
        AssertionError,
        "flax-nnx RNN is gru with reset after, the direction backward of D=3 h=5; flax-nnx RNN is gru with reset aft",
    ),
    "half precision": (
        lambda: (OwnLayer(PeepholeCell().half(), names=PEEPHOLES, **SIZES), lstm_with_peepholes),
        RequestError,
        "the torch weight U is torch.float16, expected float64 or float32",
    ),
    "a scripted module": (
        lambda: (OwnLayer(torch.jit.script(torch.nn.Linear(3, 5))), lstm),
        RequestError,
        "OwnLayer got a scripted module, expected the module that was scripted",
    ),
    "no function": (lambda: (OwnLayer(3), lstm), RequestError, "OwnLayer got a int, expected a function or a module"),
    "dropout in training": (
        lambda: (projected(num_layers=2, dropout=0.5), lstm_with_projection),
        RequestError,
        "call its eval",
    ),
}


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_is_refused_in_one_line(name):
    layers, error, message = REFUSED[name]
    with pytest.raises(error, match=rf"^[^\n]*{message}[^\n]*$"):
        assert_same_layer(*layers())
