"""Layers of `torch.nn`, one at a time, with weights of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..errors import InvalidProblemError
from ..layouts import LAYOUT, placed
from ..models import Recurrent
from ..problems import Problem
from ..references.torch_nn_backend import empty_layer
from .half_weights import HALF
from .layers_on_torch import Network, States, Weights, wrap_on_torch
from .wrapped_layer import Usage, WrappedLayer, infer_model, require_one_length

HALF_DTYPES = (torch.float16, torch.bfloat16)


def build(model: Recurrent, weights: Sequence[Mapping[str, np.ndarray]]) -> nn.RNNBase:
    """The layer of a model with the weights of all layers and directions. No random number is drawn."""
    layer = empty_layer(model, model.input_size, bias=True)
    for place, layer_weights in zip(model.places, weights, strict=True):
        for name, array in layer_weights.items():
            setattr(layer, placed(place, name), nn.Parameter(torch.tensor(array)))
    return layer


def wrap_weights(model: Recurrent, weights: Sequence[Mapping[str, np.ndarray]]) -> WrappedLayer:
    """A new layer with these weights as a backend."""
    return wrap(build(model, weights))


def wrap(module: nn.Module, **stated: Any) -> WrappedLayer:
    """An `nn.RNN`, `LSTM` or `GRU`, of any number of layers and directions, a cell, or a stack of these, as a backend.

    Raises:
        InvalidProblemError: it has a projection, a dropout, or weights that cannot be read.
    """
    if isinstance(module, (nn.Sequential, nn.ModuleList)):
        return wrap_container(module, **stated)
    assert isinstance(module, (nn.RNNBase, nn.RNNCellBase))
    if getattr(module, "proj_size", False):
        raise InvalidProblemError(
            "the torch layer has proj_size > 0, which no system has: assert_same_layer compares it with its definition"
        )
    if isinstance(module, nn.RNNBase) and module.training and module.dropout and module.num_layers > 1:
        raise InvalidProblemError("the torch layer has dropout and is in training mode: call its eval() first")
    if hasattr(module, "nonlinearity"):
        stated["activation"] = module.nonlinearity
    if isinstance(module, nn.RNNBase):
        stated |= {"num_layers": module.num_layers, "bidirectional": module.bidirectional}
    names = weight_names_of(module)
    others = [name for name, _ in module.named_parameters() if name not in {n for of in names for n in of.values()}]
    if others and type(module).__module__ == nn.RNNBase.__module__:  # and is nobody's own
        raise InvalidProblemError(f"the {_shown_name(module)} has {', '.join(others)}, which is not known")
    weights = [
        {name: parameter_array(module, parameter_name) for name, parameter_name in names_of_layer.items()}
        for names_of_layer in names
    ]
    model = infer_model(LAYOUT, weights, **stated)

    def network_for(problem: Problem, usage: Usage) -> Network:
        require_one_length(problem, usage)
        return network_of(module, names)

    return wrap_on_torch(
        _shown_name(module),
        LAYOUT,
        model,
        weights,
        network_for,
        has_own_state=True,
        takes_lengths=isinstance(module, nn.RNNBase),
        gives_final_states=True,
        precision=half_precision_of(module),
        remarks=_remarks(module, {name for names_of_layer in names for name in names_of_layer.values()}),
    )


def wrap_container(module: nn.Sequential | nn.ModuleList, **stated: Any) -> WrappedLayer:
    """An `nn.Sequential` or `nn.ModuleList` of layers or cells as a stack: each reads what the one before gives.

    Raises:
        InvalidProblemError: it holds something else.
    """
    parts: list[Any] = list(module)
    shown = f"the torch {type(module).__name__}"
    if not parts or not all(isinstance(part, (nn.RNNBase, nn.RNNCellBase)) for part in parts):
        other = next((type(part).__name__ for part in parts if not isinstance(part, (nn.RNNBase, nn.RNNCellBase))), "")
        raise InvalidProblemError(
            f"{shown} has {f'a {other}' if other else 'nothing'} in it, expected recurrent layers or cells alone: pass "
            "one of them, such as model[0]"
        )
    wrapped = [wrap(part, **stated) for part in parts]
    if len(wrapped) == 1:
        return wrapped[0]
    kinds = {(layer.model.cell, layer.model.activation, layer.model.bidirectional) for layer in wrapped}
    if len(kinds) > 1:
        raise InvalidProblemError(f"{shown} has layers of several kinds, expected one: pass them one by one")
    first = wrapped[0].model
    model = infer_model(
        LAYOUT,
        [weights for layer in wrapped for weights in layer.weights],
        num_layers=sum(layer.model.num_layers for layer in wrapped),
        bidirectional=first.bidirectional,
        activation=first.activation,
    )

    def network_for(problem: Problem, usage: Usage) -> Network:
        require_one_length(problem, usage)

        def network(
            weights: Sequence[Weights], x: Tensor, states: States | None, lengths: Tensor | None
        ) -> tuple[Tensor, States]:
            after, start = [], 0
            for part, layer in zip(parts, wrapped, strict=True):
                places = slice(start, start + len(layer.weights))
                run = network_of(part, weight_names_of(part))
                x, state = run(weights[places], x, states and tuple(state[places] for state in states), lengths)
                after.append(state)
                start = places.stop
            return x, tuple(torch.cat(state) for state in zip(*after, strict=True))

        return network

    return wrap_on_torch(
        f"torch {type(module).__name__}",
        LAYOUT,
        model,
        [weights for layer in wrapped for weights in layer.weights],
        network_for,
        has_own_state=True,
        takes_lengths=all(layer.takes_lengths for layer in wrapped),
        gives_final_states=True,
        precision=half_precision_of(module),
        remarks=tuple(remark for layer in wrapped for remark in layer.remarks),
    )


def weight_names_of(module: nn.RNNBase | nn.RNNCellBase) -> list[dict[str, str]]:
    """The names of a module's parameters by those that they have in a single layer, for each layer and direction."""
    weight_names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if module.bias else [])]
    if not isinstance(module, nn.RNNBase):
        return [{name: name for name in weight_names}]
    stack: dict[str, Any] = {"num_layers": module.num_layers, "bidirectional": module.bidirectional}
    places = Recurrent("rnn", 1, 1, 1, **stack).places
    return [{name: placed(place, name) for name in weight_names} for place in places]


def network_of(module: nn.RNNBase | nn.RNNCellBase, names: list[dict[str, str]]) -> Network:
    """What runs a module with other weights."""

    def network(
        weights: Sequence[Weights], x: Tensor, states: States | None, lengths: Tensor | None
    ) -> tuple[Tensor, States]:
        parameters = {
            names_of_layer[name]: weights[i][name] for i, names_of_layer in enumerate(names) for name in names_of_layer
        }
        if isinstance(module, nn.RNNBase):
            return _run_layers(module, parameters, x, states, lengths)
        return _run_cell(module, parameters, x, states)

    return network


def _shown_name(module: nn.Module) -> str:
    """`torch LSTM`; of another library's class that is called as one of PyTorch's, with that library's name."""
    shown = type(module).__name__
    is_torch_name_of_another = getattr(nn, shown, type(module)) is not type(module)
    return f"{type(module).__module__.partition('.')[0] if is_torch_name_of_another else 'torch'} {shown}"


def _remarks(module: nn.RNNBase | nn.RNNCellBase, weight_names: set[str]) -> tuple[str, ...]:
    """What of a layer is not asked."""
    remarks = [
        f"the gradient of {name}, which a {_shown_name(module)} has beside the weights"
        for name, _ in module.named_parameters()
        if name not in weight_names
    ]
    if isinstance(module, nn.RNNBase) and module.dropout and module.num_layers > 1:
        remarks.append(f"the dropout of {module.dropout}: the {_shown_name(module)} is in evaluation mode")
    return tuple(remarks)


def parameter_array(module: nn.Module, name: str) -> np.ndarray:
    """A parameter of a layer as an array."""
    parameter = dict(module.named_parameters()).get(name)
    if parameter is None:
        raise InvalidProblemError(
            f"the torch layer has no parameter {name}: if it is parametrized, remove the parametrization first"
        )
    if parameter.dtype not in (torch.float64, torch.float32, *HALF_DTYPES) or parameter.is_meta:
        actual = "on the meta device, without numbers" if parameter.is_meta else parameter.dtype
        raise InvalidProblemError(f"the torch layer's {name} is {actual}, expected floating-point numbers")
    numbers = parameter.detach().cpu()
    array: np.ndarray = (numbers.float() if parameter.dtype in HALF_DTYPES else numbers).numpy()
    return array


def half_precision_of(module: nn.Module) -> str:
    """The half precision of a module's parameters, `float16` or `bfloat16`; empty if they have another one.

    Raises:
        InvalidProblemError: some are in half precision, and others are not.
    """
    names = sorted({str(parameter.dtype).removeprefix("torch.") for parameter in module.parameters()})
    if set(names).isdisjoint(HALF):
        return ""
    if len(names) > 1:
        raise InvalidProblemError(f"the torch layer has weights of {' and '.join(names)}, expected one dtype")
    return names[0]


def _run_layers(
    module: nn.RNNBase, parameters: Weights, x: Tensor, states: States | None, lengths: Tensor | None
) -> tuple[Tensor, States]:
    sequence: Any = x.transpose(0, 1) if module.batch_first else x
    if lengths is not None:
        sequence = pack_padded_sequence(sequence, lengths, batch_first=module.batch_first, enforce_sorted=False)
    arguments = (sequence,) if states is None else (sequence, _as_torch_takes_it(states))
    h, after = functional_call(module, dict(parameters), arguments)
    if lengths is not None:
        h, _ = pad_packed_sequence(h, batch_first=module.batch_first, total_length=len(x))
    return h.transpose(0, 1) if module.batch_first else h, after if isinstance(after, tuple) else (after,)


def _run_cell(module: nn.RNNCellBase, parameters: Weights, x: Tensor, states: States | None) -> tuple[Tensor, States]:
    state = None if states is None else tuple(initial[0] for initial in states)
    steps = []
    for x_t in x:
        arguments = (x_t,) if state is None else (x_t, _as_torch_takes_it(state))
        after = functional_call(module, dict(parameters), arguments)
        state = after if isinstance(after, tuple) else (after,)
        steps.append(state[0])
    assert state is not None
    return torch.stack(steps), tuple(part[None] for part in state)


def _as_torch_takes_it(states: States) -> Any:
    """(h, c), or h alone."""
    return states if len(states) > 1 else states[0]
