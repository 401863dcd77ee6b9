"""Keras: `.keras` and `.weights.h5` of Keras 3, `.h5` and `.hdf5` of Keras 2, all read by h5py. No model is built.

Keras 3 has a group for each layer, whose `cell/vars` hold the kernel as `0`, the recurrent kernel as `1` and the bias
as `2`; a `.keras` is a ZIP of such a file and of `config.json`. Keras 2 names the arrays, `lstm/lstm_cell/kernel:0`,
and has the configuration in the attribute `model_config`. Its CuDNNLSTM and CuDNNGRU have two biases, one after the
other in one axis, and each gate's kernel as (H, D) under the shape (D, H), each recurrent kernel transposed.
Source: `keras/src/saving/saving_lib.py` and `legacy_h5_format.py`; of the last, `_convert_rnn_weights`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InvalidProblemError, printable
from ..npz_files import MAX_BYTES
from .hdf5 import MAX_TEXT
from .hdf5_process import Hdf5Content, read_hdf5
from .keras_config import KerasLayer, layers_of_config
from .layers_by_name import layers_by_name
from .limits import read_bytes
from .weight_file import LayerInFile, Statement, WeightFile, with_sizes

VARIABLES = ("kernel", "recurrent_kernel", "bias")
DIRECTIONS = ("forward_layer", "backward_layer")
FORMAT = Statement("keras", "the format")
DEFAULT_SINCE = (2, 3)  # before it, the gates of Keras were hard_sigmoid unless told otherwise
CUDNN_BIASES = {8: "lstm", 6: "gru"}  # of how many H


def read_keras(path: Path) -> WeightFile:
    """Reads a `.keras`.

    Args:
        path: the file.

    Returns:
        Its layers, by their names in the model.

    Raises:
        InvalidProblemError: the file is damaged, too large, or no such archive.
        MissingFrameworkError: h5py is not installed.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path))) as archive:
            config = _entry(path, archive, "config.json", MAX_TEXT)
            weights = _entry(path, archive, "model.weights.h5", MAX_BYTES)
    except InvalidProblemError:
        raise
    except Exception as error:  # whatever zip and zlib make of damaged bytes
        raise InvalidProblemError(f"{path}: damaged, or not a .keras file") from error
    described = layers_of_config(path, config.decode(errors="replace"))
    return _of_keras3(path, "Keras 3", read_hdf5(path, weights), described)


def read_hdf5_weights(path: Path, library: str = "") -> WeightFile:
    """Reads a `.weights.h5`, an `.h5` of Keras 2, or another library's arrays in HDF5.

    Args:
        path: the file.
        library: whose names the arrays have, if it is not Keras.

    Returns:
        Its layers, by their groups or, with a configuration, by their names in the model.

    Raises:
        InvalidProblemError: the file is damaged or too large, or looks into other files.
        MissingFrameworkError: h5py is not installed.
    """
    held = read_hdf5(path)
    if library not in ("", "keras"):
        return WeightFile(path, "arrays in HDF5", held.arrays, layers_by_name(held.arrays, library))
    if any(f"{group}/".endswith("/vars/") or group == "vars" for group in held.groups):
        return _of_keras3(path, "weights of Keras 3", held, [])
    config = held.texts.get(("", "model_config"))
    described = layers_of_config(path, config) if config else []
    file = _of_keras2(path, held, described)
    others = () if file.layers else layers_by_name(held.arrays)
    return WeightFile(path, "arrays in HDF5", held.arrays, others) if others else file


def _entry(path: Path, archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError:
        raise InvalidProblemError(f"{path}: not a .keras file of Keras 3: it has no {name}") from None
    if entry.file_size > limit:
        sizes = f"{entry.file_size / 2**30:.3g} GiB, expected at most {limit / 2**30:.3g} GiB"
        raise InvalidProblemError(f"{path}: {name} unpacks to {sizes}")
    return archive.read(entry)


def _of_keras3(path: Path, kind: str, held: Hdf5Content, described: list[KerasLayer]) -> WeightFile:
    """The layers of a Keras 3 file: every `cell/vars`, two of them together where they are directions."""
    cells: dict[str, dict[str, dict[str, np.ndarray]]] = {}
    others: dict[str, str] = {}
    for group in held.groups:
        place, inner, rest = group.partition("/cell/")
        if not inner or not (rest == "vars" or rest.endswith("/vars")):
            continue
        if rest != "vars":
            others[place] = f"its cell has cells or layers of its own ({printable(rest.removesuffix('/vars'))})"
            continue
        above, _, last = place.rpartition("/")
        layer, direction = (above, last) if last in DIRECTIONS else (place, "")
        variables = {
            name: held.arrays[f"{group}/{k}"] for k, name in enumerate(VARIABLES) if f"{group}/{k}" in held.arrays
        }
        cells.setdefault(layer, {})[direction] = variables
    layers = []
    for group, directions in cells.items():
        arrays = {
            f"{direction}.cell.{name}" if direction else name: array
            for direction, variables in directions.items()
            for name, array in variables.items()
        }
        own_name = held.texts.get((f"{group}/vars", "name"), "")
        layer_described = _described_as(described, group, own_name)
        name = layer_described.name if layer_described else own_name or group.removeprefix("layers/")
        layers.append(_layer(name, arrays, layer_described, others.get(group, "")))
    layers += [
        LayerInFile(group.removeprefix("layers/"), "keras", {}, {"library": FORMAT}, unsupported=reason)
        for group, reason in others.items()
        if group not in cells
    ]
    return WeightFile(path, kind, held.arrays, _in_order(layers, described))


def _described_as(described: list[KerasLayer], group: str, own_name: str) -> KerasLayer | None:
    """The description of the layer in a group: by its own name; else by the group's, which Keras makes of the class."""
    last = group.rpartition("/")[2]
    for fits in (
        lambda layer: layer.name == own_name,
        lambda layer: not own_name and layer.group == last,
        lambda layer: not own_name and layer.name == last,
    ):
        fitting = [layer for layer in described if fits(layer)]
        if len(fitting) == 1:
            return fitting[0]
    return None


def _of_keras2(path: Path, held: Hdf5Content, described: list[KerasLayer]) -> WeightFile:
    """The layers of a Keras 2 file: by the names of their weights; and those of a CuDNN brought into Keras's form."""
    root = "model_weights/" if "model_weights" in held.groups else ""
    arrays = {name.removeprefix(root): array for name, array in held.arrays.items() if name.startswith(root)}
    version = held.texts.get((root.rstrip("/"), "keras_version"), held.texts.get(("", "keras_version"), ""))
    by_name = {layer.name: layer for layer in described}
    arrays, cudnn = _without_cudnn(arrays)
    layers = []
    for found in layers_by_name(arrays, "keras"):
        model_layer = found.name.split(".")[0]
        layer_described = by_name.get(model_layer)
        layer = _layer(model_layer or found.name, found.arrays, layer_described, found.unsupported)
        if any(name.startswith(model_layer) for name in cudnn):
            says = {"activation": Statement("sigmoid,tanh", "a CuDNN layer has no others")}
            layer = replace(layer, says=says | dict(layer.says))
        elif not layer_described and layer.cell and layer.cell != "rnn" and version:
            layer = _with_version(layer, version)
        layers.append(layer)
    names = [layer.name for layer in layers]
    layers = [  # of models in a model, whose layers stand in one group
        replace(layer, name=found.name) if names.count(layer.name) > 1 else layer
        for layer, found in zip(layers, layers_by_name(arrays, "keras"), strict=True)
    ]
    notes = (f"written by Keras {printable(version)}",) if version else ()
    return WeightFile(path, "Keras 2", arrays, _in_order(layers, described), notes)


def _in_order(layers: list[LayerInFile], described: list[KerasLayer]) -> tuple[LayerInFile, ...]:
    """The layers in the model's order, if there is a configuration; HDF5 has them in that of the alphabet."""
    order = {layer.name: k for k, layer in enumerate(described)}
    return tuple(sorted(layers, key=lambda layer: order.get(layer.name, len(order))))


def _layer(name: str, arrays: Mapping[str, np.ndarray], described: KerasLayer | None, reason: str) -> LayerInFile:
    says = {"library": FORMAT}
    if described:
        says |= described.says
        reason = reason or described.unsupported
    remarks = described.remarks if described else ()
    layer = with_sizes(LayerInFile(printable(name), "keras", dict(arrays), says, unsupported=reason, remarks=remarks))
    if described and described.cell and layer.cell and described.cell != layer.cell:
        reason = f"it is a {described.class_name}, and its weights are of a {layer.cell}"
        return replace(layer, unsupported=layer.unsupported or reason)
    if "direction" not in says and layer.bidirectional:
        layer = replace(layer, says={**layer.says, "direction": Statement("both", "the names of its weights")})
    return layer


def _with_version(layer: LayerInFile, version: str) -> LayerInFile:
    """The layer with a remark on the activations, which a file of weights alone does not tell."""
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < DEFAULT_SINCE:
        asked = f"Keras {printable(version)} had hard_sigmoid for the gates unless told otherwise"
        return replace(layer, says={**layer.says, "activation": Statement("", asked)})
    return layer


def _without_cudnn(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], set[str]]:
    """The arrays with those of CuDNN layers in the form of Keras's other layers, and the names of these."""
    plain, changed = dict(arrays), set()
    for name, bias in arrays.items():
        before, _, last = name.rpartition("/")
        kernels = [f"{before}/{kernel}{last.removeprefix('bias')}" for kernel in ("kernel", "recurrent_kernel")]
        if not last.startswith("bias") or bias.ndim != 1 or not set(kernels) <= arrays.keys():
            continue
        U, W = (arrays[kernel] for kernel in kernels)
        H = W.shape[0] if W.ndim == 2 else 0
        if not H or U.ndim != 2 or CUDNN_BIASES.get(bias.size // H) is None or bias.size % H:
            continue
        gates = bias.size // H // 2
        if U.shape[1] != gates * H or W.shape != (H, gates * H):
            continue
        plain[kernels[0]] = np.hstack([part.reshape(H, -1).T for part in np.split(U, gates, axis=1)])
        plain[kernels[1]] = np.hstack([part.T for part in np.split(W, gates, axis=1)])
        plain[name] = bias.reshape(2, -1) if gates == 3 else bias.reshape(2, -1).sum(axis=0)
        changed |= {name, *kernels}
    return plain, changed
