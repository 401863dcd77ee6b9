"""Scripted and traced modules of `torch.nn`: what TorchScript made of an `nn.RNN`, `LSTM`, `GRU` or one of their cells.

A scripted layer holds its weights in a list beside its parameters, and has one `forward` for tensors and one for packed
sequences. A traced one keeps neither its options nor what it was not traced with: these stand in its graph. A copy is
run, whose weights are exchanged; the module itself is left alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InvalidProblemError
from ..layouts import LAYOUT, placed
from ..models import Recurrent
from .cell_functions import require_activation
from .layers_on_torch import States, Weights, wrap_network_on_torch
from .torch_nn import half_precision_of, parameter_array
from .wrapped_layer import WrappedLayer, infer_model

LAYERS, CELLS = ("RNN", "LSTM", "GRU"), ("RNNCell", "LSTMCell", "GRUCell")
OPERATORS = {"aten::lstm": "", "aten::gru": "", "aten::rnn_tanh": "tanh", "aten::rnn_relu": "relu"}
CELL_OPERATORS = {"aten::tanh": "tanh", "aten::relu": "relu"}  # of a plain cell, which a trace takes apart
OPTIONS = ("has_biases", "num_layers", "dropout", "train", "bidirectional", "batch_first")  # the operators' last inputs


@dataclass(frozen=True)
class Described:
    """What a module was made with."""

    num_layers: int = 1
    bidirectional: bool = False
    batch_first: bool = False
    has_dropout: bool = False
    activation: str | None = None


def wrap(module: torch.jit.ScriptModule, **stated: Any) -> WrappedLayer:
    """A scripted or traced layer or cell of `torch.nn` as a backend.

    Raises:
        InvalidProblemError: it is another module, takes no initial state, or has a projection or a dropout.
    """
    kind = _kind(module)
    is_known = kind in (*LAYERS, *CELLS)
    is_traced = is_known and "forward" in module._c._method_names() and not _has_options(module, kind)
    shown = f"{'traced' if is_traced else 'scripted'} {kind}"
    if not is_known:
        inside = next((name for name, part in module.named_modules() if _kind(part) in (*LAYERS, *CELLS) and name), "")
        hint = f"pass its layer, .{inside}" if inside else "expected one of an RNN, LSTM or GRU, or of their cells"
        raise InvalidProblemError(f"a {shown} is no layer that is known: {hint}")
    if getattr(module, "proj_size", 0):
        raise InvalidProblemError("the torch layer has proj_size > 0, which makes it another cell")
    described = _of_graph(module, shown, kind) if is_traced else _of_attributes(module)
    if described.has_dropout:
        raise InvalidProblemError(f"the {shown} has dropout and is in training mode: call its eval() first")
    if described.activation:
        stated["activation"] = described.activation
    if kind.startswith("RNN"):
        require_activation(f"the {shown}", stated.get("activation"))
    stack: dict[str, Any] = {"num_layers": described.num_layers, "bidirectional": described.bidirectional}
    stated |= stack
    weight_names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"]
    held = {name for name, _ in module.named_parameters()}
    weight_names = weight_names if any(name.startswith("bias") for name in held) else weight_names[:2]
    places = Recurrent("rnn", 1, 1, 1, **stack).places if kind in LAYERS else ()
    names = [{name: placed(place, name) for name in weight_names} for place in places]
    names = names or [{name: name for name in weight_names}]
    if not held:
        raise InvalidProblemError(f"the {shown} has no parameters, as after torch.jit.freeze: pass it as it was before")
    weights: list[dict[str, np.ndarray]] = [
        {name: parameter_array(module, parameter) for name, parameter in names_of_place.items()}
        for names_of_place in names
    ]
    model = infer_model(LAYOUT, weights, **stated)
    runner = copy.deepcopy(module)

    def network(
        weights: Sequence[Weights], x: Tensor, states: States | None, lengths: Tensor | None
    ) -> tuple[Tensor, States]:
        tensors = {
            names_of_place[name]: weights[i][name] for i, names_of_place in enumerate(names) for name in names_of_place
        }
        _exchange(runner, tensors)
        return _run_cell(runner, x, states) if kind in CELLS else _run_layer(runner, described, x, states)

    return wrap_network_on_torch(
        *(f"torch {shown}", LAYOUT, model, weights, network),
        has_own_state=not is_traced,
        gives_final_states=True,
        precision=half_precision_of(module),
    )


def _kind(module: Any) -> str:
    return str(getattr(module, "original_name", ""))


def _has_options(module: Any, kind: str) -> bool:
    """Whether it was scripted: a traced one has none of its options, and has to be given a state."""
    if kind in LAYERS:
        return hasattr(module, "num_layers")
    arguments = module._c._get_method("forward").schema.arguments
    return len(arguments) == 3 and arguments[2].has_default_value()


def _of_attributes(module: Any) -> Described:
    if _kind(module) in CELLS:
        return Described(activation=getattr(module, "nonlinearity", None))
    has_dropout = bool(module.training and module.dropout and module.num_layers > 1)
    activation = {"RNN_TANH": "tanh", "RNN_RELU": "relu"}.get(module.mode)
    return Described(module.num_layers, module.bidirectional, module.batch_first, has_dropout, activation)


def _of_graph(module: Any, shown: str, kind: str) -> Described:
    """What the operator of a traced layer was called with."""
    schema = module._c._get_method("forward").schema
    if len(schema.arguments) < 3 or (str(schema.returns[0].type) == "Tensor" and kind in LAYERS):
        raise InvalidProblemError(
            f"the {shown} takes no initial state, or does not return it: trace it with (x, state), or pass the module "
            "that was traced"
        )
    nodes = list(module.inlined_graph.nodes())
    if kind in CELLS:
        activations = {CELL_OPERATORS[node.kind()] for node in nodes if node.kind() in CELL_OPERATORS}
        is_plain = kind == "RNNCell" and len(activations) == 1
        return Described(activation=activations.pop() if is_plain else None)
    called = [node for node in nodes if node.kind() in OPERATORS]
    if len(called) != 1:
        raise InvalidProblemError(f"the {shown} calls {len(called)} recurrent operators, expected one")
    values = [value.toIValue() for value in list(called[0].inputs())[-len(OPTIONS) :]]
    options = dict(zip(OPTIONS, values, strict=True))
    has_dropout = bool(options["train"] and options["dropout"] and options["num_layers"] > 1)
    activation = OPERATORS[called[0].kind()] or None
    return Described(options["num_layers"], options["bidirectional"], options["batch_first"], has_dropout, activation)


def _exchange(module: Any, tensors: dict[str, Tensor]) -> None:
    for name, tensor in tensors.items():
        module._c.setattr(name, tensor)
    if module._c.hasattr("_flat_weights"):
        module._c.setattr("_flat_weights", [tensors[name] for name, _ in module.named_parameters()])


def _run_layer(module: Any, described: Described, x: Tensor, states: States | None) -> tuple[Tensor, States]:
    forward = module._c._get_method("forward" if "forward" in module._c._method_names() else "forward__0")
    x = x.transpose(0, 1) if described.batch_first else x
    h, after = forward(x) if states is None else forward(x, states if len(states) > 1 else states[0])
    return h.transpose(0, 1) if described.batch_first else h, after if isinstance(after, tuple) else (after,)


def _run_cell(module: Any, x: Tensor, states: States | None) -> tuple[Tensor, States]:
    state = states and tuple(initial[0] for initial in states)
    steps = []
    for x_t in x:
        after = module(x_t) if state is None else module(x_t, state if len(state) > 1 else state[0])
        state = after if isinstance(after, tuple) else (after,)
        steps.append(state[0])
    assert state is not None
    return torch.stack(steps), tuple(part[None] for part in state)
