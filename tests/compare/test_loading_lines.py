"""The lines that `convert` prints load what it wrote: the library's own layer then computes what the source does."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import torch
from gradparity.backends.adapters.keras_engine import keras_on
from gradparity.backends.weight_files import write_weights
from gradparity.backends.weight_files.onnx_writing import onnx_model
from gradparity.compare.conversion.conversion import convert
from gradparity.compare.conversion.loading_lines import loading_lines
from sampling import chequered

T, B, D, H = 5, 2, 3, 4
MODULES = (
    *("numpy", "safetensors.numpy", "safetensors.torch", "torch", "jax", "flax.nnx", "flax.linen"),
    *("flax.traverse_util", "equinox", "haiku", "onnx", "onnxruntime"),
)
SHAPES = {
    "single": {},
    "both": {"bidirectional": True},
    "stack": {"num_layers": 2},
    "stack of both": {"num_layers": 2, "bidirectional": True},
}


def scope():
    names = {name.partition(".")[0]: importlib.import_module(name.partition(".")[0]) for name in MODULES}
    for name in MODULES:
        importlib.import_module(name)
    return names | {"keras": keras_on("jax")}


def in_order(run, directions, x):
    """A pair of directions, of which the second takes the sequence from its end."""
    if not isinstance(directions, tuple):
        return run(directions, x)
    forward, backward = directions
    return np.concatenate([run(forward, x), run(backward, x[::-1])[::-1]], axis=-1)


def of_torch(layer, x):
    return layer(torch.tensor(x))[0].detach().numpy()


def of_keras(layer, x):
    return np.array(keras_on("jax").ops.convert_to_numpy(layer(x.swapaxes(0, 1)))).swapaxes(0, 1)


def of_nnx(layer, x):
    from flax import nnx

    layer = layer if isinstance(layer, nnx.Bidirectional) else nnx.RNN(layer)
    return np.asarray(layer(x.swapaxes(0, 1))).swapaxes(0, 1)


def of_linen(layer, x):
    import flax.linen
    import jax

    if isinstance(layer, flax.linen.Bidirectional):
        return np.asarray(layer(x.swapaxes(0, 1))).swapaxes(0, 1)
    carry, outputs = layer.initialize_carry(jax.random.key(0), x[0].shape), []
    for x_t in x:
        carry, output = layer(carry, x_t)
        outputs.append(np.asarray(output))
    return np.array(outputs)


def of_equinox(layer, x):
    def run(cell, x):
        sequences = []
        for sequence in x.swapaxes(0, 1):
            state = np.zeros(H, "f4")
            state, outputs = ((state, state) if "LSTM" in type(cell).__name__ else state), []
            for x_t in sequence:
                state = cell(x_t, state)
                outputs.append(np.asarray(state[0] if isinstance(state, tuple) else state))
            sequences.append(outputs)
        return np.array(sequences).swapaxes(0, 1)

    return in_order(run, layer, x)


def of_haiku(layer, x):
    import haiku

    transformed, params = layer
    zeros = np.zeros((B, H), "f4")

    def run(params, x):
        is_lstm = "lstm/linear" in params
        state = haiku.LSTMState(zeros, zeros) if is_lstm else zeros
        return np.asarray(transformed.apply(params, x, state)[0])

    return in_order(run, params, x)


def of_onnx(session, x):
    return session.run(["output"], {"x": x})[0]


RUN = {
    "torch": of_torch,
    "keras": of_keras,
    "flax-nnx": of_nnx,
    "flax-linen": of_linen,
    "equinox": of_equinox,
    "haiku": of_haiku,
    "onnx": of_onnx,
}


def source_for(target, cell, shape):
    """A layer of PyTorch that the target has, and its weights under the names of a library that is not the target."""
    torch.manual_seed(0)
    layer = getattr(torch.nn, cell)(D, H, **shape)
    if cell == "GRU" and target == "flax-nnx":
        for name, parameter in layer.named_parameters():
            if name.startswith("bias_hh"):
                parameter.data[2 * H :] = 0
    weights = {name: tensor.numpy() for name, tensor in layer.state_dict().items()}
    if target != "torch":
        return layer, weights, "torch"
    return layer, convert(weights, "torch", "keras").arrays, "keras"


@pytest.mark.parametrize(
    ("target", "cell", "shape", "suffix"), chequered(RUN, ["LSTM", "GRU"], SHAPES, [".npz", ".safetensors"], every=8)
)
def test_the_lines_load_a_layer_that_computes_the_same(tmp_path, target, cell, shape, suffix):
    if (target, cell) == ("haiku", "GRU"):
        pytest.skip("its reset is before the product, and PyTorch's after")
    layer, weights, source = source_for(target, cell, SHAPES[shape])
    conversion = convert(weights, source, target)
    path = tmp_path / f"out{'.onnx' if target == 'onnx' else suffix}"
    if target == "onnx":
        path.write_bytes(onnx_model(conversion.model, conversion.target_weights))
    else:
        write_weights(path, conversion.arrays)
    made = scope()
    exec("\n".join(loading_lines(conversion, path)), made)
    x = np.random.default_rng(0).normal(size=(T, B, D)).astype("f4")
    outputs = x
    for of_layer in made.get("layers", [made["layer"]]):
        outputs = RUN[target](of_layer, outputs)
    np.testing.assert_allclose(outputs, of_torch(layer, x), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("target", "activation"), chequered(["keras", "torch", "flax-nnx", "flax-linen", "onnx"], ["tanh", "relu"])
)
def test_a_plain_layer_has_its_activation_in_the_lines(tmp_path, target, activation):
    torch.manual_seed(0)
    layer = torch.nn.RNN(D, H, nonlinearity=activation)
    weights, source = {name: tensor.numpy() for name, tensor in layer.state_dict().items()}, "torch"
    if target == "torch":
        weights, source = convert(weights, "torch", "keras", activation=activation).arrays, "keras"
    conversion = convert(weights, source, target, activation=activation)
    path = tmp_path / ("out.onnx" if target == "onnx" else "out.npz")
    if target == "onnx":
        path.write_bytes(onnx_model(conversion.model, conversion.target_weights))
    else:
        write_weights(path, conversion.arrays)
    made = scope()
    exec("\n".join(loading_lines(conversion, path)), made)
    x = np.random.default_rng(0).normal(size=(T, B, D)).astype("f4")
    np.testing.assert_allclose(RUN[target](made["layer"], x), of_torch(layer, x), rtol=0, atol=1e-6)


def test_states_of_an_onnx_file_are_those_of_pytorch():
    import onnxruntime

    torch.manual_seed(0)
    layer = torch.nn.LSTM(D, H, num_layers=2, bidirectional=True)
    conversion = convert({name: t.numpy() for name, t in layer.state_dict().items()}, "torch", "onnx")
    session = onnxruntime.InferenceSession(onnx_model(conversion.model, conversion.target_weights))
    x = np.random.default_rng(0).normal(size=(T, B, D)).astype("f4")
    _, states = layer(torch.tensor(x))
    for state, of_onnx_file in zip(states, session.run(["h_n", "c_n"], {"x": x}), strict=True):
        np.testing.assert_allclose(of_onnx_file, state.detach().numpy(), rtol=0, atol=1e-6)


def test_the_command_prints_the_lines_and_writes_an_onnx_file(gradparity, tmp_path, monkeypatch):
    torch.manual_seed(0)
    layer = torch.nn.LSTM(D, H)
    torch.save(layer.state_dict(), tmp_path / "w.pt")
    code, out, err = gradparity("convert", "w.pt", "out.onnx", "--to", "onnx")
    assert (code, err) == (0, "")
    lines = [line.strip() for line in out.split("to load it:\n")[1].splitlines() if line.startswith("  ")]
    assert lines == ['layer = onnxruntime.InferenceSession("out.onnx")']
    made = scope()
    exec("\n".join(lines), made)
    x = np.random.default_rng(0).normal(size=(T, B, D)).astype("f4")
    np.testing.assert_allclose(of_onnx(made["layer"], x), of_torch(layer, x), rtol=0, atol=1e-6)
    assert gradparity("convert", "out.onnx", "back.npz", "--to", "torch")[0] == 0
    code, _, err = gradparity("convert", "w.pt", "no.onnx", "--to", "keras")
    assert (code, err) == (2, "gradparity: no.onnx: an .onnx file is written with --to onnx, not with --to keras\n")
