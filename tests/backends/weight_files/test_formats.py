"""Formats are told by content before names, and what cannot be read is refused with lines that make what can be."""

from __future__ import annotations

import io
import pickle
import zipfile

import joblib
import pytest
import torch
from gradparity.backends import InvalidProblemError, RequestError
from gradparity.backends.weight_files import read_weight_file, write_weights
from gradparity.backends.weight_files.formats import UNREADABLE, format_of


def weights():
    return {name: tensor.numpy() for name, tensor in torch.nn.LSTM(3, 4).state_dict().items()}


def zip_of(*names):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return content.getvalue()


CONTENTS = {
    "hdf5": b"\x89HDF\r\n\x1a\n",
    "keras": zip_of("config.json", "model.weights.h5", "metadata.json"),
    "npz": zip_of("a.npy", "models/b.npy"),
    "torch": zip_of("archive/data.pkl", "archive/version"),
    "safetensors": (2).to_bytes(8, "little") + b"{}",
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_the_content_is_believed_before_the_name(tmp_path, kind):
    for name in ("x.onnx", "x.h5", "x", "x.bin", "x.npz"):
        (tmp_path / name).write_bytes(CONTENTS[kind])
        assert format_of(tmp_path / name) == kind


@pytest.mark.parametrize(("name", "kind"), [("x.onnx", "onnx"), ("x.MSGPACK", "msgpack"), ("x.npz", "npz")])
def test_without_a_mark_the_name_is_believed(tmp_path, name, kind):
    (tmp_path / name).write_bytes(b"\x08\x07 anything")
    assert format_of(tmp_path / name) == kind


REFUSED = {
    "m.jit": (zip_of("m/data.pkl", "m/constants.pkl", "m/code/x.py"), "a scripted model of PyTorch"),
    "m.pt2": (zip_of("m/models/model.json"), "an exported program of PyTorch"),
    "m.pkl": (b"", "a pickle"),
    "m.npz": (pickle.dumps({"a": 1}), "a pickle"),
    "m.joblib": (b"\x80\x04", "a file of joblib"),
    "m.pdparams": (b"\x80\x04", "a pickle of PaddlePaddle"),
    "m.tflite": (b"\x1c\x00\x00\x00TFL3", "a model of TensorFlow Lite"),
    "renamed.onnx": (b"\x1c\x00\x00\x00TFL3", "a model of TensorFlow Lite"),
    "m.ckpt.index": (b"", "a checkpoint of TensorFlow"),
    "m.ckpt.data-00000-of-00001": (b"", "a checkpoint of TensorFlow"),
    "saved_model.pb": (b"\x08\x01", "a graph of TensorFlow"),
    "frozen.pb": (b"\n\x01", "a graph of TensorFlow"),
    "m.mlmodel": (b"", "a model of Core ML"),
    "m.gguf": (b"GGUF", "a GGUF file"),
    "m.npy": (b"\x93NUMPY\x01\x00", "a single array"),
    "m.safetensors": (b"version https://git-lfs.github.com/spec/v1\noid 1", "a pointer of Git LFS"),
    "m.xyz": (b"anything", "of no known format, expected a file called .onnx"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_called_by_its_name_in_one_line(tmp_path, name):
    content, message = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RequestError) as error:
        read_weight_file(tmp_path / name)
    assert str(error.value).startswith(f"{tmp_path / name}: {message}")
    assert "\n" not in str(error.value)


def test_folders_and_the_prefix_of_a_checkpoint_are_told(tmp_path):
    (tmp_path / "plain").mkdir()
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    (tmp_path / "model.ckpt.index").write_bytes(b"")
    for name, message in {
        "plain": "a folder: ",
        "saved": "a graph of TensorFlow",
        "model.ckpt": "a checkpoint",
    }.items():
        with pytest.raises(RequestError, match=message):
            read_weight_file(tmp_path / name)
    with pytest.raises(InvalidProblemError, match=r"none\.pt: no such file"):
        read_weight_file(tmp_path / "none.pt")


def save_scripted(path):
    torch.jit.script(torch.nn.LSTM(3, 4)).save(str(path))


def save_exported(path):
    program = torch.export.export(torch.nn.Linear(3, 4), (torch.ones(2, 3),))
    torch.export.save(program, path)


def save_pickle(path):
    path.write_bytes(pickle.dumps(weights()))


def save_joblib(path):
    joblib.dump(weights(), path)


SAVED = {"m.pt": save_scripted, "m.pt2": save_exported, "m.pickle": save_pickle, "m.joblib": save_joblib}


@pytest.mark.parametrize("name", SAVED)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_the_lines_that_are_shown_make_a_file_that_is_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    SAVED[name](tmp_path / name)
    with pytest.raises(RequestError) as error:
        read_weight_file(tmp_path / name)
    exec(str(error.value).split("Where you trust it: ")[1])
    (made,) = tmp_path.glob("weights.*")
    assert len(read_weight_file(made).layers) == (0 if name == "m.pt2" else 1)


def test_every_refusal_with_lines_has_two_that_are_python():
    for unreadable in UNREADABLE.values():
        for line in unreadable.lines:
            compile(line.replace("FILE", "'x'").replace("FOLDER", "'x'").replace("…", "None"), "line", "exec")
        assert len(unreadable.lines) in (0, 2)


def test_arrays_of_another_library_in_hdf5_are_read_by_their_names(tmp_path):
    import h5py

    with h5py.File(tmp_path / "w.h5", "w") as file:
        for name, array in weights().items():
            file[f"enc/{name}"] = array
    for library in ("", "torch"):
        (layer,) = read_weight_file(tmp_path / "w.h5", library).layers
        assert (layer.name, layer.library, layer.unsupported) == ("enc", "torch", "")


def test_an_npz_under_another_name_is_read(tmp_path):
    write_weights(tmp_path / "w.npz", weights())
    (tmp_path / "w.npz").rename(tmp_path / "weights.bin")
    assert len(read_weight_file(tmp_path / "weights.bin").layers) == 1
