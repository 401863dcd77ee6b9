"""Keras: `.keras` and `.weights.h5` of Keras 3, `.h5` and `.hdf5` of Keras 2, all read by h5py. No model is built.

Keras 3 has a group for each layer, whose `cell/vars` hold the kernel as `0`, the recurrent kernel as `1` and the bias
as `2`; a `.keras` is a ZIP of such a file and of `config.json`. Keras 2 names the arrays, `lstm/lstm_cell/kernel:0`,
and has the configuration in the attribute `model_config`. Its CuDNNLSTM and CuDNNGRU have two biases, one after the
other in one axis, and each gate's kernel as (H, D) under the shape (D, H), each recurrent kernel transposed.
Source: `keras/src/saving/saving_lib.py` and `legacy_h5_format.py`; of the last, `_convert_rnn_weights`.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import InvalidProblemError, printable
from ..npz_files import MAX_BYTES
from .hdf5 import MAX_TEXT
from .hdf5_process import Hdf5Content, read_hdf5
from .keras_config import MIXED, STACKS_APART, KerasLayer, layers_of_config
from .layers_by_name import layers_by_name
from .limits import read_bytes
from .weight_file import LayerInFile, Statement, WeightFile, with_sizes

VARIABLES = ("kernel", "recurrent_kernel", "bias")
CELL_OF_STACK = re.compile(r"cells/(\w+?)(?:_(\d+))?/vars$")
STACKED = re.compile(r"(^|\.)stacked_rnn_cells[^.]*\.")  # in the name of a layer of Keras 2
SEVERAL_SIZES = "its stacked cells are of several sizes"
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
    stacks: dict[str, dict[tuple[str, int], dict[str, np.ndarray]]] = {}
    for group in held.groups:
        place, inner, rest = group.partition("/cell/")
        if not inner or not (rest == "vars" or rest.endswith("/vars")):
            continue
        if rest != "vars":
            part = CELL_OF_STACK.match(rest)
            if not part:
                others[place] = f"its cell has cells or layers of its own ({printable(rest.removesuffix('/vars'))})"
            elif place.rpartition("/")[2] in DIRECTIONS:
                others[place.rpartition("/")[0]] = STACKS_APART
            else:
                stacks.setdefault(place, {})[part[1], int(part[2] or 0)] = _variables(held, group)
            continue
        above, _, last = place.rpartition("/")
        layer, direction = (above, last) if last in DIRECTIONS else (place, "")
        cells.setdefault(layer, {})[direction] = _variables(held, group)
    arrays_of = {group: _named(directions) for group, directions in cells.items()}
    for group, stack in stacks.items():
        numbers = sorted(number for _, number in stack)
        if len({class_name for class_name, _ in stack}) > 1 or numbers != list(range(len(stack))):
            others[group] = MIXED
        else:
            arrays_of[group] = {
                f"layer{number}.{name}": array for (_, number), cell in stack.items() for name, array in cell.items()
            }
    layers = []
    for group, arrays in arrays_of.items():
        own_name = held.texts.get((f"{group}/vars", "name"), "")
        layer_described = _described_as(described, group, own_name)
        name = layer_described.name if layer_described else own_name or group.removeprefix("layers/")
        layers.append(_layer(name, arrays, layer_described, others.get(group, "")))
    layers += [
        LayerInFile(group.removeprefix("layers/"), "keras", {}, {"library": FORMAT}, unsupported=reason)
        for group, reason in others.items()
        if group not in arrays_of
    ]
    return WeightFile(path, kind, held.arrays, _in_order(layers, described))


def _variables(held: Hdf5Content, group: str) -> dict[str, np.ndarray]:
    return {name: held.arrays[f"{group}/{k}"] for k, name in enumerate(VARIABLES) if f"{group}/{k}" in held.arrays}


def _named(directions: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {
        f"{direction}.cell.{name}" if direction else name: array
        for direction, variables in directions.items()
        for name, array in variables.items()
    }


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
    all_found = _with_stacks(layers_by_name(arrays, "keras"), by_name)
    for found in all_found:
        model_layer = found.name.split(".")[0]
        layer_described = by_name.get(model_layer)
        layer = _layer(model_layer or found.name, found.arrays, layer_described, found.unsupported)
        layer = replace(layer, remarks=(*layer.remarks, *found.remarks))
        if any(name.startswith(model_layer) for name in cudnn):
            says = {"activation": Statement("sigmoid,tanh", "a CuDNN layer has no others")}
            layer = replace(layer, says=says | dict(layer.says))
        elif not layer_described and layer.cell and layer.cell != "rnn" and version:
            layer = _with_version(layer, version)
        layers.append(layer)
    names = [layer.name for layer in layers]
    layers = [  # of models in a model, whose layers stand in one group
        replace(layer, name=found.name) if names.count(layer.name) > 1 else layer
        for layer, found in zip(layers, all_found, strict=True)
    ]
    notes = (f"written by Keras {printable(version)}",) if version else ()
    return WeightFile(path, "Keras 2", arrays, _in_order(layers, described), notes)


def _with_stacks(found: Sequence[LayerInFile], by_name: Mapping[str, KerasLayer]) -> list[LayerInFile]:
    """The layers of a Keras 2 file, the cells of a `StackedRNNCells` as one: in the order of the configuration.

    Without a configuration, cells that Keras named are in the order of their numbers.
    """
    stacks: dict[str, list[LayerInFile]] = {}
    for layer in found:
        model_layer = layer.name.split(".")[0]
        described = by_name.get(model_layer)
        if described.cells if described else STACKED.search(layer.name):
            stacks.setdefault(model_layer, []).append(layer)
    layers: list[LayerInFile] = []
    for layer in found:
        stack = stacks.get(layer.name.split(".")[0], [])
        if layer not in stack:
            layers.append(layer)
        elif layer is stack[0]:
            layers.append(_one_stack(layer.name.split(".")[0], stack, by_name))
    return layers


def _one_stack(name: str, stack: Sequence[LayerInFile], by_name: Mapping[str, KerasLayer]) -> LayerInFile:
    cells = {layer.name.rpartition(".")[2]: layer for layer in stack}
    names: Sequence[str] = by_name[name].cells if name in by_name else sorted(cells, key=_number)
    remarks: tuple[str, ...] = ()
    if name not in by_name:
        remarks = (f"the order of its cells is told by their names alone: {', '.join(map(printable, names))}",)
    reason = next((layer.unsupported for layer in stack if layer.unsupported), "")
    if any(f".{direction}_" in layer.name for layer in stack for direction in ("forward", "backward")):
        reason = STACKS_APART
    elif len(cells) < len(stack) or set(names) != set(cells):
        reason = reason or f"its cells are {', '.join(map(printable, names))}, and those in the file are others"
    arrays = {
        f"layer{k}.{weight}": array
        for k, cell in enumerate(names)
        if cell in cells
        for weight, array in cells[cell].arrays.items()
    }
    return replace(stack[0], name=name, arrays={} if reason else arrays, unsupported=reason, remarks=remarks)


def _number(name: str) -> int:
    """3 of `lstm_cell_3`, and 0 of `lstm_cell`."""
    last = name.rpartition("_")[2]
    return int(last) if last.isdigit() else 0


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
    shapes = {array.shape for name, array in arrays.items() if name.endswith("recurrent_kernel")}
    if len(shapes) > 1 and layer.num_layers > 1:
        layer = replace(layer, unsupported=layer.unsupported or SEVERAL_SIZES)
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
