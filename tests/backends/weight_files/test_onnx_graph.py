"""ONNX files: every recurrent node is found, what it says is kept, and nothing outside the folder is read."""

from __future__ import annotations

import importlib.util
import re

import numpy as np
import onnx
import pytest
from gradparity.backends import InvalidProblemError, MissingFrameworkError
from gradparity.backends.frameworks import require
from gradparity.backends.weight_files import read_weight_file
from onnx import TensorProto, helper, numpy_helper

SIZES = {"RNN": 1, "LSTM": 4, "GRU": 3}


def drawn(op="LSTM", directions=1, seed=0):
    rng = np.random.default_rng(seed)
    rows = 4 * SIZES[op]
    shapes = {"W": (directions, rows, 3), "R": (directions, rows, 4), "B": (directions, 2 * rows)}
    return {name: rng.normal(size=shape).astype("f4") for name, shape in shapes.items()}


def graph_of(nodes, tensors, inputs=("X",)):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inputs]
    out = [helper.make_tensor_value_info("Y", TensorProto.FLOAT, None)]
    return helper.make_graph(nodes, "g", values, out, tensors)


def saved(path, nodes, tensors, **options):
    graph = nodes if isinstance(nodes, onnx.GraphProto) else graph_of(nodes, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8, **options)
    path.write_bytes(model.SerializeToString())
    return path


def tensors_of(arrays, prefix=""):
    return [numpy_helper.from_array(array, prefix + name) for name, array in arrays.items()]


def node(op="LSTM", inputs=("X", "W", "R", "B"), name="layer", **attributes):
    return helper.make_node(op, list(inputs), ["Y"], name=name, hidden_size=4, **attributes)


def only_layer(path):
    (layer,) = read_weight_file(path).layers
    return layer


def test_what_the_attributes_of_a_gru_say_is_kept(tmp_path):
    arrays = drawn("GRU", directions=2)
    gru = node("GRU", direction="bidirectional", linear_before_reset=1, layout=1)
    layer = only_layer(saved(tmp_path / "gru.onnx", [gru], tensors_of(arrays)))
    assert (layer.name, layer.library, layer.cell, layer.unsupported) == ("layer", "onnx", "gru", "")
    assert (layer.input_size, layer.hidden_size, layer.bidirectional) == (3, 4, True)
    assert layer.says["reset"] == ("after", "linear_before_reset = 1")
    assert layer.says["direction"] == ("both", "direction = bidirectional")
    assert layer.says["layout"] == ("batch first", "layout = 1")
    assert layer.says["activation"] == ("sigmoid,tanh", "the operator's defaults")
    for name, array in arrays.items():
        np.testing.assert_array_equal(layer.arrays[name], array)


def test_a_gru_without_the_attribute_has_its_reset_before(tmp_path):
    layer = only_layer(saved(tmp_path / "gru.onnx", [node("GRU")], tensors_of(drawn("GRU"))))
    assert layer.says["reset"].value == "before"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "tanh"),
        ({"activations": ["Relu"]}, "relu"),
        ({"activations": ["TANH"]}, "tanh"),
        ({"activations": ["Affine"], "activation_alpha": [1.0], "activation_beta": [0.0]}, "identity"),
    ],
)
def test_a_plain_cell_tells_its_activation(tmp_path, options, said):
    layer = only_layer(saved(tmp_path / "rnn.onnx", [node("RNN", **options)], tensors_of(drawn("RNN"))))
    assert (layer.says["activation"].value, layer.unsupported) == (said, "")


PEEPHOLES = np.ones((1, 12), "f4")
UNSUPPORTED = {
    "clip": (node(clip=2.0), {}, "clip = 2 limits"),
    "coupled": (node(input_forget=1), {}, "input_forget = 1 couples"),
    "peepholes": (node(inputs=["X", "W", "R", "B", "", "", "", "P"]), {"P": PEEPHOLES}, r"it has peepholes \(P\)"),
    "functions": (node(activations=["HardSigmoid", "Tanh", "Tanh"]), {}, "its activations are HardSigmoid, Tanh, Tanh"),
    "scaled": (
        node("RNN", activations=["Affine"], activation_alpha=[2.0]),
        drawn("RNN"),
        "its activations are Affine",
    ),
    "quantized": (helper.make_node("DynamicQuantizeLSTM", ["X"], ["Y"], domain="com.microsoft"), {}, "quantized: Dyn"),
    "hidden": (helper.make_node("LSTM", ["X", "W", "R"], ["Y"], hidden_size=5), {}, "hidden_size = 5, and .* 4 units"),
    "other cell": (node("GRU"), {}, "the node is GRU, and its weights are of a lstm"),
    "directions": (node(direction="bidirectional"), {}, "direction = bidirectional, and .* of 1 directions"),
    "given": (node(inputs=["X", "X", "R"]), {}, "its W is not known without running the model: X is given"),
    "computed": (node(inputs=["X", "none", "R"]), {}, "its W is not known"),
    "nan": (node(), {"W": np.full((1, 16, 3), np.nan, "f4")}, r"W\[0, 0, 0\] is nan"),
}


@pytest.mark.parametrize("case", UNSUPPORTED)
def test_what_no_known_cell_computes_is_said(tmp_path, case):
    of_node, arrays, message = UNSUPPORTED[case]
    layer = only_layer(saved(tmp_path / "x.onnx", [of_node], tensors_of(drawn() | arrays)))
    assert re.match(message, layer.unsupported)


def test_what_else_does_not_fit_is_said_before_the_peepholes(tmp_path):
    inputs = ["X", "W", "R", "B", "", "", "", "P"]
    clipped = node(inputs=inputs, clip=2.0)
    larger = helper.make_node("LSTM", inputs, ["Y"], hidden_size=5)
    for of_node, message in ((clipped, "clip = 2 limits"), (larger, "hidden_size = 5, and")):
        layer = only_layer(saved(tmp_path / "x.onnx", [of_node], tensors_of(drawn() | {"P": PEEPHOLES})))
        assert layer.unsupported.startswith(message)
        assert not layer.with_peepholes


def test_peepholes_of_zeros_are_none(tmp_path):
    of_node = node(inputs=["X", "W", "R", "B", "", "", "", "P"])
    tensors = tensors_of(drawn() | {"P": 0 * PEEPHOLES})
    assert only_layer(saved(tmp_path / "x.onnx", [of_node], tensors)).unsupported == ""


def test_weights_are_found_behind_what_only_moves_numbers(tmp_path):
    arrays = drawn()
    nodes = [
        helper.make_node("Constant", [], ["half"], value=numpy_helper.from_array(arrays["W"][0].T.astype("f8"), "v")),
        helper.make_node("Cast", ["half"], ["single"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["single"], ["turned"], perm=[1, 0]),
        helper.make_node("Constant", [], ["axes"], value_ints=[0]),
        helper.make_node("Unsqueeze", ["turned", "axes"], ["W"]),
        helper.make_node("Identity", ["stored"], ["R"]),
        helper.make_node("Slice", ["twice", "starts", "ends", "axis"], ["first"]),
        helper.make_node("Concat", ["first", "second"], ["joined"], axis=0),
        helper.make_node("Reshape", ["joined", "shape"], ["B"]),
        node(),
    ]
    bias = arrays["B"][0]
    held = {"stored": arrays["R"], "twice": np.concatenate([bias, bias]), "second": bias[16:]}
    held |= {"starts": np.array([0]), "ends": np.array([16]), "axis": np.array([0]), "shape": np.array([1, -1])}
    layer = only_layer(saved(tmp_path / "folded.onnx", nodes, tensors_of(held)))
    for name, array in arrays.items():
        np.testing.assert_array_equal(layer.arrays[name], array)


def test_nodes_in_branches_are_found_with_the_weights_around_them(tmp_path):
    branches = {
        name: helper.make_graph([node(name="inner")], name, [], [helper.make_tensor_value_info("Y", 1, None)])
        for name in ("then_branch", "else_branch")
    }
    nodes = [helper.make_node("If", ["X"], ["Y"], **branches), node(name="outer")]
    layers = read_weight_file(saved(tmp_path / "if.onnx", nodes, tensors_of(drawn()))).layers
    assert [layer.name for layer in layers] == ["inner#1", "inner#2", "outer"]
    assert not any(layer.unsupported for layer in layers)


def external(tensor, location, **entries):
    made = onnx.TensorProto()
    made.CopyFrom(tensor)
    made.ClearField("raw_data")
    made.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        made.external_data.add(key=key, value=str(value))
    return made


def test_external_data_is_read_from_the_files_folder_alone(tmp_path):
    arrays, folder = drawn(), tmp_path / "model"
    folder.mkdir()
    W, R, B = tensors_of(arrays)
    (folder / "w.bin").write_bytes(b"1234" + W.raw_data)
    (tmp_path / "w.bin").write_bytes(W.raw_data)
    path = saved(folder / "m.onnx", [node()], [external(W, "w.bin", offset=4), R, B])
    np.testing.assert_array_equal(only_layer(path).arrays["W"], arrays["W"])
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    for location in ("../w.bin", str(tmp_path / "w.bin"), "link.bin", ""):
        saved(path, [node()], [external(W, location), R, B])
        with pytest.raises(InvalidProblemError, match=r"m\.onnx: W is in .*, expected a file in the same folder$"):
            read_weight_file(path)
    for entries in ({"offset": 100}, {"length": 7}):
        saved(path, [node()], [external(W, "w.bin", **entries), R, B])
        with pytest.raises(InvalidProblemError, match="W has another size there than its shape needs"):
            read_weight_file(path)


def test_a_file_cut_short_anywhere_is_one_line(tmp_path):
    whole = saved(tmp_path / "x.onnx", [node()], tensors_of(drawn())).read_bytes()
    for size in range(0, len(whole), 41):
        (tmp_path / "x.onnx").write_bytes(whole[:size])
        with pytest.raises(InvalidProblemError, match=r"^.*x\.onnx: damaged[^\n]*$"):
            read_weight_file(tmp_path / "x.onnx")


def lying(**fields):
    W, R, B = tensors_of(drawn())
    for field, value in fields.items():
        if field == "dims":
            del W.dims[:]
            W.dims.extend(value)
        else:
            setattr(W, field, value)
    return [W, R, B]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dims": [1 << 40, 1 << 20]}, "larger than 2 GiB together"),
        ({"dims": [1, 16, 30_000_00]}, "fewer numbers than its shape needs"),
        ({"dims": [-1, 16, 3]}, "W has shape"),
        ({"dims": [1, 16, 4]}, "damaged: W: "),
    ],
)
def test_shapes_that_lie_are_refused_before_memory_is_taken(tmp_path, fields, message):
    with pytest.raises(InvalidProblemError, match=message):
        read_weight_file(saved(tmp_path / "x.onnx", [node()], lying(**fields)))


@pytest.mark.campaign  # 2 GiB are filled
def test_arrays_that_double_without_end_are_stopped(tmp_path):
    nodes = [helper.make_node("Concat", [f"w{k}", f"w{k}"], [f"w{k + 1}"], axis=0) for k in range(40)]
    tensors = [*tensors_of(drawn()), numpy_helper.from_array(np.ones(1 << 10, "f4"), "w0")]
    with pytest.raises(InvalidProblemError, match="larger than 2 GiB"):
        read_weight_file(saved(tmp_path / "x.onnx", [*nodes, node(inputs=["X", "w40", "R"])], tensors))


def test_a_circle_and_a_long_chain_are_no_constants(tmp_path):
    circle = [helper.make_node("Identity", ["a"], ["b"]), helper.make_node("Identity", ["b"], ["a"])]
    chain = [helper.make_node("Identity", [f"c{k}"], [f"c{k + 1}"]) for k in range(5000)]
    for source in ("a", "c5000"):
        nodes = [*circle, *chain, node(inputs=["X", source, "R"])]
        layer = only_layer(saved(tmp_path / "x.onnx", nodes, tensors_of(drawn())))
        assert "is made by more than 64 nodes" in layer.unsupported


def test_a_missing_onnx_names_its_extra(tmp_path, monkeypatch):
    path = saved(tmp_path / "x.onnx", [node()], tensors_of(drawn()))
    require.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingFrameworkError, match=r'pip install "gradparity\[onnx\]"'):
        read_weight_file(path)
    require.cache_clear()


def test_names_that_are_no_text_are_shown(tmp_path):
    path = saved(tmp_path / "x.onnx", [node(name="layer", inputs=["X", "weigh", "R"])], tensors_of(drawn()))
    path.write_bytes(path.read_bytes().replace(b"layer", b"lay\xffr").replace(b"weigh", b"wei\xffh"))
    layer = only_layer(path)
    assert layer.name == "lay\ufffdr"
    assert "wei\ufffdh is given when the model runs" in layer.unsupported
