"""What the configuration of a Keras model says of its recurrent layers. It is read as JSON: nothing is built from it.

Both Keras 2 (`model_config` in an .h5) and Keras 3 (`config.json` in a .keras) have a tree of `class_name` and
`config`, in which a `Bidirectional` has a `layer`, and an `RNN` a `cell`.
Source: `keras.saving.serialize_keras_object`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InvalidProblemError, printable
from .weight_file import Statement

CELLS = {"SimpleRNN": "rnn", "LSTM": "lstm", "GRU": "gru", "CuDNNLSTM": "lstm", "CuDNNGRU": "gru", "RNN": ""}
CELL_CLASSES = {"SimpleRNNCell": "rnn", "LSTMCell": "lstm", "GRUCell": "gru"}
OTHER_CELLS = ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
MAX_DEPTH = 100
STACKS_APART = "its two directions are stacks, which meet after the last layer alone: no other library has that"
MIXED = "its stacked cells are of several kinds"
FUNCTIONS = {"linear": "identity"}  # where Keras has another name


@dataclass(frozen=True)
class KerasLayer:
    """A recurrent layer of a configuration.

    Attributes:
        name: the layer's own.
        class_name: `LSTM`, `Bidirectional`, and so on.
        group: what Keras 3 calls its group in a file of weights: the class, numbered among those of the same class.
        cell: `rnn`, `lstm` or `gru`; empty of another cell.
        says: what the configuration says of it, as in `LayerInFile.says`.
        unsupported: why it cannot be converted.
        remarks: what has to be known beside the weights.
        cells: of stacked cells the names, in their order.
    """

    name: str
    class_name: str
    group: str
    cell: str
    says: dict[str, Statement]
    unsupported: str = ""
    remarks: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()


def layers_of_config(path: Path, text: str) -> list[KerasLayer]:
    """The recurrent layers of a model's configuration, also of the models in it.

    Args:
        path: how messages call the file.
        text: JSON.

    Returns:
        A description of each, in the model's order.

    Raises:
        InvalidProblemError: it is no JSON, or too deep.
    """
    try:
        return list(_walk(json.loads(text), 0))
    except (ValueError, RecursionError) as error:
        raise InvalidProblemError(f"{path}: damaged: its configuration is no JSON that can be read") from error


def _walk(tree: Any, depth: int) -> Iterator[KerasLayer]:
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(tree, Mapping):
        config = tree.get("config")
        if isinstance(config, Mapping) and isinstance(config.get("layers"), list):
            yield from _of_layers(config["layers"], depth)
        elif isinstance(config, Mapping):
            yield from _walk(config, depth + 1)
        elif isinstance(config, list):  # of a Sequential of the first Keras 2
            yield from _of_layers(config, depth)


def _of_layers(layers: list[Any], depth: int) -> Iterator[KerasLayer]:
    counts: dict[str, int] = {}
    for layer in layers:
        if not isinstance(layer, Mapping):
            continue
        class_name = str(layer.get("class_name"))
        counts[class_name] = counts.get(class_name, -1) + 1
        group = _snake_case(class_name) + (f"_{counts[class_name]}" if counts[class_name] else "")
        if class_name in (*CELLS, *OTHER_CELLS, "Bidirectional", "TimeDistributed"):
            described = _described(layer, group)
            if described:
                yield described
        else:
            yield from _walk(layer, depth + 1)


def _described(layer: Mapping[str, Any], group: str) -> KerasLayer | None:
    class_name, config = str(layer.get("class_name")), _config(layer)
    name = str(config.get("name", layer.get("name", "")))
    if class_name == "TimeDistributed":
        return None
    if class_name != "Bidirectional":
        cell, says, reason, remarks = _of_one(class_name, config)
        return KerasLayer(name, class_name, group, cell, says, reason, tuple(remarks), _cell_names(config))
    inner = config.get("layer")
    inner = inner if isinstance(inner, Mapping) else {}
    cell, says, reason, remarks = _of_one(str(inner.get("class_name")), _config(inner))
    backward = config.get("backward_layer")
    if isinstance(backward, Mapping):
        of_backward = _of_one(str(backward.get("class_name")), _config(backward))
        if (of_backward[0], of_backward[1].get("activation")) != (cell, says.get("activation")):
            reason = reason or "its two directions are not of one kind"
    says["direction"] = Statement("both", "Bidirectional")
    if config.get("merge_mode", "concat") != "concat":
        remarks.append(f"its directions are joined by merge_mode = {printable(str(config.get('merge_mode')))}")
    if _cell_names(_config(inner)):
        reason = reason or STACKS_APART
    remarks = [remark for remark in remarks if not remark.startswith("it runs backwards")]
    return KerasLayer(name, class_name, group, cell, says, reason, tuple(remarks))


def _of_one(class_name: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Statement], str, list[str]]:
    """The cell, what is said, why it is not supported, and remarks, of a layer in one direction."""
    says = {"library": Statement("keras", "the format"), "layout": Statement("batch first", "Keras has no other")}
    remarks: list[str] = []
    backward = bool(config.get("go_backwards"))
    says["direction"] = Statement("backward" if backward else "forward", f"go_backwards = {backward}")
    if backward:
        remarks.append("it runs backwards: reverse what goes into the converted layer")
    if class_name == "RNN":
        cell_layer = config.get("cell") or {}
        stacked = _stacked_cells(config)
        if stacked:
            described = [(cell.get("class_name"), _plain(_config(cell))) for cell in stacked]
            if any(of_cell != described[0] for of_cell in described):
                return "", says, MIXED, remarks
            cell_layer = stacked[0]
        cell_class = str(cell_layer.get("class_name") if isinstance(cell_layer, Mapping) else "")
        if cell_class not in CELL_CLASSES:
            return "", says, f"its cell is a {printable(cell_class)}, which is not known", remarks
        config = _config(cell_layer)
        cell = CELL_CLASSES[cell_class]
    elif class_name in CELLS:
        cell = CELLS[class_name]
    else:
        return "", says, f"a {printable(class_name)} is not known", remarks
    if not class_name.startswith("CuDNN"):
        says["activation"] = _activation(cell, config)
    else:
        says["activation"] = Statement("sigmoid,tanh", f"{class_name} has no others")
    if cell == "gru" and class_name != "CuDNNGRU":
        after = bool(config.get("reset_after", False))
        says["reset"] = Statement("after" if after else "before", f"reset_after = {after}")
    known = ("tanh", "relu", "sigmoid", "identity") if cell == "rnn" else ("sigmoid,tanh",)
    activation = says["activation"].value
    return cell, says, "" if activation in known else f"its activations are {activation}", remarks


def _config(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of a layer; empty if it has none that can be read."""
    config = layer.get("config")
    return config if isinstance(config, Mapping) else {}


def _stacked_cells(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The cells of a `StackedRNNCells` in their order; none of another cell."""
    cell = config.get("cell")
    if not isinstance(cell, Mapping) or cell.get("class_name") != "StackedRNNCells":
        return []
    cells = _config(cell).get("cells")
    return [one for one in cells if isinstance(one, Mapping)] if isinstance(cells, list) else []


def _cell_names(config: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(_config(cell).get("name", "")) for cell in _stacked_cells(config))


def _plain(config: Mapping[str, Any]) -> tuple[object, ...]:
    """What has to be the same in all cells of a stack."""
    functions = [_function_name(config.get(key, "")) for key in ("activation", "recurrent_activation")]
    return (*functions, bool(config.get("reset_after")), bool(config.get("use_bias", True)))


def _activation(cell: str, config: Mapping[str, Any]) -> Statement:
    names = {"activation": "tanh"} if cell == "rnn" else {"recurrent_activation": "sigmoid", "activation": "tanh"}
    values = {key: _function_name(config.get(key, default)) for key, default in names.items()}
    value = ",".join(FUNCTIONS.get(value, value) for value in values.values())
    return Statement(value, ", ".join(f"{key} = {value}" for key, value in values.items()))


def _function_name(value: Any) -> str:
    if value is None:
        return "linear"
    if isinstance(value, Mapping):
        inner = value.get("config")
        value = inner if isinstance(inner, str) else value.get("class_name")
    return printable(str(value))


def _snake_case(name: str) -> str:
    """`simple_rnn` of `SimpleRNN`, as Keras does."""
    name = re.sub(r"\W+", "", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()
