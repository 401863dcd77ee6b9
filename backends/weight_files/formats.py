"""What a file is, told by its content, and by its name where its content has no mark; and what to do with the others.

Marks: HDF5, ZIP, NumPy, pickle (a protocol from 2 to 5), TensorFlow Lite (`TFL3` at byte 4), GGUF and safetensors (the
length of a JSON header) have one. ONNX, msgpack and TensorFlow's protobufs have none, and are told by their names.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidProblemError, RequestError

HDF5, ZIP, NPY, GGUF = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04", b"\x93NUMPY", b"GGUF"
TORCH_PICKLE = (
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the number with which torch.save began before it wrote ZIPs
)
LFS = b"version https://git-lfs"
READ_BY_NAME = {
    ".onnx": "onnx",
    ".keras": "keras",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".npz": "npz",
    ".safetensors": "safetensors",
    ".msgpack": "msgpack",
    ".pt": "torch",
    ".pth": "torch",
    ".ckpt": "torch",
}
SAVE = 'safetensors.torch.save_file({name: tensor.clone() for name, tensor in %s.items()}, "weights.safetensors")'
SAVE_ARRAYS = 'numpy.savez("weights.npz", **%s)'


@dataclass(frozen=True)
class Unreadable:
    """A format that cannot be read safely, or not at all.

    Attributes:
        what: what the file is, and why it is not read.
        lines: two statements of Python that write a file which is read; `FILE` stands for the path.
    """

    what: str
    lines: tuple[str, ...] = ()


UNREADABLE = {
    "scripted": Unreadable(
        "a scripted model of PyTorch, which is code",
        ("import torch, safetensors.torch", SAVE % "torch.jit.load(FILE).state_dict()"),
    ),
    "exported": Unreadable(
        "an exported program of PyTorch, which is code",
        ("import torch, safetensors.torch", SAVE % "torch.export.load(FILE).state_dict"),
    ),
    "pickle": Unreadable(
        "a pickle, which runs code when it is loaded",
        ("import pickle, numpy", SAVE_ARRAYS % 'pickle.load(open(FILE, "rb"))'),
    ),
    "joblib": Unreadable(
        "a file of joblib, which runs code when it is loaded",
        ("import joblib, numpy", SAVE_ARRAYS % "joblib.load(FILE)"),
    ),
    "paddle": Unreadable(
        "a pickle of PaddlePaddle, which runs code when it is loaded",
        ("import paddle, numpy", SAVE_ARRAYS % "{name: t.numpy() for name, t in paddle.load(FILE).items()}"),
    ),
    "tflite": Unreadable("a model of TensorFlow Lite, whose layers are taken apart: convert the model it was made of"),
    "checkpoint": Unreadable(
        "a checkpoint of TensorFlow",
        (
            "import tensorflow as tf, numpy",
            SAVE_ARRAYS % "{name: tf.train.load_variable(FILE, name) for name, _ in tf.train.list_variables(FILE)}",
        ),
    ),
    "savedmodel": Unreadable(
        "a graph of TensorFlow, which is a program",
        (
            "import tensorflow as tf, numpy",
            SAVE_ARRAYS % "{v.name: v.numpy() for v in tf.saved_model.load(FOLDER).variables}",
        ),
    ),
    "frozen": Unreadable(
        "a graph of TensorFlow, which is a program",
        (
            'import numpy, tensorflow as tf; graph = tf.compat.v1.GraphDef.FromString(open(FILE, "rb").read())',
            SAVE_ARRAYS % '{n.name: a for n in graph.node if n.op == "Const" '
            'and (a := tf.make_ndarray(n.attr["value"].tensor)).dtype.kind == "f"}',
        ),
    ),
    "coreml": Unreadable("a model of Core ML, whose weights are not read: convert the model it was made of"),
    "gguf": Unreadable("a GGUF file, whose formats have no recurrent layers"),
    "array": Unreadable(
        "a single array, and a layer has several",
        ("import numpy", 'numpy.savez("weights.npz", kernel=numpy.load(FILE), recurrent_kernel=…)'),
    ),
    "folder": Unreadable("a folder: give the file in it that has the weights"),
    "pointer": Unreadable("a pointer of Git LFS, and not the file itself: `git lfs pull` brings it"),
}
UNREADABLE_BY_NAME = (
    (r"\.(pkl|pickle|p)$", "pickle"),
    (r"\.(joblib|jl)$", "joblib"),
    (r"\.(pdparams|pdiparams|pdopt)$", "paddle"),
    (r"\.tflite$", "tflite"),
    (r"\.(index|meta|data-\d+-of-\d+)$", "checkpoint"),
    (r"^saved_model\.pb$", "savedmodel"),
    (r"\.pb$", "frozen"),
    (r"\.(mlmodel|mlpackage)$", "coreml"),
    (r"\.gguf$", "gguf"),
)


def format_of(path: Path) -> str:
    """The format of a file that can be read.

    Args:
        path: the file.

    Returns:
        `onnx`, `keras`, `hdf5`, `npz`, `safetensors`, `msgpack` or `torch`.

    Raises:
        InvalidProblemError: there is no such file, or it cannot be opened.
        RequestError: it is of another format; the message says of which, and what makes a readable file of it.
    """
    kind = _by_content(path) or READ_BY_NAME.get(path.suffix.lower(), "")
    if kind in UNREADABLE:
        raise RequestError(_advice(path, UNREADABLE[kind]))
    if not kind:
        raise RequestError(f"{path}: of no known format, expected a file called {', '.join(READ_BY_NAME)}")
    return kind


def _by_content(path: Path) -> str:
    """What a file's content and, of what cannot be read, its name say; empty if they say nothing."""
    if path.is_dir():
        inside = {entry.name for entry in path.iterdir()}
        return "savedmodel" if "saved_model.pb" in inside else "coreml" if path.suffix == ".mlpackage" else "folder"
    by_name = next((kind for pattern, kind in UNREADABLE_BY_NAME if re.search(pattern, path.name.lower())), "")
    if not path.exists() and path.with_name(f"{path.name}.index").exists():
        return "checkpoint"
    try:
        with path.open("rb") as file:
            start = file.read(512)
    except FileNotFoundError:
        raise InvalidProblemError(f"{path}: no such file") from None
    except OSError as error:
        raise InvalidProblemError(f"{path}: cannot be read: {error.strerror or error}") from error
    return _by_mark(path, start, by_name) or by_name


def _by_mark(path: Path, start: bytes, by_name: str) -> str:
    """What a file is by how it begins."""
    if start.startswith(ZIP):
        return _zip_kind(path)
    if start.startswith(TORCH_PICKLE):
        return "torch"
    for mark, kind in ((HDF5, "hdf5"), (NPY, "array"), (GGUF, "gguf"), (LFS, "pointer")):
        if start.startswith(mark):
            return kind
    if start[4:8] == b"TFL3":
        return "tflite"
    if len(start) > 8 and start[8:9] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        return "safetensors"
    if re.match(rb"\x80[\x02-\x05]", start):
        return by_name or "pickle"
    return ""


def _zip_kind(path: Path) -> str:
    """What a ZIP is by the names in it; empty if they say nothing, or cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception:  # whatever zip makes of damaged bytes
        return ""
    inner = {name.partition("/")[2] for name in names}
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    if {"config.json", "model.weights.h5"} <= set(names):
        return "keras"
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        return "scripted"
    if any(name.startswith(("models/", "serialized_exported_program")) for name in (*inner, *names)):
        return "exported"
    return "torch" if "data.pkl" in inner else ""


def _advice(path: Path, unreadable: Unreadable) -> str:
    """What the file is, and the lines that make a readable one, in one line."""
    if not unreadable.lines:
        return f"{path}: {unreadable.what}"
    folder = path if path.is_dir() else path.parent
    lines = "; ".join(unreadable.lines).replace("FILE", repr(str(path))).replace("FOLDER", repr(str(folder)))
    return f"{path}: {unreadable.what}. Where you trust it: {lines}"
