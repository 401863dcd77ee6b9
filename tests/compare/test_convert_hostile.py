"""Truncated, lying and hostile files of every format: one line, exit code 2, and nothing is written or run."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from pathlib import Path

import flax.serialization
import h5py
import numpy as np
import pytest
import safetensors.numpy
import torch
from gradparity.backends.adapters.keras_engine import keras_on
from gradparity.backends.weight_files import write_weights
from gradparity.backends.weight_files.onnx_writing import onnx_model
from gradparity.compare.conversion.conversion import convert
from sampling import case, chequered

KERAS_2 = {
    "lstm/lstm_cell/kernel:0": (3, 16),
    "lstm/lstm_cell/recurrent_kernel:0": (4, 16),
    "lstm/lstm_cell/bias:0": (16,),
}


def state():
    torch.manual_seed(0)
    return {name: tensor.numpy() for name, tensor in torch.nn.LSTM(3, 4).state_dict().items()}


def nested(arrays):
    tree = {}
    for name, array in arrays.items():
        *path, last = name.split(".")
        at = tree
        for key in path:
            at = at.setdefault(key, {})
        at[last] = array
    return tree


def make_keras(path):
    keras = keras_on("jax")
    model = keras.Sequential([keras.Input((7, 3)), keras.layers.LSTM(4, return_sequences=True)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        (model.save if path.suffix == ".keras" else model.save_weights)(path)


def make_h5(path):
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.4.0"
        for name, shape in KERAS_2.items():
            file[name] = np.ones(shape, "f4")


def make_onnx(path):
    conversion = convert(state(), "torch", "onnx")
    path.write_bytes(onnx_model(conversion.model, conversion.target_weights))


def make_msgpack(path):
    path.write_bytes(flax.serialization.msgpack_serialize(nested(convert(state(), "torch", "flax-linen").arrays)))


def make_torch(path):
    torch.save({name: torch.from_numpy(array) for name, array in state().items()}, path)


MAKERS = {
    "m.onnx": make_onnx,
    "m.keras": make_keras,
    "m.weights.h5": make_keras,
    "m.h5": make_h5,
    "m.pt": make_torch,
    "m.ckpt": make_torch,
    "m.msgpack": make_msgpack,
    "m.safetensors": lambda path: path.write_bytes(safetensors.numpy.save(state())),
    "m.npz": lambda path: write_weights(path, state()),
}


@pytest.fixture
def refused(gradparity, tmp_path):
    """Runs a conversion of a file that must be refused: one line, exit code 2, and no file beside it."""

    def run(name, *flags):
        for arguments in ((name,), (name, "out.npz", "--to", "equinox", *flags)):
            before = sorted(tmp_path.rglob("*"))
            code, out, err = gradparity("convert", *arguments)
            assert (code, out, err.count("\n")) == (2, "", 1), (arguments, out, err)
            assert err.startswith("gradparity: ")
            assert err.rstrip("\n").isprintable()
            assert sorted(tmp_path.rglob("*")) == before
        return err

    return run


@pytest.mark.parametrize("name", MAKERS)
def test_a_good_file_of_every_format_is_converted(gradparity, tmp_path, name):
    MAKERS[name](tmp_path / name)
    code, _, err = gradparity(
        "convert", name, "out.npz", "--to", "torch" if "m.k" in name or ".h5" in name else "equinox"
    )
    assert (code, err) == (0, "")


@pytest.mark.parametrize(("name", "part"), chequered(MAKERS, (0.0, 0.1, 0.5, 0.9, 0.99), every=3))
def test_a_file_that_is_cut_short_is_refused(refused, tmp_path, name, part):
    MAKERS[name](tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(part * len(content))])
    assert f"{name}: " in refused(name)


@pytest.mark.parametrize("name", [case(name, campaign=name.endswith(".h5")) for name in MAKERS])
def test_random_bytes_in_place_of_a_file_are_refused(refused, tmp_path, name):
    for seed in range(5):
        (tmp_path / name).write_bytes(np.random.default_rng(seed).bytes(300))
        refused(name)


@pytest.mark.parametrize("name", [case(name, campaign=number % 3 > 0) for number, name in enumerate(MAKERS)])
def test_a_file_with_a_few_bytes_changed_never_ends_in_a_traceback(gradparity, tmp_path, name):
    """Numbers may have changed, so that it may be read as well; if not, it is one line."""
    MAKERS[name](tmp_path / name)
    content, rng = (tmp_path / name).read_bytes(), np.random.default_rng(0)
    for _ in range(25):
        changed = bytearray(content)
        for place in rng.integers(len(content), size=3):
            changed[place] = rng.integers(256)
        (tmp_path / name).write_bytes(changed)
        code, _, err = gradparity("convert", name)
        assert (code, err.count("\n")) in ((0, 0), (2, 1)), err


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "name", [case(name, campaign=name not in MAKERS) for name in (*MAKERS, "m.bin", "m.pkl", "m.joblib", "m.pdparams")]
)
def test_a_pickle_under_any_name_is_not_run(refused, tmp_path, name):
    trap = tmp_path / "ran"
    (tmp_path / name).write_bytes(pickle.dumps(Trap(trap)))
    refused(name)
    content = io.BytesIO()
    torch.save({"weight_ih_l0": Trap(trap)}, content)
    (tmp_path / name).write_bytes(content.getvalue())
    refused(name)
    assert not trap.exists()


def test_a_bomb_of_zeros_in_every_kind_of_archive_is_refused(refused, tmp_path):
    for name, entry in {"a.npz": "w.npy", "b.keras": "config.json", "c.pt": "c/data.pkl"}.items():
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(entry, b"")
            if entry == "config.json":
                archive.writestr("model.weights.h5", b"")
        bomb = bytearray(content.getvalue())
        directory = bomb.index(b"PK\x01\x02")
        bomb[directory + 24 : directory + 28] = (0xFFFFFFF0).to_bytes(4, "little")
        (tmp_path / name).write_bytes(bomb)
        assert "unpacks to 4 GiB, expected at most" in refused(name)


def test_names_in_a_file_do_not_reach_the_terminal_as_they_are(gradparity, tmp_path):
    hostile = "\x1b[2Jx\ny"
    arrays = {f"{hostile}.{name}": array for name, array in state().items()}
    arrays[f"{hostile}.weight_ih_l0"] = np.full((16, 3), np.nan, "f4")
    write_weights(tmp_path / "w.npz", arrays | {hostile: np.ones(3)})
    for arguments in (
        ("w.npz",),
        ("w.npz", "o.npz", "--to", "keras"),
        ("w.npz", "o.npz", "--to", "keras", "--from", "torch"),
    ):
        _, out, err = gradparity("convert", *arguments)
        assert "\x1b" not in out + err
        assert err.count("\n") <= 1
