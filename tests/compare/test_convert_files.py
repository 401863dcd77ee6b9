"""`gradparity convert` on files as people have them: what they say is believed, and what nobody says is asked."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from gradparity.backends import RequestError, UnsupportedProblemError
from gradparity.backends.weight_files import LayerInFile, Statement, read_weights, write_weights
from gradparity.compare.conversion.conversion import convert, convert_layer
from onnx import TensorProto, helper, numpy_helper


def gru_arrays(directions=1):
    rng = np.random.default_rng(0)
    shapes = {"W": (directions, 12, 3), "R": (directions, 12, 4), "B": (directions, 24)}
    return {name: rng.normal(size=shape).astype("f4") for name, shape in shapes.items()}


def onnx_model(path, **attributes):
    """An ONNX model with two GRUs, one of which has other attributes."""
    arrays = gru_arrays()
    nodes = [
        helper.make_node("GRU", ["X", "W", "R", "B"], ["a"], name="first", hidden_size=4, **attributes),
        helper.make_node("GRU", ["X", "W", "R", "B"], ["Y"], name="enc/second", hidden_size=4, clip=1.0),
    ]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("X", "Y")]
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "g", value[:1], value[1:], tensors)
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)]).SerializeToString())


def state_dict(cell="LSTM", **options):
    torch.manual_seed(0)
    return {name: tensor.numpy() for name, tensor in getattr(torch.nn, cell)(3, 4, **options).state_dict().items()}


def test_a_file_alone_is_listed(gradparity, tmp_path):
    onnx_model(tmp_path / "m.onnx", linear_before_reset=1)
    code, out, err = gradparity("convert", "m.onnx")
    assert (code, err) == (0, "")
    words = " ".join(out.split())
    assert words.startswith("m.onnx: ONNX, 6 arrays layer library cell size layers")
    for part in ("first onnx gru D=3 H=4 1", "reset after (linear_before_reset = 1)", "yes", "clip = 1 limits"):
        assert part in words


def test_the_list_as_json_has_every_statement_with_its_reason(gradparity, tmp_path):
    onnx_model(tmp_path / "m.onnx")
    code, out, _ = gradparity("convert", "m.onnx", "--json", "-")
    assert code == 0
    first, second = json.loads(out)["layers"]
    assert (first["layer"], first["cell"], first["hidden_size"], first["unsupported"]) == ("first", "gru", 4, None)
    assert first["says"]["reset"] == {"value": "before", "how": "linear_before_reset = 0"}
    assert first["arrays"]["W"] == {"shape": [1, 12, 3], "dtype": "float32"}
    assert second["unsupported"].startswith("clip = 1 limits")


def test_a_file_without_a_layer_says_so(gradparity, tmp_path):
    write_weights(tmp_path / "dense.npz", {"dense.kernel": np.ones((3, 4))})
    assert (
        gradparity("convert", "dense.npz")[1]
        == "dense.npz: arrays of NumPy, 1 array\nno recurrent layer is found in it\n"
    )
    code, _, err = gradparity("convert", "dense.npz", "out.npz", "--to", "torch")
    assert (code, err) == (
        2,
        "gradparity: dense.npz: no recurrent layer is found in it: the arrays are 'dense.kernel'\n",
    )


def test_an_onnx_gru_is_converted_as_its_attribute_says(gradparity, tmp_path):
    """The same arrays are another layer with the reset before: no torch.nn.GRU, and a Keras layer with one bias."""
    onnx_model(tmp_path / "after.onnx", linear_before_reset=1)
    onnx_model(tmp_path / "before.onnx")
    assert gradparity("convert", "after.onnx", "a.npz", "--to", "torch", "--prefix", "first")[0] == 0
    code, _, err = gradparity("convert", "before.onnx", "b.npz", "--to", "torch", "--prefix", "first")
    assert (code, err) == (
        2,
        "gradparity: before.onnx: torch.nn.GRU has its reset gate after the product, not before\n",
    )
    assert not (tmp_path / "b.npz").exists()
    code, out, _ = gradparity("convert", "before.onnx", "b.npz", "--to", "keras", "--prefix", "first")
    assert (code, "agree in 8 blocks" in out) == (0, True)
    assert read_weights(tmp_path / "b.npz")["bias"].shape == (12,)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--reset", "after"), "reset = 'after', but the file says 'before' (linear_before_reset = 0)"),
        (("--activation", "relu"), "activation = 'relu', but the file says 'sigmoid,tanh' (the operator's defaults)"),
        (("--from", "keras"), "its weights are of onnx, not of keras"),
        (("--prefix", "second"), "no layer is called 'second': did you mean 'enc/second'?"),
        (("--prefix", "enc"), "clip = 1 limits what goes into its functions"),
        ((), "2 layers, 'first', 'enc/second': choose one by --prefix"),
    ],
)
def test_a_flag_that_contradicts_the_file_is_refused_in_one_line(gradparity, tmp_path, flags, message):
    onnx_model(tmp_path / "m.onnx")
    flags = flags if not flags or flags[0] in ("--prefix", "--from") else (*flags, "--prefix", "first")
    code, out, err = gradparity("convert", "m.onnx", "out.npz", "--to", "keras", *flags)
    assert (code, out, err) == (2, "", f"gradparity: m.onnx: {message}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_the_names_tell_the_library_and_the_flag_is_not_needed(gradparity, tmp_path):
    write_weights(
        tmp_path / "w.npz", {f"enc.{name}": array for name, array in state_dict().items()} | {"x": np.ones(3)}
    )
    assert gradparity("convert", "w.npz", "out.npz", "--to", "equinox")[0] == 0
    expected = convert(state_dict(), "torch", "equinox").arrays
    for name, array in read_weights(tmp_path / "out.npz").items():
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("w.npz", "out.npz"), "out.npz: add --to LIBRARY, one of torch, "),
        (("w.npz", "--to", "torch"), "--to is for a conversion: add the file to write"),
        (("w.npz", "out.npz", "--to", "keras", "--json", "-"), "--json is for the list"),
        (("w.npz", "--from", "pytroch"), "unknown library 'pytroch': did you mean 'torch'?"),
        (("none.onnx",), "none.onnx: no such file"),
        (("none.keras",), "none.keras: no such file"),
        (("none.h5",), "none.h5: no such file"),
    ],
)
def test_what_is_missing_is_said(gradparity, tmp_path, arguments, message):
    write_weights(tmp_path / "w.npz", state_dict())
    code, out, err = gradparity("convert", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"gradparity: {message}")


def test_an_onnx_gru_of_arrays_alone_must_be_told_its_reset(gradparity, tmp_path):
    write_weights(tmp_path / "gru.npz", gru_arrays())
    code, _, err = gradparity("convert", "gru.npz", "out.npz", "--to", "keras")
    assert code == 2
    assert err.endswith(
        "whether its reset gate is after the product or before it: add --reset after, or --reset before\n"
    )


def test_a_plain_cell_must_be_told_its_activation(gradparity, tmp_path):
    write_weights(tmp_path / "rnn.npz", state_dict("RNN"))
    code, _, err = gradparity("convert", "rnn.npz", "out.npz", "--to", "keras")
    assert (code, err) == (
        2,
        "gradparity: rnn.npz: a plain cell's weights do not tell its activation: add --activation tanh, for example\n",
    )
    for activation in ("tanh", "relu"):
        flags = ("--activation", activation, "--force")
        assert gradparity("convert", "rnn.npz", "out.npz", "--to", "keras", *flags)[0] == 0
    code, _, err = gradparity("convert", "rnn.npz", "no.npz", "--to", "haiku", "--activation", "tanh")
    assert (code, err) == (2, "gradparity: rnn.npz: haiku.VanillaRNN has relu, not tanh\n")


def tf1_arrays():
    rng = np.random.default_rng(0)
    return {
        "rnn/lstm_cell/kernel": rng.normal(size=(7, 16)).astype("f4"),
        "rnn/lstm_cell/bias": rng.normal(size=16).astype("f4"),
        "rnn/lstm_cell/kernel/Adam": np.ones((7, 16), "f4"),
    }


def tf1_outputs(kernel, bias, x, forget_bias):
    """TensorFlow's documented equations, once more."""
    h = c = np.zeros((2, 4), "f4")
    outputs = []
    for x_t in x:
        i, j, f, o = np.split(np.concatenate([x_t, h], 1) @ kernel + bias, 4, 1)
        c = c / (1 + np.exp(-f - forget_bias)) + np.tanh(j) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        outputs.append(h)
    return np.array(outputs)


@pytest.mark.parametrize("forget_bias", [1.0, 0.0, 2.5])
def test_an_lstm_of_tensorflow_1_needs_its_forget_bias_and_computes_the_same_in_torch(
    gradparity, tmp_path, forget_bias
):
    arrays = tf1_arrays()
    write_weights(tmp_path / "tf.npz", arrays)
    code, _, err = gradparity("convert", "tf.npz", "out.npz", "--to", "torch")
    assert code == 2
    assert "an LSTM of tf1 adds a forget bias when it runs, which its weights do not tell: add --forget-bias 1" in err
    assert gradparity("convert", "tf.npz", "out.npz", "--to", "torch", "--forget-bias", forget_bias)[0] == 0
    layer = torch.nn.LSTM(3, 4)
    layer.load_state_dict({name: torch.tensor(array) for name, array in read_weights(tmp_path / "out.npz").items()})
    x = np.random.default_rng(1).normal(size=(6, 2, 3)).astype("f4")
    kernel, bias, _ = arrays.values()
    expected = tf1_outputs(kernel, bias, x, forget_bias)
    np.testing.assert_allclose(layer(torch.tensor(x))[0].detach().numpy(), expected, rtol=0, atol=1e-6)


def test_a_forget_bias_is_tensorflows_alone(gradparity, tmp_path):
    write_weights(tmp_path / "w.npz", state_dict())
    code, _, err = gradparity("convert", "w.npz", "out.npz", "--to", "keras", "--forget-bias", "1")
    assert (code, err) == (2, "gradparity: w.npz: a forget bias beside the weights is for an LSTM of tf1\n")


def test_activations_that_an_old_file_leaves_open_must_be_stated():
    arrays = convert(state_dict(), "torch", "keras").arrays
    layer = LayerInFile("lstm", "keras", arrays, {"activation": Statement("", "Keras 2.2.4 had hard_sigmoid")})
    with pytest.raises(
        RequestError, match=r"does not tell its activation: Keras 2\.2\.4 .*add --activation sigmoid,tanh"
    ):
        convert_layer(layer, "torch")
    with pytest.raises(UnsupportedProblemError, match="the activations sigmoid,tanh are known alone"):
        convert_layer(layer, "torch", activation="hard_sigmoid,tanh")
    assert convert_layer(layer, "torch", activation="sigmoid,tanh").verify().verdict == "agree"


@pytest.mark.parametrize("cell", ["LSTM", "GRU"])
@pytest.mark.parametrize("library", ["paddle", "mlx", "tf1"])
def test_libraries_that_are_not_loaded_are_proved_by_their_equations(library, cell):
    if (library, cell) == ("tf1", "GRU"):
        source, library_of = convert(gru_arrays(), "onnx", "keras", reset="before").arrays, "keras"
    else:
        source, library_of = state_dict(cell, num_layers=2, bidirectional=True), "torch"
    forget_bias = 1.0 if (library, cell) == ("tf1", "LSTM") else None
    conversion = convert(source, library_of, library, forget_bias=forget_bias)
    comparison = conversion.verify()
    assert (comparison.verdict, bool(comparison.forward_only)) == ("agree", True)
    back = convert(conversion.arrays, library, library_of, forget_bias=forget_bias)
    assert back.verify().verdict == "agree"
    for name, array in convert(back.arrays, library_of, library, forget_bias=forget_bias).arrays.items():
        np.testing.assert_allclose(array, conversion.arrays[name], rtol=0, atol=np.finfo("f4").eps)


@pytest.mark.parametrize("library", ["paddle", "mlx", "tf1"])
def test_a_wrong_order_of_gates_is_found_by_the_equations(library, monkeypatch):
    from gradparity.backends.layouts import packing

    conversion = convert(state_dict(), "torch", library, forget_bias=1.0 if library == "tf1" else None)
    (weights,) = conversion.target_weights
    axis = -1 if library == "tf1" else 0
    swapped = {
        name: np.moveaxis(packing.reorder_gates(np.moveaxis(array, axis, 0), "abcd", "acbd"), 0, axis)
        for name, array in weights.items()
    }
    conversion.target_weights[0] = swapped
    assert conversion.verify().verdict == "disagree"


def test_what_a_conversion_will_ask_stands_in_the_list(gradparity, tmp_path):
    """And it is what is asked: with these options, and not without them, the layer is converted."""
    plain = {f"plain.{name}": array for name, array in state_dict("RNN").items()}
    gru = {f"gru.{name}": array for name, array in gru_arrays().items()}
    write_weights(tmp_path / "w.npz", {**plain, **gru, **tf1_arrays()})
    layers = json.loads(gradparity("convert", "w.npz", "--json", "-")[1])["layers"]
    asked = {layer["layer"]: layer["asked"] for layer in layers}
    assert asked == {"plain": ["activation"], "gru": ["reset"], "rnn.lstm_cell": ["forget-bias"]}
    stated = {"activation": "tanh", "reset": "after", "forget-bias": "1"}
    for name, (option,) in asked.items():
        command = ("convert", "w.npz", f"{option}.npz", "--to", "keras", "--prefix", name)
        code, _, err = gradparity(*command)
        assert (code, f"add --{option}" in err) == (2, True)
        assert gradparity(*command, f"--{option}", stated[option])[0] == 0
    assert "yes with --reset" in " ".join(gradparity("convert", "w.npz")[1].split())
