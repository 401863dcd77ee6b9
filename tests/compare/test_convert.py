"""`gradparity convert`: weights that make the same layer in another library, or no file at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from gradparity.backends import RequestError
from gradparity.backends.adapters.documented_cells import DOCUMENTED
from gradparity.backends.layouts import LAYOUTS
from gradparity.backends.weight_files import read_weights, write_weights
from gradparity.compare.conversion.conversion import convert
from sampling import case

OTHERS = [library for library in LAYOUTS if library != "torch"]
FORWARD_ONLY = "onnx"
STACK = {"num_layers": 2, "bidirectional": True}


def weights(cell="LSTM", dtype="float32", **options):
    """The state dictionary of a layer of PyTorch, with random biases, as arrays."""
    torch.manual_seed(0)
    layer = getattr(torch.nn, cell)(3, 4, dtype=getattr(torch, dtype), **options)
    return {name: tensor.numpy() for name, tensor in layer.state_dict().items()}


def with_one_bias(weights):
    """The same layer, with its second bias added to the first, but for the GRU's b_hn."""
    single = dict(weights)
    for name in [name for name in weights if name.startswith("bias_hh")]:
        kept = np.zeros_like(weights[name])
        if weights[name].size == 12:
            kept[8:] = weights[name][8:]
        single[name] = kept
        single[name.replace("hh", "ih")] = weights[name.replace("hh", "ih")] + (weights[name] - kept)
    return single


@pytest.mark.parametrize(
    ("library", "options"),
    [
        *(case(library, {}, campaign=library not in ("flax-nnx", "keras", "onnx"), id=library) for library in OTHERS),
        *(
            case(library, STACK, campaign=library == "equinox", id=f"{library} stack")
            for library in ("equinox", "onnx")
        ),
    ],
)
def test_an_lstm_goes_to_every_library_and_comes_back(library, options):
    source = weights(**options)
    adds = {"forget_bias": 1.0} if library == "tf1" else {}
    conversion = convert(source, "torch", library, **adds)
    comparison = conversion.verify()
    assert comparison.verdict == "agree"
    assert bool(comparison.forward_only) == (library in (FORWARD_ONLY, *DOCUMENTED))
    back = convert(conversion.arrays, library, "torch", **adds).arrays
    assert list(back) == list(source)
    for name, array in with_one_bias(source).items():
        if library in ("haiku", "tf1") and name.startswith("bias_ih"):  # 1 is taken off b_f and put on again
            np.testing.assert_allclose(back[name], array, rtol=0, atol=np.finfo("float32").eps)
        else:
            np.testing.assert_array_equal(back[name], array)


@pytest.mark.parametrize(
    "library", [case(name, campaign=name in ("equinox", "onnx")) for name in ("flax-linen", "equinox", "keras", "onnx")]
)
def test_a_gru_goes_to_every_library_that_has_one_like_it_and_comes_back(library):
    source = weights("GRU")
    conversion = convert(source, "torch", library)
    assert conversion.verify().verdict == "agree"
    back = convert(conversion.arrays, library, "torch", reset="after").arrays
    for name, array in with_one_bias(source).items():
        np.testing.assert_array_equal(back[name], array)


def test_a_gru_with_its_reset_before_goes_from_haiku_to_keras_and_back():
    rng = np.random.default_rng(0)
    double = {name: rng.standard_normal(shape) for name, shape in {"w_i": (3, 12), "w_h": (4, 12), "b": (12,)}.items()}
    single = {name: array.astype("float32") for name, array in double.items()}
    conversion = convert(single, "haiku", "keras")
    assert conversion.model.reset == "before"
    assert conversion.verify().verdict == "agree"
    back = convert(conversion.arrays, "keras", "haiku").arrays
    for name, array in single.items():
        np.testing.assert_array_equal(back[name], array)


def test_a_gru_of_nnx_has_no_place_for_b_hn():
    with pytest.raises(RequestError, match=r"flax\.nnx\.GRUCell has no b_hn .*not zero"):
        convert(weights("GRU"), "torch", "flax-nnx")
    source = weights("GRU")
    source["bias_hh_l0"][8:] = 0
    assert convert(source, "torch", "flax-nnx").verify().verdict == "agree"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_widened_exactly(dtype, tmp_path):
    torch.manual_seed(0)
    state = torch.nn.LSTM(3, 4, dtype=getattr(torch, dtype)).state_dict()
    safetensors.torch.save_file(state, tmp_path / "half.safetensors")
    conversion = convert(read_weights(tmp_path / "half.safetensors"), "torch", "equinox")
    np.testing.assert_array_equal(conversion.arrays["weight_ih"], state["weight_ih_l0"].float().numpy())
    assert {array.dtype.name for array in conversion.arrays.values()} == {"float32"}
    assert conversion.verify().verdict == "agree"


def test_layers_without_biases_are_converted_too():
    for cell, library in (("LSTM", "equinox"), ("GRU", "flax-nnx"), ("LSTM", "keras")):
        assert convert(weights(cell, bias=False), "torch", library).verify().verdict == "agree"


def test_numbers_in_the_other_order_of_bytes_are_read():
    swapped = {name: array.astype(">f4") for name, array in weights().items()}
    for name, array in convert(swapped, "torch", "equinox").arrays.items():
        np.testing.assert_array_equal(array, convert(weights(), "torch", "equinox").arrays[name])


def gates_swapped(array):
    parts = np.split(array, 4, axis=-1)
    return np.concatenate([parts[0], parts[2], parts[1], parts[3]], axis=-1)


FAULTS = {
    "gates in another order": lambda layer: {name: gates_swapped(array) for name, array in layer.items()},
    "a bias twice": lambda layer: layer | {"dense_h.bias": 2 * layer["dense_h.bias"]},
    "one number": lambda layer: layer | {"dense_h.kernel": layer["dense_h.kernel"] + np.eye(4, 16, dtype="f4") * 1e-4},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_conversion_is_no_agreement(fault):
    conversion = convert(weights(), "torch", "flax-nnx")
    wrong = replace(conversion, target_weights=[FAULTS[fault](layer) for layer in conversion.target_weights])
    assert wrong.verify().verdict == "disagree"


UNFIT = {
    "plain": (weights("RNN"), {}, "a plain cell's weights do not tell its activation"),
    "projected": (
        weights(proj_size=2),
        {},
        "'weight_hr_l0' is among the layer's weights: a projection. Such a cell is not converted; assert_same_layer",
    ),
    "shape": (
        weights() | {"weight_ih_l0": np.ones((15, 3), "f4")},
        {},
        r"weight_ih_l0 has shape \(15, 3\), expected \(16",
    ),
    "axes": (weights() | {"weight_hh_l0": np.ones(16, "f4")}, {}, r"weight_hh has shape \(16,\), expected 2 axes"),
    "gates": (weights() | {"weight_hh_l0": np.ones((20, 4), "f4")}, {}, "weight_hh has 20 .* for 4 units, expected 4H"),
    "stack": (
        weights(num_layers=2) | {"weight_ih_l1": np.ones((16, 3), "f4")},
        {},
        r"weight_ih_l1 has shape \(16, 3\), expected \(16, 4\)",
    ),
    "dtypes": (weights() | {"bias_ih_l0": np.zeros(16)}, {}, "float32 and float64, expected one dtype"),
    "too large": (
        weights() | dict.fromkeys(("bias_ih_l0", "bias_hh_l0"), np.full(16, 3e38, "f4")),
        {},
        "add up to more",
    ),
    "no reset": (weights(), {"reset": "after"}, "reset = 'after' is for a GRU"),
    "other reset": (weights("GRU"), {"reset": "before"}, "reset = 'before', but .* a GRU with the reset after"),
}


@pytest.mark.parametrize("unfit", UNFIT)
def test_weights_that_cannot_be_converted_are_refused(unfit):
    arrays, options, message = UNFIT[unfit]
    with pytest.raises(RequestError, match=message):
        convert(arrays, "torch", "equinox", **options)


def test_a_gru_that_does_not_tell_where_its_reset_is_must_be_told():
    onnx = convert(weights("GRU"), "torch", "onnx").arrays
    with pytest.raises(RequestError, match=r"onnx do not tell .* add --reset after, or --reset before"):
        convert(onnx, "onnx", "keras")
    assert convert(onnx, "onnx", "keras", reset="before").arrays["bias"].shape == (12,)
    assert convert(onnx, "onnx", "keras", reset="after").arrays["bias"].shape == (2, 12)


def test_what_the_target_has_not_is_refused():
    with pytest.raises(RequestError, match=r"haiku\.GRU has its reset gate before the product, not after"):
        convert(weights("GRU"), "torch", "haiku")
    with pytest.raises(RequestError, match="unknown library 'flax-nxn': did you mean 'flax-nnx'"):
        convert(weights(), "torch", "flax-nxn")


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_in_the_same_library_the_numbers_stay_as_they_are(dtype):
    held = {f"encoder.{name}": array.astype(dtype) for name, array in weights(**STACK).items()}
    conversion = convert(held, "torch", "torch", prefix="encoder")
    assert {f"encoder.{name}" for name in conversion.arrays} == held.keys()
    assert all(np.array_equal(array, held[f"encoder.{name}"]) for name, array in conversion.arrays.items())
    assert {array.dtype for array in conversion.arrays.values()} == {np.dtype(dtype)}
    comparison = conversion.verify()
    assert comparison.verdict == "agree"
    assert list(comparison.answers) == ["torch LSTM as read", "torch LSTM as written"]


def test_of_a_layer_without_biases_those_that_are_written_are_zero():
    converted = convert(weights(bias=False), "torch", "torch").arrays
    assert not converted["bias_ih_l0"].any()
    assert not converted["bias_hh_l0"].any()


def test_in_the_same_library_a_forget_bias_is_not_asked():
    held = convert(weights(), "torch", "tf1", forget_bias=1.0).arrays
    conversion = convert(held, "tf1", "tf1")
    assert all(np.array_equal(array, held[name]) for name, array in conversion.arrays.items())
    assert conversion.verify().verdict == "agree"


def test_numbers_that_are_written_otherwise_are_found_in_the_same_library_too():
    conversion = convert(weights(), "torch", "torch")
    conversion.target_weights[0]["weight_hh"] = conversion.target_weights[0]["weight_hh"][::-1].copy()
    assert conversion.verify().verdict == "disagree"


@pytest.fixture
def weight_file(tmp_path):
    """A file of an LSTM of PyTorch."""
    return write_weights(tmp_path / "weights.safetensors", weights())


TO_NNX = ("convert", "--from", "torch", "--to", "flax-nnx")


def test_the_command_writes_what_agrees(gradparity, weight_file, tmp_path):
    code, out, err = gradparity(*TO_NNX, "weights.safetensors", "out.safetensors")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "lstm D=3 H=4: weights.safetensors -> out.safetensors"
    assert lines[1].split() == ["dense_i.kernel", "(3,", "16)", "float32"]
    assert lines[-1].startswith("torch LSTM and flax-nnx agree in 38 blocks of outputs and gradients, at most ")
    expected = convert(weights(), "torch", "flax-nnx").arrays
    for name, array in read_weights(tmp_path / "out.safetensors").items():
        np.testing.assert_array_equal(array, expected[name])


def test_a_library_with_forward_values_only_is_said_to_be_one(gradparity, weight_file):
    code, out, _ = gradparity("convert", "--from", "torch", "--to", "onnx", weight_file, "out.npz")
    assert code == 0
    assert "onnxruntime LSTM agree in 8 blocks of outputs, and no gradients" in out


def test_layers_that_disagree_are_reported_and_nothing_is_written(gradparity, weight_file, tmp_path, monkeypatch):
    pack = LAYOUTS["flax-nnx"].pack

    def wrong(model, params):
        return {name: gates_swapped(array) for name, array in pack(model, params).items()}

    monkeypatch.setitem(LAYOUTS["flax-nnx"].__dict__, "pack", wrong)
    code, out, _ = gradparity(*TO_NNX, weight_file, "out.npz")
    assert code == 1
    assert "The forward pass differs already, first in o_1." in out
    assert "out.npz was not written; --no-verify converts without comparing the layers." in out
    assert not (tmp_path / "out.npz").exists()
    code, out, _ = gradparity(*TO_NNX, weight_file, "out.npz", "--no-verify")
    assert code == 0
    assert out.endswith("not verified\n")
    assert (tmp_path / "out.npz").exists()


def test_what_cannot_be_decided_is_not_written(gradparity, tmp_path):
    large = {name: array * np.float32(1e37) for name, array in weights().items()}
    write_weights(tmp_path / "large.npz", large)
    code, out, _ = gradparity(*TO_NNX, "large.npz", "out.npz")
    assert code == 1
    assert out.startswith("undecidable: ")
    assert not (tmp_path / "out.npz").exists()


def test_keras_casts_doubles_to_singles_and_is_not_excused(gradparity, tmp_path):
    write_weights(tmp_path / "double.npz", weights(dtype="float64"))
    code, out, _ = gradparity("convert", "--from", "torch", "--to", "keras", "double.npz", "out.npz")
    assert code == 1
    assert "may compute in float32 inside" in out
    assert not (tmp_path / "out.npz").exists()


BAD_FILES = {
    "none": None,
    "truncated": safetensors.numpy.save(weights())[:-9],
    "wrong keys": safetensors.numpy.save({"kernel": np.ones(3)}),
    "wrong shapes": safetensors.numpy.save(weights() | {"bias_hh_l0": np.ones(15, "f4")}),
}


@pytest.mark.parametrize("force", [(), ("--force",)], ids=["new", "force"])
@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_ends_in_one_line_and_leaves_what_was_there(gradparity, tmp_path, kind, force):
    (tmp_path / "out.npz").write_bytes(b"before")
    content, target = BAD_FILES[kind], "out.npz" if force else "new.npz"
    if content is not None:
        (tmp_path / "weights.safetensors").write_bytes(content)
    before = sorted(tmp_path.iterdir())
    code, out, err = gradparity(*TO_NNX, "weights.safetensors", target, *force)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("gradparity: weights.safetensors: ")
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "out.npz").read_bytes() == b"before"


def test_a_file_that_exists_is_overwritten_only_by_force(gradparity, weight_file, tmp_path):
    (tmp_path / "out.npz").write_bytes(b"before")
    code, _, err = gradparity(*TO_NNX, weight_file, "out.npz")
    assert (code, err) == (2, "gradparity: out.npz: exists already: --force overwrites it\n")
    assert (tmp_path / "out.npz").read_bytes() == b"before"
    (tmp_path / "link.npz").symlink_to(tmp_path / "none.npz")
    assert gradparity(*TO_NNX, weight_file, "link.npz")[0] == 2
    assert gradparity(*TO_NNX, weight_file, "out.npz", "--force")[0] == 0
    assert read_weights(tmp_path / "out.npz").keys() == {"dense_i.kernel", "dense_h.kernel", "dense_h.bias"}


def test_a_missing_library_is_reported_with_its_install_command(gradparity, weight_file, tmp_path, hide):
    hide("flax")
    code, _, err = gradparity(*TO_NNX, weight_file, "out.npz")
    assert (code, err.count("\n")) == (2, 1)
    assert 'pip install "gradparity[flax]"' in err
    assert "--no-verify converts without comparing the layers" in err
    assert gradparity(*TO_NNX, weight_file, "out.npz", "--no-verify")[0] == 0
    hide("safetensors")
    code, _, err = gradparity(*TO_NNX, weight_file, "again.npz")
    assert (code, err.count("\n")) == (2, 1)
    assert 'pip install "gradparity[convert]"' in err
