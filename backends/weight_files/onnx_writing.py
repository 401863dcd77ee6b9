"""An ONNX model of recurrent layers alone: a node for each layer of a stack, with its weights as initializers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..frameworks import require
from ..layouts import get_layout
from ..models import Recurrent

OPERATORS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
ACTIVATION_OPERATORS = {"tanh": "Tanh", "relu": "Relu", "sigmoid": "Sigmoid", "identity": "Affine"}
OPSET, IR_VERSION = 22, 10


def node_attributes(model: Recurrent) -> dict[str, Any]:
    """The attributes of a layer's node.

    Args:
        model: what is computed.

    Returns:
        `hidden_size`, `direction` and, as far as the cell has them, `linear_before_reset` and `activations`.
    """
    directions = 1 + model.bidirectional
    attributes: dict[str, Any] = {
        "hidden_size": model.hidden_size,
        "direction": "bidirectional" if model.bidirectional else "forward",
    }
    if model.cell == "gru":
        attributes["linear_before_reset"] = int(model.reset == "after")
    if model.cell == "rnn":
        attributes["activations"] = [ACTIVATION_OPERATORS[model.activation]] * directions
        if model.activation == "identity":
            attributes |= {"activation_alpha": [1.0] * directions, "activation_beta": [0.0] * directions}
    return attributes


def onnx_model(model: Recurrent, weights: Sequence[Mapping[str, np.ndarray]]) -> bytes:
    """A model that computes the layers on x (T, B, D), from states of zeros.

    Args:
        model: what is computed; its read-out means nothing.
        weights: of every layer and direction, by ONNX's names.

    Returns:
        The content of an `.onnx` file, with the input `x` and the outputs `output` (T, B, P·H), `h_n` and, of an
        LSTM, `c_n` (layers·P, B, H), for P directions.

    Raises:
        MissingFrameworkError: onnx is not installed.
    """
    require("onnx", needed_by="an .onnx file", extra="onnx")
    import onnx
    from onnx import helper, numpy_helper

    layout = get_layout("onnx")
    constants = layout.named(model, weights) | {"side_by_side": np.array([0, 0, -1])}
    states = ["h_n", "c_n"] if model.cell == "lstm" else ["h_n"]
    nodes, x = [], "x"
    for k, places in enumerate(model.layers):
        names = [layout.placed(places[0], name) for name in ("W", "R", "B") if name in weights[0]]
        if "P" in weights[0]:
            names += [*[""] * (6 - len(names)), layout.placed(places[0], "P")]
        outputs = [f"Y{k}", *(f"{state}{k}" for state in states)]
        nodes.append(
            helper.make_node(OPERATORS[model.cell], [x, *names], outputs, name=f"layer{k}", **node_attributes(model))
        )
        # (T, P, B, H) to (T, B, P · H)
        nodes.append(helper.make_node("Transpose", [f"Y{k}"], [f"turned{k}"], perm=[0, 2, 1, 3]))
        x = "output" if k == model.num_layers - 1 else f"h{k}"
        nodes.append(helper.make_node("Reshape", [f"turned{k}", "side_by_side"], [x]))
    nodes += [
        helper.make_node("Concat", [f"{state}{k}" for k in range(model.num_layers)], [state], axis=0)
        for state in states
    ]
    element = helper.np_dtype_to_tensor_dtype(weights[0]["W"].dtype)
    P, H = 1 + model.bidirectional, model.hidden_size
    shapes: dict[str, list[Any]] = {"x": ["T", "B", model.input_size], "output": ["T", "B", P * H]}
    shapes |= {state: [len(model.places), "B", H] for state in states}
    declared = [helper.make_tensor_value_info(name, element, shape) for name, shape in shapes.items()]
    tensors = [numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, OPERATORS[model.cell], declared[:1], declared[1:], tensors)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())
