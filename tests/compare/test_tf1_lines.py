"""The lines that load weights into TensorFlow 1, which is not installed: run on a stand-in of its documented cell."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gradparity.backends.adapters.documented_cells import Cell, tf1_gru, tf1_lstm
from gradparity.backends.weight_files import write_weights
from gradparity.backends.weight_files.layers_by_name import layers_by_name
from gradparity.compare.conversion.conversion import convert, convert_layer
from gradparity.compare.conversion.loading_lines import loading_lines

T, B, D, H = 5, 2, 3, 4
PEEPHOLES = ("w_f_diag", "w_i_diag", "w_o_diag")  # in the order of `LSTMCell.build`


class LSTMCell:
    """Named arguments, the order of the weights, and the equations are those of TensorFlow 1."""

    def __init__(self, num_units, use_peepholes=False, forget_bias=1.0):
        self.H, self.cell = num_units, Cell("tanh", forget_bias)
        self.names = ("kernel", "bias", *(PEEPHOLES if use_peepholes else ()))

    def build(self, shape):
        self.shapes = {"kernel": (shape[1] + self.H, 4 * self.H), "bias": (4 * self.H,)}
        self.shapes |= dict.fromkeys(PEEPHOLES, (self.H,))

    def set_weights(self, arrays):
        self.weights = dict(zip(self.names, arrays, strict=True))
        assert {name: array.shape for name, array in self.weights.items()} == {n: self.shapes[n] for n in self.names}

    def run(self, x):
        state, steps = (np.zeros((B, self.H)),) * 2, []
        for x_t in x:
            state = tf1_lstm(self.weights, x_t, state, self.cell)
            steps.append(state[0])
        return np.stack(steps)


class GRUCell(LSTMCell):
    names = ("gates.kernel", "gates.bias", "candidate.kernel", "candidate.bias")

    def __init__(self, num_units):
        self.H = num_units

    def build(self, shape):
        rows = shape[1] + self.H
        sizes = (rows, 2 * self.H), (2 * self.H,), (rows, self.H), (self.H,)
        self.shapes = dict(zip(self.names, sizes, strict=True))

    def run(self, x):
        state, steps = (np.zeros((B, self.H)),), []
        for x_t in x:
            state = tf1_gru(self.weights, x_t, state, Cell("tanh", 0.0))
            steps.append(state[0])
        return np.stack(steps)


def loaded(conversion, folder):
    """What the lines make of the file."""
    file = write_weights(folder / "weights.npz", conversion.arrays)
    cells = SimpleNamespace(LSTMCell=LSTMCell, GRUCell=GRUCell)
    v1 = SimpleNamespace(v1=SimpleNamespace(nn=SimpleNamespace(rnn_cell=cells)))
    scope = {"numpy": np, "tensorflow": SimpleNamespace(compat=v1)}
    exec("\n".join(loading_lines(conversion, file)), scope)
    return scope.get("layers") or [scope["layer"]]


def outputs(layers, x):
    for layer in layers:
        if isinstance(layer, tuple):
            x = np.concatenate([layer[0].run(x), layer[1].run(x[::-1])[::-1]], axis=-1)
        else:
            x = layer.run(x)
    return x


@pytest.mark.parametrize("forget_bias", [1.0, 0.0])
@pytest.mark.parametrize(
    "options",
    [{}, {"num_layers": 2}, {"bidirectional": True}, {"num_layers": 2, "bidirectional": True}],
    ids=["single", "stack", "both", "stack of both"],
)
def test_every_layer_and_direction_of_an_lstm_is_loaded(options, forget_bias, tmp_path):
    torch.manual_seed(0)
    layer = torch.nn.LSTM(D, H, dtype=torch.float64, **options)
    arrays = {name: array.numpy() for name, array in layer.state_dict().items()}
    x = np.random.default_rng(0).normal(size=(T, B, D))
    found = outputs(loaded(convert(arrays, "torch", "tf1", forget_bias=forget_bias), tmp_path), x)
    np.testing.assert_allclose(found, layer(torch.tensor(x))[0].detach().numpy(), rtol=1e-12, atol=1e-12)


def test_a_cell_with_peepholes_is_made_with_them(tmp_path):
    rng = np.random.default_rng(0)
    shapes = {"W": (1, 4 * H, D), "R": (1, 4 * H, H), "B": (1, 8 * H), "P": (1, 3 * H)}
    (layer,) = layers_by_name({f"a.{name}": rng.normal(size=shape) for name, shape in shapes.items()})
    (cell,) = loaded(convert_layer(layer, "tf1", activation="sigmoid,tanh", forget_bias=0.0), tmp_path)
    p_i, p_o, p_f = np.split(layer.arrays["P"][0], 3)
    for name, array in zip(PEEPHOLES, (p_f, p_i, p_o), strict=True):
        np.testing.assert_array_equal(cell.weights[name], array)


def test_a_gru_is_loaded(tmp_path):
    rng = np.random.default_rng(0)
    shapes = {"kernel": (D, 3 * H), "recurrent_kernel": (H, 3 * H), "bias": (3 * H,)}
    weights = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    (cell,) = loaded(convert(weights, "keras", "tf1"), tmp_path)
    z, r, _ = np.split(weights["kernel"], 3, axis=1)
    np.testing.assert_array_equal(cell.weights["gates.kernel"][:D], np.concatenate([r, z], axis=1))
