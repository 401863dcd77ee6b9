"""PyTorch's own layers: `torch.nn.RNN`, `LSTM`, `GRU` and `Linear`, with the criteria of `torch.nn.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..frameworks.torch_isolation import in_one_thread, isolated
from ..interface import Evaluation
from ..layouts import LAYOUT, WEIGHTS, placed
from ..models import Model, Recurrent
from ..problems import Problem
from .devices import DEVICES
from .torch_tensors import (
    Batch,
    Tensors,
    batch_of,
    descend,
    gradient,
    require_torch_device,
    synchronized,
    tensor,
    with_gradients,
    within_lengths,
)

LAYERS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
Modules = tuple[nn.RNNBase, nn.Linear]


class TorchNNBackend:
    """`torch.nn.RNN`, `LSTM` and `GRU`.

    They have two biases: b is `bias_ih`, and `bias_hh` is a constant zero, but for the GRU's n, where it is b_hn.
    """

    name = "torch-nn"
    devices = DEVICES
    descend = staticmethod(descend)

    def supports(self, model: Model, dtype: str) -> str:
        if not isinstance(model, Recurrent):
            return "torch.nn has recurrent layers only"
        for reason, is_so in {
            f"torch.nn has no layer of the cell {model.cell}": model.cell not in ("rnn", "lstm", "gru"),
            "torch.nn.RNN has U and W as two matrices, not concatenated": model.concatenated,
            "torch.nn has no truncation": model.truncation is not None,
        }.items():
            if is_so:
                return reason
        return LAYOUT.unsupported(model)

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        with isolated(), in_one_thread():
            modules, batch = _modules(problem), batch_of(problem)
            x = tensor(problem.inputs, requires_grad=True)
            states = {name: tensor(array, requires_grad=True) for name, array in problem.states.items()}
            outputs = _outputs(modules, x, _initial_state(states), problem.lengths)
            outputs.retain_grad()
            loss = criterion(problem.model, outputs, batch)
            loss.backward()
            layer_gradients = {name: gradient(parameter) for name, parameter in _parameters(modules).items()}
            gradients = _under_our_names(_sources(problem), layer_gradients)
            return Evaluation(
                loss=loss.item(),
                gradients=gradients | {name: gradient(leaf) for name, leaf in {**states, "inputs": x}.items()},
                outputs=within_lengths(outputs, batch).detach().numpy(),
                adjoints={"o": gradient(outputs)} | _adjoints_of_a_single_layer(problem) if trace else {},
            )

    def prepare(self, problem: Problem, *, device: str = "cpu") -> Callable[[], tuple[Tensor, Tensors]]:
        require_torch_device(self.name, device)
        with isolated():
            modules, batch = _modules(problem, device=device), batch_of(problem, device)
            x = tensor(problem.inputs, device=device)
            initial = _initial_state({name: tensor(array, device=device) for name, array in problem.states.items()})
        modules[0].flatten_parameters()
        sources = _sources(problem)
        differentiated = {
            name: parameter for name, parameter in _parameters(modules).items() if parameter.requires_grad
        }

        def compute() -> tuple[Tensor, Tensors]:
            outputs = _outputs(modules, x, initial, problem.lengths)
            loss, layer_gradients = with_gradients(criterion(problem.model, outputs, batch), differentiated)
            return loss, _under_our_names(sources, layer_gradients)

        return synchronized(compute, device)


def _modules(problem: Problem, *, extra_inputs: Tensor | None = None, device: str = "cpu") -> Modules:
    """The layers, holding the problem's parameters. Made on `meta`, so that no random number is drawn.

    Args:
        problem: whose parameters the layers take.
        extra_inputs: columns (G, ·) that are put beside U, for further inputs.
        device: where the parameters are.
    """
    model = problem.model
    assert isinstance(model, Recurrent)
    extra = 0 if extra_inputs is None else extra_inputs.shape[1]
    rnn = empty_layer(model, model.input_size + extra, bias=model.bias)
    head = nn.Linear(problem.params["V"].shape[1], model.output_size, bias=model.bias, device="meta")
    head.weight = nn.Parameter(tensor(problem.params["V"], device=device))
    if model.bias:
        head.bias = nn.Parameter(tensor(problem.params["c"], device=device))
    for place, weights in zip(model.places, LAYOUT.from_params(model, problem.params), strict=True):
        for name in weights if model.bias else WEIGHTS:
            value = tensor(weights[name], device=device)
            if name == "weight_ih" and extra_inputs is not None:
                value = torch.cat([value, extra_inputs], dim=1)
            differentiated = name != "bias_hh" or place.name("b_hn") in problem.params
            setattr(rnn, placed(place, name), nn.Parameter(value, requires_grad=differentiated))
    return rnn, head


def empty_layer(model: Recurrent, input_size: int, *, bias: bool) -> nn.RNNBase:
    """The layer of a model on the device `meta`: without numbers, so that no random one is drawn."""
    options: dict[str, Any] = {"num_layers": model.num_layers, "bidirectional": model.bidirectional, "bias": bias}
    options |= {"nonlinearity": model.activation} if model.cell == "rnn" else {}
    return LAYERS[model.cell](input_size, model.hidden_size, device="meta", **options)


def _parameters(modules: Modules) -> dict[str, Tensor]:
    """The parameters of both layers by their own names."""
    rnn, head = modules
    return {**dict(rnn.named_parameters()), **{f"head.{name}": p for name, p in head.named_parameters()}}


def _sources(problem: Problem) -> dict[str, tuple[str, slice | None]]:
    """For each of a problem's parameters the name of the layers' whose gradient is its own, and which part of it."""
    model = problem.model
    assert isinstance(model, Recurrent)
    sources: dict[str, tuple[str, slice | None]] = {"V": ("head.weight", None), "c": ("head.bias", None)}
    for place in model.places:
        for ours, theirs in (("U", "weight_ih"), ("W", "weight_hh"), ("b", "bias_ih")):
            sources[place.name(ours)] = placed(place, theirs), None
        sources[place.name("b_hn")] = placed(place, "bias_hh"), slice(-model.hidden_size, None)
    return {name: sources[name] for name in problem.params}


def _under_our_names(sources: dict[str, tuple[str, slice | None]], layer_gradients: dict[str, Any]) -> dict[str, Any]:
    """The gradients of the layers' parameters, by the names of a problem's."""
    return {
        ours: layer_gradients[theirs] if part is None else layer_gradients[theirs][part]
        for ours, (theirs, part) in sources.items()
    }


def _initial_state(states: dict[str, Tensor]) -> Tensor | tuple[Tensor, ...]:
    """The initial states (P, B, H) of P layers and directions."""
    return _as_state([state.reshape(-1, *state.shape[-2:]) for state in states.values()])


def _outputs(modules: Modules, x: Tensor, initial: Tensor | tuple[Tensor, ...], lengths: np.ndarray | None) -> Tensor:
    """o_t (T, B, K) by one call of the layer; with lengths, on a packed sequence."""
    rnn, head = modules
    if lengths is None:
        h, _ = rnn(x, initial)
    else:
        packed, _ = rnn(pack_padded_sequence(x, tensor(lengths), enforce_sorted=False), initial)
        h, _ = pad_packed_sequence(packed, total_length=len(x))
    return head(h)


def _as_state(states: list[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """The form in which a layer takes its state: (h, c) for the LSTM, h alone for the others."""
    return tuple(states) if len(states) > 1 else states[0]


def criterion(model: Model, o: Tensor, batch: Batch) -> Tensor:
    """The criterion on the steps with a loss; PyTorch's own mean would also divide by K."""
    assert isinstance(model, Recurrent)
    y = batch["targets"]
    o, y = (
        (o[batch["with_loss"]], y[batch["with_loss"]]) if "with_loss" in batch else (o.flatten(0, 1), y.flatten(0, 1))
    )
    match model.loss:
        case "softmax_cross_entropy":
            total = functional.cross_entropy(o, y, reduction="sum")
        case "sigmoid_cross_entropy":
            total = functional.binary_cross_entropy_with_logits(o, y, reduction="sum")
        case _:
            total = functional.mse_loss(o, y, reduction="sum") / 2
    return total if model.reduction == "sum" else total / len(o)


def _adjoints_of_a_single_layer(problem: Problem) -> dict[str, np.ndarray]:
    """dL/dh_t and dL/da_t by autograd, from the same layer called one step at a time.

    A layer's call over all steps hides its states. To reach a_t as well, x_t is extended by G zeros, which
    enter a_t through an identity matrix beside U: the gradient of these zeros is dL/da_t. The LSTM's c_t cannot
    be reached: the layer does not compute h_t from the c_t that it returns. Nor can the states within a stack.
    """
    model = problem.model
    assert isinstance(model, Recurrent)
    if len(model.places) > 1:
        return {}
    batch, G = batch_of(problem), model.linear_size
    x = within_lengths(tensor(problem.inputs), batch)
    zeros = torch.zeros(*x.shape[:2], G, dtype=x.dtype, requires_grad=True)
    rnn, head = _modules(problem, extra_inputs=torch.eye(G, dtype=x.dtype))
    state = _as_state([tensor(array)[None] for array in problem.states.values()])
    steps = []
    for extended in torch.cat([x, zeros], dim=-1):
        _, state = rnn(extended[None], state)
        steps.append(state[0] if isinstance(state, tuple) else state)
        steps[-1].retain_grad()
    criterion(model, head(torch.cat(steps)), batch).backward()
    return {"h": np.concatenate([gradient(h) for h in steps]), "a": gradient(zeros)}
