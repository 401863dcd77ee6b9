"""Keras's files: layers by their names in the model, and what the configuration says; no model is ever built."""

from __future__ import annotations

import io
import json
import warnings
import zipfile

import h5py
import numpy as np
import pytest
from gradparity.backends import InvalidProblemError
from gradparity.backends.adapters import to_params
from gradparity.backends.adapters.keras_engine import keras_on
from gradparity.backends.adapters.wrapped_layer import infer_model
from gradparity.backends.layouts import get_layout
from gradparity.backends.layouts.find_layer import find_layer
from gradparity.backends.weight_files import read_weight_file

keras = keras_on("jax")
layers = keras.layers
# Keras's own way to NumPy, when it saves.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def model():
    """With a bidirectional layer, two GRUs that differ in their reset, a cell alone, a plain layer and others."""
    keras.utils.set_random_seed(0)
    random = {"bias_initializer": "glorot_uniform", "return_sequences": True}
    gru = {**random, "bias_initializer": "zeros"}
    return keras.Sequential(
        [
            keras.Input((7, 3)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="both"),
            layers.GRU(4, name="after", **gru),
            layers.GRU(4, name="before", reset_after=False, **gru),
            layers.RNN(layers.GRUCell(2), name="cell", return_sequences=True),
            layers.SimpleRNN(2, name="plain", activation="relu", return_sequences=True),
            layers.LSTM(2, name="hard", recurrent_activation="hard_sigmoid", return_sequences=True),
            layers.LSTM(2, name="last", go_backwards=True),
            layers.Dense(2),
        ]
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The model in each of its formats."""
    folder, made = tmp_path_factory.mktemp("keras"), model()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        patch.setattr("absl.logging.warning", lambda *args: None)
        made.save(folder / "m.keras")
        made.save_weights(folder / "m.weights.h5")
        made.save(folder / "m.h5")
    return folder, made


def by_name(path):
    return {layer.name: layer for layer in read_weight_file(path).layers}


NAMES = ["both", "after", "before", "cell", "plain", "hard", "last"]


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.h5"])
def test_every_layer_is_found_by_its_name_with_its_own_weights(files, name):
    folder, made = files
    found = by_name(folder / name)
    assert list(found) == (
        NAMES if name != "m.weights.h5" else ["both", "after", "before", "hard", "last", "cell", "plain"]
    )
    assert (found["both"].bidirectional, found["both"].input_size, found["both"].hidden_size) == (True, 3, 4)
    for layer_name in ("both", "after", "before", "plain"):
        names = ["kernel", "recurrent_kernel", "bias"]
        if layer_name == "both":
            names = [f"{side}_layer.cell.{name}" for side in ("forward", "backward") for name in names]
        for weight, of_model in zip(names, made.get_layer(layer_name).get_weights(), strict=True):
            np.testing.assert_array_equal(found[layer_name].arrays[weight], of_model)
    assert [found[layer_name].says["reset"].value for layer_name in ("after", "before")] == ["after", "before"]


@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_the_configuration_is_believed(files, name):
    found = by_name(files[0] / name)
    assert found["both"].says["direction"] == ("both", "Bidirectional")
    assert found["both"].says["activation"] == ("sigmoid,tanh", "recurrent_activation = sigmoid, activation = tanh")
    assert found["before"].says["reset"] == ("before", "reset_after = False")
    assert (found["cell"].cell, found["cell"].unsupported) == ("gru", "")
    assert found["plain"].says["activation"] == ("relu", "activation = relu")
    assert found["hard"].unsupported == "its activations are hard_sigmoid,tanh"
    assert found["last"].says["direction"].value == "backward"
    assert found["last"].remarks == ("it runs backwards: reverse what goes into the converted layer",)


def test_the_weights_alone_do_not_tell_the_activations(files):
    found = by_name(files[0] / "m.weights.h5")
    assert all("activation" not in layer.says for layer in found.values())


@pytest.mark.campaign
def test_layers_of_models_in_models_and_cells_in_cells_are_found(tmp_path):
    inner = keras.Sequential([keras.Input((7, 3)), layers.LSTM(4, return_sequences=True, name="deep")], name="inner")
    stacked = layers.RNN(layers.StackedRNNCells([layers.LSTMCell(3), layers.LSTMCell(2)]), name="stacked")
    made = keras.Sequential([keras.Input((7, 3)), inner, stacked])
    for name in ("m.keras", "m.weights.h5"):
        (made.save if name == "m.keras" else made.save_weights)(tmp_path / name)
        found = by_name(tmp_path / name)
        assert found["deep"].unsupported == ""
        (other,) = [layer for layer in found.values() if layer.unsupported]
        assert (other.name, other.unsupported) == ("stacked", "its stacked cells are of several sizes")


def keras2(path, arrays, config=None, version="2.2.4"):
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if config else file
        root.attrs["keras_version"] = version
        if config:
            file.attrs["model_config"] = json.dumps(config)
        for name, array in arrays.items():
            root[name] = array
    return path


def lstm_arrays(prefix="lstm/lstm/", gates=4, biases=1):
    rng = np.random.default_rng(0)
    shapes = {"kernel:0": (3, 4 * gates), "recurrent_kernel:0": (4, 4 * gates), "bias:0": (4 * gates * biases,)}
    return {prefix + name: rng.normal(size=shape).astype("f4") for name, shape in shapes.items()}


def config_of(class_name, **options):
    layer = {"class_name": class_name, "config": {"name": "lstm", "units": 4, **options}}
    return {"class_name": "Sequential", "config": [layer]}


def test_names_of_keras_2_are_read_and_an_old_version_leaves_the_gates_functions_open(tmp_path):
    old = by_name(keras2(tmp_path / "old.h5", lstm_arrays()))["lstm"]
    assert old.says["activation"].value == ""
    assert "Keras 2.2.4 had hard_sigmoid" in old.says["activation"].how
    new = by_name(keras2(tmp_path / "new.h5", lstm_arrays(), version="2.4.0"))["lstm"]
    assert "activation" not in new.says
    config = config_of("LSTM", activation="tanh", recurrent_activation="hard_sigmoid")
    told = by_name(keras2(tmp_path / "told.h5", lstm_arrays(), config))["lstm"]
    assert told.unsupported == "its activations are hard_sigmoid,tanh"


@pytest.mark.parametrize(("class_name", "gates"), [("CuDNNLSTM", 4), ("CuDNNGRU", 3)])
def test_layers_of_cudnn_compute_in_keras_what_cudnn_computes(tmp_path, class_name, gates):
    arrays = lstm_arrays(gates=gates, biases=2)
    layer = by_name(keras2(tmp_path / "c.h5", arrays, config_of(class_name)))["lstm"]
    assert layer.unsupported == ""
    assert layer.says["activation"].value == "sigmoid,tanh"
    U, W, b = arrays.values()
    x, h = np.random.default_rng(1).normal(size=(2, 3)), np.random.default_rng(2).normal(size=(2, 4))
    for k in range(gates):
        block = slice(4 * k, 4 * k + 4)
        # cuDNN computes M x with M (H, D) row by row, whatever the shape under which Keras stores its numbers
        of_input = x @ U[:, block].ravel().reshape(4, 3).T
        of_state = h @ W[:, block].T
        np.testing.assert_allclose(x @ layer.arrays["kernel"][:, block], of_input, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(h @ layer.arrays["recurrent_kernel"][:, block], of_state, rtol=1e-6, atol=1e-6)
        first, second = b[block], b[4 * gates :][block]
        bias = layer.arrays["bias"]
        if gates == 3:
            np.testing.assert_array_equal(bias[:, block], np.stack([first, second]))
        else:
            np.testing.assert_array_equal(bias[block], first + second)


def test_the_parameters_are_those_that_keras_computes_with(files):
    folder, made = files
    found = by_name(folder / "m.keras")["after"]
    layout = get_layout("keras")
    weights, stack = find_layer(layout, found.arrays, "")
    params = layout.to_params(infer_model(layout, weights, **stack, reset="after"), weights)
    for name, array in to_params(made.get_layer("after")).items():
        np.testing.assert_array_equal(params[name], array)


def test_no_code_of_a_model_is_run(files, tmp_path):
    """A Lambda layer's code stays a text, also where the class of a layer is nothing that exists."""
    source = zipfile.ZipFile(files[0] / "m.keras")
    config = json.loads(source.read("config.json"))
    trap = {"class_name": "Lambda", "config": {"name": "trap", "function": {"class_name": "__lambda__", "config": {}}}}
    config["config"]["layers"] += [trap, {"class_name": "os.system", "config": {"name": "x"}}, 7, None]
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", source.read("model.weights.h5"))
    assert list(by_name(tmp_path / "m.keras")) == NAMES


def keras_of(config, weights=b""):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config)
        archive.writestr("model.weights.h5", weights)
    return content.getvalue()


def test_damaged_and_hostile_archives_are_one_line(files, tmp_path):
    good, path = (files[0] / "m.keras").read_bytes(), tmp_path / "m.keras"
    nested = "[" * 100_000
    deep = '{"config": ' * 5000 + "1" + "}" * 5000
    for content in (b"", b"PK", good[: len(good) // 2], good[:-30], keras_of(nested), keras_of("{"), keras_of("{}")):
        path.write_bytes(content)
        with pytest.raises(InvalidProblemError, match=r"^.*m\.keras: (damaged|not a \.keras)[^\n]*$"):
            read_weight_file(path)
    path.write_bytes(keras_of(deep))
    with pytest.raises(InvalidProblemError, match="damaged"):
        read_weight_file(path)


def test_a_configuration_that_unpacks_without_end_is_refused_before_it_is_unpacked(tmp_path):
    (tmp_path / "bomb.keras").write_bytes(keras_of(" " * (2**25 + 1)))
    with pytest.raises(InvalidProblemError, match=r"config\.json unpacks to 0\.0313 GiB, expected at most 0\.0312"):
        read_weight_file(tmp_path / "bomb.keras")


def stacked_config(*cells):
    stack = {"class_name": "StackedRNNCells", "config": {"cells": list(cells)}}
    layer = {"class_name": "RNN", "config": {"name": "rnn", "cell": stack}}
    return {"class_name": "Sequential", "config": {"layers": [layer]}}


def of_name(name):
    return {"class_name": "LSTMCell", "config": {"name": name, "activation": "tanh", "recurrent_activation": "sigmoid"}}


def stacked_arrays():
    sizes = {"bottom": 3, "a_top": 4}
    shapes = {"kernel": lambda size: (size, 16), "recurrent_kernel": lambda size: (4, 16), "bias": lambda size: (16,)}
    return {
        f"rnn/rnn/{cell}/{name}:0": np.ones(shape(size), "f4")
        for cell, size in sizes.items()
        for name, shape in shapes.items()
    }


def test_stacked_cells_of_keras_2_are_in_the_order_of_the_configuration(tmp_path):
    config = stacked_config(of_name("bottom"), of_name("a_top"))
    (layer,) = read_weight_file(keras2(tmp_path / "m.h5", stacked_arrays(), config)).layers
    assert (layer.name, layer.num_layers, layer.input_size, layer.unsupported) == ("rnn", 2, 3, "")
    assert layer.arrays["layer0.kernel"].shape == (3, 16)


@pytest.mark.parametrize(
    "cells",
    [
        (of_name("bottom"), of_name("other")),
        (of_name("bottom"), of_name("bottom")),
        (3, None, {"config": 5}, {"class_name": "LSTMCell", "config": [1]}),
        ({"class_name": "LSTMCell", "config": "text"}, of_name("a_top")),
        (),
    ],
)
def test_a_configuration_of_other_cells_than_the_file_has_is_a_reason_and_no_traceback(tmp_path, cells):
    layers = read_weight_file(keras2(tmp_path / "m.h5", stacked_arrays(), stacked_config(*cells))).layers
    assert layers
    assert all(layer.unsupported for layer in layers)
