"""The layouts beside the installed libraries: names, shapes and the order of gates; versions that change them."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

import equinox as eqx
import flax.linen as linen
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
import safetensors.numpy
import torch
from flax import nnx
from gradparity.backends import Recurrent, RequestError
from gradparity.backends.adapters import from_params, to_params
from gradparity.backends.adapters.installed_cells import MAKERS, installed_cells
from gradparity.backends.adapters.keras_engine import keras_on
from gradparity.backends.adapters.layout_values import value_difference
from gradparity.backends.adapters.layout_versions import (
    CHECKED,
    changed_layout,
    difference_of_names,
    is_checked_version,
    names_of_changed_layout,
)
from gradparity.backends.layouts import get_layout
from gradparity.backends.weight_files import read_weight_file
from gradparity.compare import DisagreementError, assert_same_layer
from gradparity.compare.conversion.conversion import convert, convert_layer

CONSTRAINTS = Path(__file__).parent.parent.parent / "constraints.txt"
CELLS = {
    "torch": ("rnn", "lstm", "gru"),
    "flax-linen": ("rnn", "lstm", "gru"),
    "flax-nnx": ("rnn", "lstm", "gru"),
    "equinox": ("lstm", "gru"),
    "haiku": ("rnn", "lstm", "gru before"),
    "keras": ("rnn", "lstm", "gru", "gru before"),
    "onnx": ("rnn", "lstm", "gru", "gru before"),
}


@pytest.fixture(scope="module", autouse=True)
def keras():
    return keras_on("jax")


@pytest.fixture
def newer(monkeypatch):
    """Another version of every library, as far as they tell it."""
    monkeypatch.setattr(
        "gradparity.backends.adapters.layout_versions.version",
        lambda name: f"9.9.9 of {name}" if name != "gradparity" else "1",
    )


@pytest.mark.parametrize("library", CHECKED)
def test_the_versions_that_were_checked_are_those_of_the_constraints_and_installed(library):
    distribution, version = CHECKED[library]
    assert f"{distribution}=={version}" in CONSTRAINTS.read_text().splitlines()
    assert metadata.version(distribution).partition("+")[0] == version


@pytest.mark.parametrize("library", MAKERS)
def test_every_class_of_an_installed_library_has_the_names_and_shapes_of_its_layout(library):
    cells = list(installed_cells(library))
    assert len(cells) >= 2
    assert [(cell.class_name, difference_of_names(library, cell)) for cell in cells] == [
        (cell.class_name, "") for cell in cells
    ]
    layout = get_layout(library)
    for cell in cells:
        fields = layout.model_fields({name: np.zeros(shape) for name, shape in cell.shapes.items()})
        assert (fields["cell"], fields["input_size"], fields["hidden_size"]) == (cell.model.cell, 3, 4)


@pytest.mark.parametrize(("library", "cell"), [(library, cell) for library, cells in CELLS.items() for cell in cells])
def test_an_installed_cell_computes_what_its_layout_says(library, cell):
    name, _, before = cell.partition(" ")
    activation = "relu" if name == "rnn" else "tanh"
    model = Recurrent(name, 3, 4, 2, activation=activation, reset=before or "after", loss="squared_error")
    assert value_difference(library, model)[1] == 0


@pytest.mark.parametrize("cell", ["RNN", "LSTM", "GRU"])
def test_the_operators_of_onnx_have_their_weights_where_the_layout_says(cell):
    inputs = [entry.name for entry in onnx.defs.get_schema(cell).inputs]
    assert inputs[:4] == ["X", "W", "R", "B"]


def grown(cell_class, add):
    """The initializer of a class, after which something is added."""
    original = cell_class.__init__

    def made(self, *args, **options):
        original(self, *args, **options)
        add(self)

    return made


def test_a_weight_that_a_version_adds_is_told_by_the_layer(monkeypatch, newer):
    """As google/flax#5595 proposes it."""
    add = grown(nnx.GRUCell, lambda cell: setattr(cell, "hn_bias", nnx.Param(jnp.zeros(cell.hidden_features))))
    monkeypatch.setattr(nnx.GRUCell, "__init__", add)
    told = (
        "flax 9.9.9 of flax lays out flax.nnx.GRUCell otherwise than gradparity knows: it has hn_bias (H,), which is "
        "not known; gradparity 1 was made for flax 0.12.8"
    )
    for layer in (nnx.GRUCell(3, 5, rngs=nnx.Rngs(0)), nnx.RNN(nnx.GRUCell(3, 5, rngs=nnx.Rngs(0)))):
        with pytest.raises(RequestError, match=f"^{re.escape(told)}$"):
            to_params(layer)
    to_params(nnx.OptimizedLSTMCell(3, 5, rngs=nnx.Rngs(0)))  # which is as it was
    with pytest.raises(RequestError, match=r"^the weights are bias, kernel, expected"):
        to_params(nnx.Linear(3, 5, rngs=nnx.Rngs(0)))


def test_a_weight_of_ones_own_is_no_version():
    class Mine(nnx.GRUCell):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.mine = nnx.Param(jnp.zeros(5))

    with pytest.raises(
        RequestError, match=r"^the weights are dense_h\.kernel, dense_i\.bias, dense_i\.kernel, mine, expected"
    ):
        to_params(Mine(3, 5, rngs=nnx.Rngs(0)))


def renamed_keras_weight(monkeypatch, keras):
    def build(self, shape):
        original(self, shape)
        self.extra = self.add_weight(shape=(self.units,), name="peephole")

    original = keras.layers.LSTMCell.build
    monkeypatch.setattr(keras.layers.LSTMCell, "build", build)
    layer = keras.layers.LSTM(5, return_sequences=True)
    layer.build((None, None, 3))
    return layer


def torch_with_more(monkeypatch, keras):
    add = grown(
        torch.nn.GRUCell,
        lambda cell: cell.register_parameter("gain", torch.nn.Parameter(torch.zeros(cell.hidden_size))),
    )
    monkeypatch.setattr(torch.nn.GRUCell, "__init__", add)
    return torch.nn.GRUCell(3, 5)


def equinox_without_b_hn(monkeypatch, keras):
    original = eqx.nn.GRUCell.__init__

    def made(self, *args, **options):
        original(self, *args, **options)
        self.bias = jnp.zeros(2 * self.bias.size)

    monkeypatch.setattr(eqx.nn.GRUCell, "__init__", made)
    return eqx.nn.GRUCell(3, 5, key=jax.random.key(0))


def linen_with_another_name(monkeypatch, keras):
    dense = linen.recurrent.Dense
    monkeypatch.setattr(
        linen.recurrent, "Dense", lambda **o: dense(**{**o, "name": o["name"].replace("hn", "hidden_n")})
    )
    cell = linen.GRUCell(5)
    return cell, cell.init(jax.random.key(0), jnp.zeros((1, 5)), jnp.zeros((1, 3)))


def haiku_with_another_name(monkeypatch, keras):
    of_module = sys.modules[hk.GRU.__module__].hk  # what the module takes from Haiku
    get_parameter = of_module.get_parameter
    renamed = {"w_h": "w_hidden"}

    def get(name, *args, **options):
        return get_parameter(renamed.get(name, name), *args, **options)

    monkeypatch.setattr(of_module, "get_parameter", get)

    def core():
        return hk.GRU(5)

    def step(x):
        gru = core()
        return gru(x, gru.initial_state(1))

    return core, hk.transform(step).init(jax.random.key(0), jnp.zeros((1, 3)))


CHANGED = {
    "keras": (renamed_keras_weight, r"lays out keras\.layers\.LSTM .*: it has peephole \(H,\), which is not known"),
    "torch": (torch_with_more, r"lays out torch\.nn\.GRUCell .*: it has gain \(H,\), which is not known"),
    "equinox": (equinox_without_b_hn, r"lays out equinox\.nn\.GRUCell .*: its bias is \(24,\), expected \(3H,\)"),
    "linen": (
        linen_with_another_name,
        r"lays out flax\.linen\.GRUCell .*it has hidden_n\.kernel \(H, H\), which is not known, .*it has no hn\.",
    ),
    "haiku": (haiku_with_another_name, r"lays out haiku\.GRU .*it has w_hidden \(H, 3H\).*, it has no w_h"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_every_library_is_told_by_its_own_cells(monkeypatch, newer, keras, name):
    make, message = CHANGED[name]
    with pytest.raises(RequestError, match=rf"^[^\n]*9\.9\.9[^\n]*{message}[^\n]*; gradparity 1 was made for [^\n]*$"):
        to_params(make(monkeypatch, keras))


@pytest.fixture
def exchanged_gates(monkeypatch):
    """An LSTM of Flax NNX with its gates in the order i o f g: names and shapes are as they were."""

    def call(self, carry, inputs):
        c, h = carry
        i, o, f, g = jnp.split(self.dense_i(inputs) + self.dense_h(h), 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (c, h), h

    monkeypatch.setattr(nnx.OptimizedLSTMCell, "__call__", call)


ANOTHER_ORDER = (
    r"flax 9\.9\.9 of flax lays out .* otherwise than gradparity knows: with the same weights, its outputs are"
)


def test_another_order_of_the_gates_is_told_where_layers_disagree(newer, exchanged_gates):
    model = Recurrent("lstm", 3, 5, 2)
    torch.manual_seed(0)
    layer = torch.nn.LSTM(3, 5)
    assert changed_layout("flax-nnx") == ""  # by names and shapes
    with pytest.raises(DisagreementError, match=ANOTHER_ORDER):
        assert_same_layer(layer, from_params("flax-nnx", model, to_params(layer)), seq_len=3, batch_size=2)


def test_another_order_of_the_gates_is_told_where_the_proof_of_a_conversion_fails(newer, exchanged_gates):
    torch.manual_seed(0)
    weights = {name: tensor.numpy() for name, tensor in torch.nn.LSTM(3, 5).state_dict().items()}
    conversion = convert(weights, "torch", "flax-nnx")
    assert conversion.verify().verdict == "disagree"
    (line,) = conversion.changed_libraries()
    assert re.search(ANOTHER_ORDER, line)


GRU_WITH_B_HN = {"dense_i.kernel": (3, 15), "dense_h.kernel": (5, 15), "dense_i.bias": (15,), "hn_bias": (5,)}


def file_of(path, shapes):
    safetensors.numpy.save_file({name: np.ones(shape, "float32") for name, shape in shapes.items()}, path)
    (layer,) = read_weight_file(path).layers
    return layer


@pytest.mark.parametrize("prefix", ["", "encoder.cell."])
@pytest.mark.parametrize("b_hn", ["hn_bias", "dense_h.bias"])
def test_a_file_of_the_next_nnx_gru_is_called_one_of_another_version(tmp_path, prefix, b_hn):
    named = {prefix + name.replace("hn_bias", b_hn): shape for name, shape in GRU_WITH_B_HN.items()}
    layer = file_of(tmp_path / "next.safetensors", named)
    told = f"of an nnx.GRUCell of another version, with a b_hn as {b_hn}: that of flax 0.12.8, which is known, has none"
    assert told in layer.unsupported


def test_a_file_with_the_names_of_the_installed_version_is_told_from_a_wrong_one(monkeypatch, newer, tmp_path):
    add = grown(nnx.GRUCell, lambda cell: setattr(cell, "gain", nnx.Param(jnp.zeros(cell.hidden_features))))
    named = {**GRU_WITH_B_HN, "gain": (5,)}
    named.pop("hn_bias")
    layer = file_of(tmp_path / "next.safetensors", named)
    with pytest.raises(
        RequestError, match=r"^'gain' is among the layer's weights, but the library has no such weight$"
    ):
        convert_layer(layer, "torch")
    monkeypatch.setattr(nnx.GRUCell, "__init__", add)
    with pytest.raises(
        RequestError, match=r"^these are the names of flax\.nnx\.GRUCell in flax 9\.9\.9 of flax, another version"
    ):
        convert_layer(layer, "torch")
    assert names_of_changed_layout("flax-nnx", [*named, "more"]) == ""


@pytest.mark.parametrize("library", CHECKED)
def test_the_version_that_was_checked_is_not_asked_again(monkeypatch, library):
    assert is_checked_version(library)
    monkeypatch.setattr("gradparity.backends.adapters.layout_versions.version", lambda name: f"{CHECKED[library][1]}.1")
    assert not is_checked_version(library)
