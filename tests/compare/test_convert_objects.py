"""Files of stacked cells, of both directions, and of cells with a kernel for each gate, as libraries write them."""

from __future__ import annotations

import h5py
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
import torch
from flax import linen, nnx, serialization
from flax.traverse_util import flatten_dict
from gradparity.backends.adapters.keras_engine import keras_on
from gradparity.backends.weight_files import read_weight_file
from gradparity.compare import assert_same_layer
from gradparity.compare.conversion.conversion import convert_layer
from gradparity.compare.conversion.layers_of_files import choose_layer
from sampling import case, chequered

D, H = 3, 4
# Keras's own way to NumPy, when it saves.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def drawn(tree):
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda array: jnp.asarray(0.5 * rng.normal(size=array.shape), "float32"), tree)


def keras_model(layer_of):
    """A model with one recurrent layer, and that layer."""
    keras = keras_on("jax")
    layer = layer_of(keras.layers)
    model = keras.Sequential([keras.Input((None, D)), layer, keras.layers.Dense(2)])
    rng = np.random.default_rng(2)
    model.set_weights([0.5 * rng.normal(size=tuple(weight.shape)).astype("float32") for weight in model.weights])
    return model, layer


def stack(layers):
    cells = [layers.LSTMCell(H, name="last_by_name"), layers.LSTMCell(H, name="first_by_name")]
    return layers.RNN(layers.StackedRNNCells(cells), return_sequences=True, name="stack")


def numbered_stack(layers):
    cells = [layers.GRUCell(H, name=f"gru_cell_{k}" if k else "gru_cell") for k in range(11)]
    return layers.RNN(cells, return_sequences=True, name="stack")


def stacks_in_both_directions(layers):
    inner = layers.RNN([layers.LSTMCell(H), layers.LSTMCell(H)], return_sequences=True)
    return layers.Bidirectional(inner, name="stack")


def mixed(layers):
    return layers.RNN([layers.LSTMCell(H), layers.GRUCell(H)], return_sequences=True, name="stack")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """Without Keras's remark on its older format."""
    monkeypatch.setattr("absl.logging.warning", lambda *args: None)


def save_keras(model, path):
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)


def save_flax(tree, path):
    if path.suffix == ".msgpack":
        path.write_bytes(serialization.to_bytes(tree))
    else:
        flat = {".".join(map(str, name)): np.asarray(array) for name, array in flatten_dict(tree).items()}
        safetensors.numpy.save_file(flat, path)


def torch_layer_of(path, prefix=None):
    """The layer in a file, converted for PyTorch, and loaded as the printed lines load it."""
    conversion = convert_layer(choose_layer(read_weight_file(path), prefix), "torch")
    model = conversion.model
    options = {"num_layers": model.num_layers, "bidirectional": model.bidirectional}
    layer = getattr(torch.nn, model.cell.upper())(model.input_size, model.hidden_size, **options)
    layer.load_state_dict({name: torch.from_numpy(array) for name, array in conversion.arrays.items()})
    assert conversion.verify().verdict == "agree"
    return layer


@pytest.mark.parametrize("name", ["m.keras", case("m.h5", campaign=True), case("m.weights.h5", campaign=True)])
def test_stacked_cells_of_keras_are_one_stack_in_their_order(tmp_path, name):
    model, layer = keras_model(stack)
    save_keras(model, tmp_path / name)
    assert_same_layer(layer, torch_layer_of(tmp_path / name, "stack"), seq_len=3, batch_size=2)


@pytest.mark.parametrize("name", ["m.h5", "m.weights.h5"])
def test_eleven_cells_are_in_the_order_of_their_numbers_where_no_configuration_tells_it(tmp_path, name):
    model, layer = keras_model(numbered_stack)
    save_keras(model, tmp_path / name)
    if name == "m.h5":
        with h5py.File(tmp_path / name, "r+") as file:
            del file.attrs["model_config"]
    found = choose_layer(read_weight_file(tmp_path / name), "stack")
    assert (found.num_layers, found.cell, found.unsupported) == (11, "gru", "")
    told = [remark for remark in found.remarks if "the order of its cells is told by their names alone" in remark]
    assert bool(told) == (name == "m.h5")
    conversion = convert_layer(found, "torch", activation="sigmoid,tanh")
    expected = [np.asarray(weight.value) for weight in layer.weights if weight.name == "recurrent_kernel"]
    for k, kernel in enumerate(expected):
        z, r, n = np.split(kernel, 3, axis=1)
        np.testing.assert_array_equal(conversion.arrays[f"weight_hh_l{k}"], np.hstack([r, z, n]).T)


@pytest.mark.parametrize(
    ("layer_of", "reason"), [(stacks_in_both_directions, "meet after the last"), (mixed, "several k")]
)
@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.weights.h5"])
def test_stacks_that_no_other_library_has_are_refused_with_the_reason(tmp_path, name, layer_of, reason):
    save_keras(keras_model(layer_of)[0], tmp_path / name)
    layers = read_weight_file(tmp_path / name).layers
    assert layers
    assert all(reason in layer.unsupported for layer in layers if layer.name != "dense")


@pytest.mark.parametrize(("suffix", "bidirectional"), chequered([".msgpack", ".safetensors"], [False, True], every=4))
def test_a_file_of_nnx_with_a_kernel_for_each_gate_is_an_lstm(tmp_path, suffix, bidirectional):
    cells = [nnx.RNN(nnx.LSTMCell(D, H, rngs=nnx.Rngs(0))) for _ in range(1 + bidirectional)]
    thing = nnx.Bidirectional(*cells) if bidirectional else cells[0].cell
    nnx.update(thing, drawn(nnx.state(thing, nnx.Param)))
    path = tmp_path / f"weights{suffix}"
    save_flax(nnx.to_pure_dict(nnx.state(thing, nnx.Param)), path)
    assert_same_layer(thing, torch_layer_of(path), seq_len=3, batch_size=2)


@pytest.mark.campaign
@pytest.mark.parametrize("suffix", [".msgpack", ".safetensors"])
def test_a_file_of_linen_with_both_directions_is_one_layer(tmp_path, suffix):
    thing = linen.Bidirectional(linen.RNN(linen.LSTMCell(H)), linen.RNN(linen.OptimizedLSTMCell(H)))
    variables = drawn(thing.init(jax.random.key(0), jnp.ones((2, 5, D))))
    save_flax(variables, tmp_path / f"weights{suffix}")
    layer = torch_layer_of(tmp_path / f"weights{suffix}")
    assert_same_layer((thing, variables), layer, seq_len=3, batch_size=2)


def test_a_kernel_of_another_shape_than_the_others_is_named(tmp_path):
    cell = nnx.LSTMCell(D, H, rngs=nnx.Rngs(0))
    tree = nnx.to_pure_dict(nnx.state(cell, nnx.Param))
    tree["hf"]["kernel"] = jnp.ones((H, H + 1))
    save_flax(tree, tmp_path / "weights.safetensors")
    (found,) = read_weight_file(tmp_path / "weights.safetensors").layers
    assert found.unsupported == "hf.kernel has shape (4, 5), expected (4, 4)"
