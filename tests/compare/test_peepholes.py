"""Peepholes go from TensorFlow 1 to ONNX and back, proved by the definition; elsewhere no weight of them is lost."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.backends import InvalidProblemError, RequestError, UnsupportedProblemError
from gradparity.backends.weight_files import read_weight_file
from gradparity.backends.weight_files.layers_by_name import layers_by_name
from gradparity.backends.weight_files.onnx_writing import onnx_model
from gradparity.compare.conversion import convert, peepholes
from gradparity.compare.conversion.conversion import convert_layer

NAMES = ("w_f_diag", "w_i_diag", "w_o_diag")


def drawn(scope, seed=0, **others):
    rng = np.random.default_rng(seed)
    shapes = {"kernel": (8, 20), "bias": (20,)} | dict.fromkeys(NAMES, (5,)) | others
    return {f"{scope}/{name}": rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


BOTH = drawn("rnn/fw/lstm_cell") | drawn("rnn/bw/lstm_cell", 1)
STACK = drawn("rnn/multi_rnn_cell/cell_0/lstm_cell")
FILES = {"one": drawn("rnn/lstm_cell"), "both directions": BOTH}


@pytest.mark.parametrize("arrays", FILES.values(), ids=FILES)
def test_peepholes_go_to_onnx_and_back_to_the_bit(arrays, tmp_path):
    (layer,) = layers_by_name(arrays)
    there = convert_layer(layer, "onnx", forget_bias=0.0)
    comparison = there.verify()
    assert comparison.verdict == "agree"
    assert list(comparison.answers) == ["tf1 (its documented equations)", "onnxruntime LSTM", "lstm_with_peepholes"]
    assert {"loss", "o_1", "o_7"} == {block.label for block in comparison.blocks} - {f"o_{t}" for t in range(2, 7)}
    file = tmp_path / "lstm.onnx"
    file.write_bytes(onnx_model(there.model, there.target_weights))
    (read,) = read_weight_file(file).layers
    assert (read.with_peepholes, read.unsupported) == (True, "it has peepholes (P), which onnx and tf1 alone have")
    back = convert_layer(read, "tf1", forget_bias=0.0)
    assert back.verify().verdict == "agree"
    for name, array in back.arrays.items():
        original = next(key for key in arrays if key.replace("lstm_", "").replace("/", ".").endswith(name))
        np.testing.assert_array_equal(array, arrays[original])


def test_the_forget_bias_stands_beside_the_peepholes():
    (layer,) = layers_by_name(FILES["one"])
    conversion = convert_layer(layer, "onnx", forget_bias=1.0)
    assert conversion.verify().verdict == "agree"
    with pytest.raises(RequestError, match="adds a forget bias when it runs"):
        convert_layer(layer, "onnx")


def test_gates_in_another_order_are_found(monkeypatch):
    def wrong(library, weights, held):
        exchanged = [{"p_i": p["p_f"], "p_f": p["p_i"], "p_o": p["p_o"]} for p in held] if library == "onnx" else held
        return right(library, weights, exchanged)

    right = peepholes.with_peepholes
    monkeypatch.setattr("gradparity.compare.conversion.conversion.with_peepholes", wrong)
    comparison = convert_layer(layers_by_name(FILES["one"])[0], "onnx", forget_bias=0.0).verify()
    assert comparison.verdict == "disagree"
    assert {block.outliers for block in comparison.blocks if block.verdict == "disagree"} == {("onnxruntime LSTM",)}


@pytest.mark.parametrize("arrays", [*FILES.values(), STACK], ids=[*FILES, "a stack"])
def test_libraries_without_peepholes_do_not_get_the_rest_of_the_cell(arrays):
    (layer,) = layers_by_name(arrays)
    assert layer.cell == "lstm"
    with pytest.raises(UnsupportedProblemError, match=r"it has peepholes \(w_.*\), which onnx and tf1 alone have"):
        convert_layer(layer, "torch", forget_bias=0.0)
    with pytest.raises(InvalidProblemError, match=r"is among the layer's weights: peepholes\. Such a cell is not conv"):
        convert(arrays, "tf1", "torch", prefix=layer.name, forget_bias=0.0)


def test_a_projection_is_no_layer_with_fewer_inputs():
    (layer,) = layers_by_name(drawn("rnn/lstm_cell", **{"kernel": (12, 20), "projection/kernel": (5, 2)}))
    assert layer.unsupported.startswith("'projection.kernel' is among the layer's weights: a projection.")
    assert not layer.with_peepholes


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rnn/lstm_cell/w_o_diag": np.ones(4, "float32")}, r"w_o_diag has shape \(4,\), expected \(5,\)"),
        ({"rnn/lstm_cell/w_o_diag": None}, "w_o_diag is missing among the peepholes, expected w_f_diag, w_i_diag, w_o"),
    ],
)
def test_peepholes_that_do_not_fit_are_refused(changed, message):
    arrays = {name: array for name, array in (FILES["one"] | changed).items() if array is not None}
    (layer,) = layers_by_name(arrays)
    with pytest.raises(InvalidProblemError, match=message):
        convert_layer(layer, "onnx", forget_bias=0.0)
