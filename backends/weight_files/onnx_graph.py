"""ONNX: the nodes RNN, LSTM and GRU of a model, wherever they stand in it, with what their attributes say.

A node has W (P, nH, D), R (P, nH, H), B (P, 2nH), the sequences' lengths, the initial states, and of the LSTM the
peepholes P (P, 3H), for P = 1 or 2 directions. `direction`, `layout` (1: the batch first), `activations` for each
direction in turn (of gates and states), `clip`, the LSTM's `input_forget` and the GRU's `linear_before_reset` are
attributes, with the defaults forward, 0, Sigmoid and Tanh (RNN: Tanh), none, 0 and 0.
Source: ONNX's `docs/Operators.md`, opsets 7 to 22; the quantized `DynamicQuantizeLSTM` is ONNX Runtime's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InvalidProblemError, first_line
from ..frameworks import require
from .limits import Budget, read_bytes
from .weight_file import LayerInFile, Statement, WeightFile, with_sizes

CELLS = {"RNN": "rnn", "LSTM": "lstm", "GRU": "gru"}
QUANTIZED_CELLS = ("DynamicQuantizeLSTM", "QLinearLSTM", "QAttention")
FUNCTIONS = {"RNN": ["Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"]}
DIRECTIONS = {"forward": "forward", "reverse": "backward", "bidirectional": "both"}
NOT_ZERO = "constants that are not zero"
PLAIN_FUNCTIONS = {"tanh": "tanh", "relu": "relu", "sigmoid": "sigmoid"}


@dataclass(frozen=True)
class _Node:
    """A recurrent node, its attributes, and the constants that it sees."""

    name: str
    node: Any
    attributes: Mapping[str, Any]
    constants: Any


def read_onnx(path: Path) -> WeightFile:
    """Reads the recurrent nodes of an ONNX model; nothing of it runs.

    Args:
        path: an `.onnx` file.

    Returns:
        Its layers, one for each node, by the names of the nodes.

    Raises:
        InvalidProblemError: the file is damaged or too large, or wants other files than its neighbours.
        MissingFrameworkError: onnx is not installed.
    """
    require("onnx", needed_by="an .onnx file", extra="onnx")
    import onnx

    from .onnx_constants import Constants

    content = read_bytes(path)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's own
        raise InvalidProblemError(f"{path}: damaged, or not an ONNX file: {first_line(error)}") from error
    if not model.graph.node:
        raise InvalidProblemError(f"{path}: damaged, or not an ONNX file: it has no graph with nodes")
    budget = Budget(path)
    nodes = list(_nodes(path, model.graph, Constants(path, model.graph, budget), budget))
    for function in model.functions:
        nodes += _nodes(path, function, Constants(path, _without_initializers(function), budget), budget)
    layers = tuple(_layer(node) for node in _with_different_names(nodes))
    arrays = {f"{layer.name}.{name}": array for layer in layers for name, array in layer.arrays.items()}
    return WeightFile(path, "ONNX", arrays, layers)


def _without_initializers(function: Any) -> Any:
    import onnx

    graph = onnx.GraphProto()
    graph.node.extend(function.node)
    return graph


def _nodes(path: Path, graph: Any, constants: Any, budget: Budget, depth: int = 0) -> Iterator[_Node]:
    """The recurrent nodes of a graph, and of those in the branches and loops in it."""
    import onnx

    from .onnx_constants import Constants, attributes_of, shown

    for node in graph.node:
        budget.take_entry(depth)
        if node.op_type in CELLS or node.op_type in QUANTIZED_CELLS:
            output = next((name for name in node.output if name), "")
            yield _Node(shown(node.name or output or node.op_type), node, attributes_of(node), constants)
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                inner = Constants(path, attribute.g, budget, constants)
                yield from _nodes(path, attribute.g, inner, budget, depth + 1)


def _with_different_names(nodes: list[_Node]) -> list[_Node]:
    counts, so_far = Counter(node.name for node in nodes), Counter[str]()
    numbered = []
    for node in nodes:
        so_far[node.name] += 1
        numbered.append(node.name if counts[node.name] == 1 else f"{node.name}#{so_far[node.name]}")
    return [_Node(name, node.node, node.attributes, node.constants) for name, node in zip(numbered, nodes, strict=True)]


def _layer(node: _Node) -> LayerInFile:
    cell = CELLS.get(node.node.op_type, "")
    if not cell:
        reason = f"quantized: {node.node.op_type} has integers for weights; convert the model that it was made of"
        return LayerInFile(node.name, "onnx", {}, cell="lstm", unsupported=reason)
    arrays, reason = _weights(node)
    says = _says(node, cell)
    layer = LayerInFile(
        *(node.name, "onnx", arrays, says),
        cell=cell,
        unsupported=reason or _unsupported(node, cell, arrays, says),
        remarks=tuple(_remarks(says)),
    )
    if not {"W", "R"} <= arrays.keys():
        return layer
    sized = with_sizes(layer)
    return _checked(node, cell, sized)


def _weights(node: _Node) -> tuple[dict[str, np.ndarray], str]:
    """W, R and B by these names, and P unless it is zeros; and why one of them is not known."""
    from .onnx_constants import NotConstant

    arrays, reason = {}, ""
    inputs = dict(zip(("W", "R", "B"), node.node.input[1:4], strict=False))
    if node.node.op_type == "LSTM" and len(node.node.input) > 7 and not _is_zero(node, node.node.input[7]):
        inputs["P"] = node.node.input[7]
    for name, source in inputs.items():
        if source:
            try:
                arrays[name] = node.constants.array(source)
            except NotConstant as error:
                reason = reason or f"its {name} is not known without running the model: {error}"
    if not reason and not {"W", "R"} <= arrays.keys():
        reason = "it has no W or no R"
    return arrays, reason


def _says(node: _Node, cell: str) -> dict[str, Statement]:
    attributes = node.attributes
    says = {"library": Statement("onnx", "the format")}
    direction = str(attributes.get("direction", "forward"))
    says["direction"] = Statement(DIRECTIONS.get(direction.lower(), direction), f"direction = {direction}")
    says["layout"] = Statement(
        "batch first" if attributes.get("layout") else "time first", f"layout = {attributes.get('layout', 0)}"
    )
    if cell == "gru":
        after = attributes.get("linear_before_reset", 0)
        says["reset"] = Statement("after" if after else "before", f"linear_before_reset = {after}")
    stated = "activations" in attributes
    functions = [str(name) for name in attributes.get("activations", FUNCTIONS[node.node.op_type])]
    how = f"activations = {', '.join(functions)}" if stated else "the operator's defaults"
    says["activation"] = Statement(_activation(node, cell, functions), how)
    states = node.node.input[5 : 7 if cell == "lstm" else 6]
    if any(states):
        says["initial state"] = _initial_state(node, [name for name in states if name])
    return says


def _remarks(says: Mapping[str, Statement]) -> Iterator[str]:
    """What has to be done to a converted layer's inputs and outputs, so that it gives what the node gives."""
    if says["direction"].value == "backward":
        yield "it runs backwards: reverse what goes into the converted layer, and what comes out of it"
    if "initial state" in says and says["initial state"].value == NOT_ZERO:
        yield "its initial state is a constant that is not zero, and is not converted"


def _activation(node: _Node, cell: str, functions: list[str]) -> str:
    """The functions in the words of the models, `sigmoid,tanh` of a gated cell; others as the file has them."""
    lower = [name.lower() for name in functions]
    one_direction = lower[: len(FUNCTIONS[node.node.op_type])]
    if lower != one_direction * max(1, len(lower) // max(1, len(one_direction))):
        return ", ".join(functions)
    if cell != "rnn":
        defaults = [name.lower() for name in FUNCTIONS[node.node.op_type]]
        return "sigmoid,tanh" if one_direction == defaults else ", ".join(functions)
    alpha, beta = node.attributes.get("activation_alpha", []), node.attributes.get("activation_beta", [])
    if one_direction == ["affine"] and set(alpha) == {1.0} and set(beta) <= {0.0}:
        return "identity"
    return PLAIN_FUNCTIONS.get(one_direction[0] if one_direction else "", ", ".join(functions))


def _initial_state(node: _Node, names: list[str]) -> Statement:
    from .onnx_constants import NotConstant

    try:
        zeros = all(not np.any(node.constants.array(name)) for name in names)
    except NotConstant:
        return Statement("given when it runs", "the node's inputs")
    return Statement("zeros" if zeros else NOT_ZERO, "the node's inputs")


def _unsupported(node: _Node, cell: str, arrays: Mapping[str, np.ndarray], says: Mapping[str, Statement]) -> str:
    """What the node computes otherwise than the cells that are known."""
    attributes = node.attributes
    if attributes.get("clip"):
        return f"clip = {attributes['clip']:g} limits what goes into its functions"
    if cell == "lstm" and attributes.get("input_forget"):
        return "input_forget = 1 couples its input and forget gates"
    activation = says["activation"].value
    known = ("tanh", "relu", "sigmoid", "identity") if cell == "rnn" else ("sigmoid,tanh",)
    if activation not in known:
        return f"its activations are {activation}"
    return "" if says["direction"].value in DIRECTIONS.values() else f"direction = {says['direction'].value}"


def _is_zero(node: _Node, name: str) -> bool:
    from .onnx_constants import NotConstant

    try:
        return not np.any(node.constants.array(name))
    except NotConstant:
        return False


def _checked(node: _Node, cell: str, layer: LayerInFile) -> LayerInFile:
    """The layer, unsupported if its attributes and its weights do not fit together."""
    reason = ""
    if layer.cell and layer.cell != cell:
        reason = f"the node is {node.node.op_type}, and its weights are of a {layer.cell}"
    elif layer.hidden_size and layer.hidden_size != node.attributes.get("hidden_size", layer.hidden_size):
        reason = f"hidden_size = {node.attributes['hidden_size']}, and its weights are of {layer.hidden_size} units"
    elif layer.cell and layer.bidirectional != (layer.says["direction"].value == "both"):
        reason = f"{layer.says['direction'].how}, and its weights are of {1 + layer.bidirectional} directions"
    if layer.with_peepholes and reason:  # which is worse
        return replace(layer, cell=cell, unsupported=reason, with_peepholes=False)
    return replace(layer, cell=cell, unsupported=layer.unsupported or reason)
