"""Files of weights: read to the bit, refused in one line, never half-written; and the layer that is in them."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from gradparity.backends import InvalidProblemError, RequestError
from gradparity.backends.layouts import get_layout
from gradparity.backends.layouts.find_layer import find_layer
from gradparity.backends.weight_files import read_weights, write_weights

TORCH = get_layout("torch")
of_both_kinds = pytest.mark.parametrize("suffix", [".safetensors", ".npz"])


def arrays(dtype="float32"):
    drawn = np.random.default_rng(0).standard_normal((3, 4)).astype(dtype)
    return {"cell.kernel": drawn, "cell.transposed": drawn.T, "cell.bias": drawn[0]}


def bytes_of(write, *args, **kwargs):
    content = io.BytesIO()
    write(content, *args, **kwargs)
    return content.getvalue()


@of_both_kinds
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_weights_come_back_to_the_bit_whatever_their_order_in_memory(tmp_path, suffix, dtype):
    path = write_weights(tmp_path / f"weights{suffix}", arrays(dtype))
    arrays_read = read_weights(path)
    assert arrays_read.keys() == arrays().keys()
    for name, array in arrays(dtype).items():
        assert arrays_read[name].dtype == dtype
        np.testing.assert_array_equal(arrays_read[name], array)


def test_torch_reads_what_is_written_and_what_torch_writes_is_read(tmp_path):
    written = write_weights(tmp_path / "ours.safetensors", arrays())
    for name, tensor in safetensors.torch.load_file(written).items():
        np.testing.assert_array_equal(tensor.numpy(), arrays()[name])
    tensors = {
        "half": torch.randn(3, 4, dtype=torch.bfloat16),
        "count": torch.tensor(7),
        "mask": torch.tensor([True, False]),
    }
    safetensors.torch.save_file(tensors, tmp_path / "theirs.safetensors")
    arrays_read = read_weights(tmp_path / "theirs.safetensors")
    np.testing.assert_array_equal(arrays_read["half"], tensors["half"].float().numpy())
    assert (arrays_read["count"], arrays_read["mask"].tolist()) == (7, [True, False])


class Loaded:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_no_pickle_is_loaded(tmp_path):
    trap, bomb = tmp_path / "loaded", np.array([Loaded(tmp_path / "loaded")], dtype=object)
    (tmp_path / "inside.npz").write_bytes(bytes_of(np.savez, kernel=bomb))
    (tmp_path / "whole.npz").write_bytes(pickle.dumps(Loaded(trap)))
    (tmp_path / "named.safetensors").write_bytes(pickle.dumps(Loaded(trap)))
    for name, message in {
        "inside.npz": "pickled objects",
        "whole.npz": "damaged",
        "named.safetensors": "damaged",
    }.items():
        with pytest.raises(InvalidProblemError, match=f"{name}: .*{message}"):
            read_weights(tmp_path / name)
    assert not trap.exists()
    np.load(tmp_path / "inside.npz", allow_pickle=True)["kernel"]
    assert trap.exists()


GOOD = {
    ".npz": bytes_of(np.savez, **arrays()),
    ".safetensors": safetensors.numpy.save({name: np.ascontiguousarray(array) for name, array in arrays().items()}),
}


@of_both_kinds
def test_a_file_cut_short_anywhere_is_damaged(tmp_path, suffix):
    path, good = tmp_path / f"weights{suffix}", GOOD[suffix]
    for size in range(0, len(good), 7):
        path.write_bytes(good[:size])
        with pytest.raises(InvalidProblemError, match=rf"^.*weights\{suffix}: damaged, or not an? [^\n]*$"):
            read_weights(path)


def test_a_damaged_byte_of_an_npz_is_found(tmp_path):
    path, content = tmp_path / "weights.npz", bytearray(GOOD[".npz"])
    content[content.index(np.ascontiguousarray(arrays()["cell.kernel"]).tobytes()) + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(InvalidProblemError, match="damaged"):
        read_weights(path)


BAD = {
    "array.npz": (bytes_of(np.save, np.ones(3)), "a single array"),
    "text.npz": (b"no archive", "damaged"),
    "other.npz": (bytes_of(lambda content: zipfile.ZipFile(content, "w").writestr("a.npy", b"no array")), "damaged"),
    "text.safetensors": (b"no header", "damaged"),
    "eight.safetensors": (
        safetensors.torch.save({"a": torch.ones(2, dtype=torch.float8_e4m3fn)}),
        "'a' is F8_E4M3, expected",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_other_files_are_refused_in_one_line(tmp_path, name):
    content, message = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidProblemError, match=rf"^.*{name}: {message}[^\n]*$"):
        read_weights(tmp_path / name)


def test_files_that_are_not_there_or_of_another_kind_are_refused(tmp_path):
    with pytest.raises(InvalidProblemError, match=r"none\.npz: no such file$"):
        read_weights(tmp_path / "none.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(InvalidProblemError, match=r"folder\.npz: cannot be read"):
        read_weights(tmp_path / "folder.npz")
    for refused in (read_weights, lambda path: write_weights(path, arrays())):
        with pytest.raises(RequestError, match=r"model\.pt: expected a file called \.safetensors or \.npz$"):
            refused(tmp_path / "model.pt")


def state_dict(prefix="", **options):
    layer = torch.nn.LSTM(3, 4, **options)
    return {f"{prefix}{name}": tensor.detach().numpy() for name, tensor in layer.named_parameters()}


def test_a_layer_is_found_among_other_weights_by_its_prefix():
    arrays = state_dict("enc.rnn.", num_layers=2, bidirectional=True)
    other_arrays = {"enc.norm.scale": np.ones(3), "enc.rnn.count": np.array(3), "enc.rnn2.weight_ih_l0": np.ones(3)}
    for prefix in ("enc.rnn", "enc/rnn", "enc.rnn."):
        weights, stack = find_layer(TORCH, arrays | other_arrays, prefix)
        assert stack == {"num_layers": 2, "bidirectional": True}
        assert len(weights) == 4
        np.testing.assert_array_equal(weights[1]["weight_ih"], arrays["enc.rnn.weight_ih_l0_reverse"])
        np.testing.assert_array_equal(weights[2]["bias_hh"], arrays["enc.rnn.bias_hh_l1"])


def test_the_only_layer_needs_no_prefix_whatever_it_is_called():
    assert find_layer(TORCH, state_dict("model.lstm."))[1] == {"num_layers": 1, "bidirectional": False}
    cell = {"lstm/linear/w": np.ones((7, 16)), "lstm/linear/b": np.ones(16)}
    assert find_layer(get_layout("haiku"), cell)[0][0].keys() == {"linear.w", "linear.b"}
    arrays = {"cell/weight_ih": np.ones((16, 3)), "cell/weight_hh": np.ones((16, 4))}
    assert find_layer(TORCH, arrays)[0][0].keys() == {"weight_ih", "weight_hh"}


def test_an_empty_prefix_leaves_other_modules_alone():
    arrays = state_dict() | {"head.weight": np.ones((2, 4))}
    assert len(find_layer(TORCH, arrays, "")[0]) == 1
    with pytest.raises(InvalidProblemError, match="'scale' is among the layer's weights"):
        find_layer(TORCH, arrays | {"scale": np.ones(1)}, "")


def test_a_prefix_that_looks_like_a_stack_is_taken_as_it_is():
    nnx = get_layout("flax-nnx")
    arrays = {f"enc.layer{k}.dense_{side}.kernel": np.full((4, 16), k) * 1.0 for k in (0, 1) for side in "ih"}
    assert find_layer(nnx, arrays)[1]["num_layers"] == 2
    weights, stack = find_layer(nnx, arrays, "enc.layer1")
    assert stack["num_layers"] == 1
    assert weights[0]["dense_i.kernel"].all()


def without(arrays, *names):
    return {name: array for name, array in arrays.items() if name not in names}


UNFIT = {
    "nothing": ({}, None, "no weights of a layer: the arrays are none"),
    "wrong keys": (
        {"kernel": np.ones(3)},
        None,
        "no weights of a layer: the arrays are 'kernel', expected names such as 'bias_hh'",
    ),
    "wrong prefix": (state_dict("a."), "b", "no weights of a layer after the prefix 'b': the arrays are 'a.weight_ih"),
    "no layer": ({"a.weight": np.ones((4, 1))}, "a", "no weights of a layer after the prefix 'a'"),
    "half a prefix": (state_dict("ab."), "a", "no weights of a layer after the prefix 'a'"),
    "two layers": (state_dict("a.") | state_dict("b."), None, "several layers, 'a', 'b': choose one by --prefix"),
    "others": (
        state_dict("a.") | {"scale": np.ones(1)},
        None,
        "'scale' is no weight of the layer: .*add --prefix a$",
    ),
    "others beside": (state_dict() | {"head.bias": np.ones(1)}, None, "'head.bias' is no .*add --prefix ''$"),
    "projection": (
        state_dict("a.") | {"a.weight_hr_l0": np.ones(1)},
        "a",
        "'a.weight_hr_l0' is among the layer's weights: a projection. Such a cell is not converted; assert_same_layer",
    ),
    "too many layers": (state_dict("a.", num_layers=65), "a", "'a.weight_ih_l64' is among the layer's weights"),
    "twice": (
        {"a/weight_ih": np.ones((4, 1)), "a.weight_ih": np.zeros((4, 1))},
        None,
        "'a.weight_ih' appears twice, as one weight under two names",
    ),
    "a gap": (without(state_dict(num_layers=2), *state_dict()), None, "no weights of layer 0"),
    "one direction": (
        without(state_dict(num_layers=2, bidirectional=True), *(f"{n}_reverse" for n in state_dict())),
        None,
        "no weights of layer 0 in its second direction",
    ),
    "half a bias": (
        without(state_dict(num_layers=2), "bias_ih_l1", "bias_hh_l1"),
        None,
        "layer 1 has 'weight_hh', 'weight_ih', and the first has 'bias_hh', 'bias_ih', 'weight_hh', 'weight_ih'",
    ),
    "integers": (state_dict() | {"bias_ih_l0": np.ones(16, int)}, None, "bias_ih_l0 is int64, expected floating"),
    "no number": (
        state_dict() | {"bias_ih_l0": np.array([0.0, np.nan])},
        None,
        r"bias_ih_l0\[1\] is nan, expected finite",
    ),
    "infinity": (
        state_dict() | {"bias_ih_l0": np.array([-np.inf])},
        None,
        r"bias_ih_l0\[0\] is -inf, expected finite",
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_weights_that_are_no_layer_are_refused(case):
    arrays, prefix, message = UNFIT[case]
    with pytest.raises(InvalidProblemError, match=f"^{message}"):
        find_layer(TORCH, arrays, prefix)


def test_peepholes_of_onnx_are_not_lost():
    peepholes = {f"a.{name}": np.ones((1, 16, 4)) for name in ("W", "R", "P")}
    with pytest.raises(InvalidProblemError, match=r"'a\.P' is among the layer's weights"):
        find_layer(get_layout("onnx"), peepholes, "a")


def test_the_arrays_of_a_safetensors_file_come_in_the_order_in_which_people_count(tmp_path):
    names = [f"layer{k}.{name}" for k in range(12) for name in ("bias", "weight")]
    file = write_weights(tmp_path / "weights.safetensors", {name: np.ones(2) for name in reversed(names)})
    assert list(read_weights(file)) == names
