"""ONNX Runtime: a whole network as an ONNX graph, loss included. It gives forward values only, and float32 only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from ..errors import UnsupportedProblemError
from ..interface import Evaluation
from ..layouts import get_layout
from ..models import Model, Recurrent
from ..problems import Problem
from ..weight_files.onnx_writing import IR_VERSION, OPERATORS, OPSET, node_attributes
from .supported_networks import unsupported_network_reason
from .wrapped_layer import LayerAnswer, Usage, WrappedLayer

LAYOUT = get_layout("onnx")
FLOAT32_ONLY = "ONNX Runtime has its recurrent operators in float32 only"
LayerWeights = Sequence[Mapping[str, np.ndarray]]


class OnnxRuntimeBackend:
    """ONNX Runtime's RNN, LSTM and GRU: forward values only."""

    name = "onnxruntime"
    partial: ClassVar[bool] = True  # it has no gradients

    def supports(self, model: Model, dtype: str) -> str:
        return FLOAT32_ONLY if dtype != "float32" else unsupported_network_reason(model)

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        model = problem.model
        assert isinstance(model, Recurrent)
        return evaluate_layers(problem, LAYOUT.from_params(model, problem.params))

    def prepare(self, problem: Problem) -> Callable[[], object]:
        raise UnsupportedProblemError("ONNX Runtime gives forward values only, and no gradients")


def wrap_weights(model: Recurrent, weights: LayerWeights) -> WrappedLayer:
    """Layers with these weights as a backend."""
    if any(array.dtype != np.float32 for layer_weights in weights for array in layer_weights.values()):
        raise UnsupportedProblemError(FLOAT32_ONLY)

    def evaluate(problem: Problem, trace: bool, usage: Usage) -> LayerAnswer:
        if usage != Usage(final_states=usage.final_states):
            raise UnsupportedProblemError("of ONNX Runtime, only whole sequences from given states are asked")
        return LayerAnswer(evaluate_layers(problem, weights), {})

    return WrappedLayer(f"onnxruntime {OPERATORS[model.cell]}", LAYOUT, model, weights, evaluate)


def evaluate_layers(problem: Problem, weights: LayerWeights) -> Evaluation:
    """The loss and o_t of layers with these weights; the problem gives the rest."""
    feeds: dict[str, Any] = {
        "inputs": problem.inputs,
        **{name: _of_places(state) for name, state in problem.states.items()},
    }
    feeds |= {"targets": problem.targets, "mask": _mask(problem), "in_length": _in_length(problem)}
    feeds |= {"lengths": problem.sequence_lengths.astype("int32")}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        graph_of(problem, weights).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    loss, outputs = session.run(["loss", "outputs"], {name: feeds[name] for name in _input_names(session)})
    return Evaluation(float(loss), {}, outputs)


def graph_of(problem: Problem, weights: LayerWeights) -> Any:
    """The network as an ONNX model; what a problem gives are its inputs, and all parameters are constants."""
    model = problem.model
    assert isinstance(model, Recurrent)
    T, B = problem.leading
    P, H, K = len(model.places), model.hidden_size, model.output_size
    constants: dict[str, np.ndarray] = {"V_transposed": problem.params["V"].T, "axis": np.array([0, 1])}
    constants["c"] = problem.params.get("c", np.zeros(K, problem.dtype))
    constants |= LAYOUT.named(model, weights)
    nodes = [_zero_past_lengths("in_length", "inputs", "h", constants, problem.dtype)]
    directions = len(model.layers[0])
    for layer, places in enumerate(model.layers):
        first_place = places[0].number
        states = ["h0", "c0"] if model.cell == "lstm" else ["h0"]
        for state in states:
            constants[f"places{layer}"] = np.arange(first_place, first_place + directions)
            nodes.append(helper.make_node("Gather", [state, f"places{layer}"], [f"{state}_{layer}"], axis=0))
        weight_names = [LAYOUT.placed(places[0], name) for name in ("W", "R", "B")]
        inputs = ["h" if layer == 0 else f"h{layer}", *weight_names, "lengths"]
        inputs += [f"{state}_{layer}" for state in states]
        inputs += [LAYOUT.placed(places[0], "P")] if "P" in weights[0] else []
        nodes.append(helper.make_node(OPERATORS[model.cell], inputs, [f"Y{layer}"], **node_attributes(model)))
        # (T, directions, B, H) to (T, B, directions · H)
        nodes.append(helper.make_node("Transpose", [f"Y{layer}"], [f"turned{layer}"], perm=[0, 2, 1, 3]))
        constants["side_by_side"] = np.array([T, B, directions * H])
        nodes.append(helper.make_node("Reshape", [f"turned{layer}", "side_by_side"], [f"h{layer + 1}"]))
    nodes.append(helper.make_node("MatMul", [f"h{model.num_layers}", "V_transposed"], ["Vh"]))
    nodes.append(helper.make_node("Add", ["Vh", "c"], ["o"]))
    nodes.append(_zero_past_lengths("in_length", "o", "outputs", constants, problem.dtype))
    nodes += _loss(model, constants, T, B)
    number, label = TensorProto.FLOAT, TensorProto.INT64
    labels = model.loss == "softmax_cross_entropy"
    declared = {
        "inputs": (number, problem.inputs.shape),
        "h0": (number, (P, B, H)),
        "lengths": (TensorProto.INT32, (B,)),
    }
    declared |= {"c0": (number, (P, B, H))} if model.cell == "lstm" else {}
    declared |= {"targets": (label if labels else number, (T, B) if labels else (T, B, K))}
    declared |= {"mask": (number, (T, B)), "in_length": (TensorProto.BOOL, (T, B, 1))}
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info(name, element_type, shape) for name, (element_type, shape) in declared.items()],
        [
            helper.make_tensor_value_info("loss", number, ()),
            helper.make_tensor_value_info("outputs", number, (T, B, K)),
        ],
        [onnx.numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _loss(model: Recurrent, constants: dict[str, np.ndarray], T: int, B: int) -> list[Any]:
    """The nodes from o and the targets to the loss: each step's, masked and added up."""
    constants["flat"] = np.array([T * B, model.output_size])
    constants["count"] = np.array([T * B])
    constants["steps"] = np.array([T, B])
    constants["last"] = np.array([2])
    constants["half"] = np.array(0.5, "float32")
    match model.loss:
        case "softmax_cross_entropy":
            nodes = [
                helper.make_node("Reshape", ["o", "flat"], ["o_flat"]),
                helper.make_node("Reshape", ["targets", "count"], ["y_flat"]),
                helper.make_node("SoftmaxCrossEntropyLoss", ["o_flat", "y_flat"], ["l_flat"], reduction="none"),
                helper.make_node("Reshape", ["l_flat", "steps"], ["l"]),
            ]
        case "sigmoid_cross_entropy":  # log(1 + e^o) − y o, by max(o, 0) + log(1 + e^−|o|)
            nodes = [
                helper.make_node("Relu", ["o"], ["positive"]),
                helper.make_node("Abs", ["o"], ["magnitude"]),
                helper.make_node("Neg", ["magnitude"], ["below"]),
                helper.make_node("Softplus", ["below"], ["rest"]),
                helper.make_node("Add", ["positive", "rest"], ["softplus"]),
                helper.make_node("Mul", ["targets", "o"], ["product"]),
                helper.make_node("Sub", ["softplus", "product"], ["terms"]),
                helper.make_node("ReduceSum", ["terms", "last"], ["l"], keepdims=0),
            ]
        case _:
            nodes = [
                helper.make_node("Sub", ["o", "targets"], ["error"]),
                helper.make_node("Mul", ["error", "error"], ["square"]),
                helper.make_node("Mul", ["square", "half"], ["terms"]),
                helper.make_node("ReduceSum", ["terms", "last"], ["l"], keepdims=0),
            ]
    return [
        *nodes,
        helper.make_node("Mul", ["l", "mask"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axis"], ["loss"], keepdims=0),
    ]


def _zero_past_lengths(
    condition: str, name: str, result: str, constants: dict[str, np.ndarray], dtype: np.dtype
) -> Any:
    """What holds within the sequences' lengths, and zeros past them."""
    constants["zero"] = np.zeros((), dtype)
    return helper.make_node("Where", [condition, name, "zero"], [result])


def _of_places(state: np.ndarray) -> np.ndarray:
    """(P, B, H)."""
    return state.reshape(-1, *state.shape[-2:])


def _in_length(problem: Problem) -> np.ndarray:
    """(T, B, 1), True where a step lies within its sequence's length."""
    in_length: np.ndarray = (np.arange(problem.seq_len)[:, None] < problem.sequence_lengths)[..., None]
    return in_length


def _mask(problem: Problem) -> np.ndarray:
    """(T, B): what each step's loss is multiplied by."""
    model = problem.model
    assert isinstance(model, Recurrent)
    with_loss = _in_length(problem)[..., 0]
    if model.loss_at == "last_step":
        with_loss = np.arange(problem.seq_len)[:, None] == problem.sequence_lengths - 1
    scale = with_loss.sum() if model.reduction == "mean" else 1
    mask: np.ndarray = (with_loss / scale).astype(problem.dtype)
    return mask


def _input_names(session: Any) -> list[str]:
    return [node.name for node in session.get_inputs()]
