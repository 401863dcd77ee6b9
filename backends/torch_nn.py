"""PyTorch's own layers: `torch.nn.RNN` and `torch.nn.Linear`, with the criteria of `torch.nn`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .interface import Evaluation
from .model import Model
from .problem import Problem
from .torch_common import counted_steps, gradient, isolated, tensor, within_lengths

Network = tuple[nn.RNN, nn.Linear]


class TorchNNBackend:
    """`torch.nn.RNN`, whose two biases are b and a constant zero: the gradient of b is that of `bias_ih`."""

    name = "torch-nn"

    def supports(self, model: Model, dtype: str) -> str:
        if model.activation not in ("tanh", "relu"):
            return f"torch.nn.RNN has tanh and relu, not {model.activation}"
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        with isolated():
            network = _network(problem, tensor(problem.params["U"]))
            x, h0 = tensor(problem.inputs, requires_grad=True), tensor(problem.h0, requires_grad=True)
            outputs = _outputs(network, x, h0, problem.lengths)
            loss = _loss(problem, outputs)
            loss.backward()
            gradients = {name: gradient(parameter) for name, parameter in _parameters(problem, network).items()}
            return Evaluation(
                loss=loss.item(),
                gradients=gradients | {"h0": gradient(h0), "inputs": gradient(x)},
                outputs=within_lengths(outputs, problem).detach().numpy(),
                adjoints=_adjoints(problem) if trace else {},
            )

    def prepare(self, problem: Problem) -> Callable[[], tuple[Tensor, tuple[Tensor, ...]]]:
        with isolated():
            network = _network(problem, tensor(problem.params["U"]))
            x, h0 = tensor(problem.inputs), tensor(problem.h0)
        wanted = list(_parameters(problem, network).values())

        def run() -> tuple[Tensor, tuple[Tensor, ...]]:
            with isolated():
                loss = _loss(problem, _outputs(network, x, h0, problem.lengths))
                return loss, torch.autograd.grad(loss, wanted)

        return run


def _network(problem: Problem, weight_ih: Tensor) -> Network:
    """The layers, holding the problem's parameters. Made on `meta`, so that no random number is drawn."""
    model = problem.model
    rnn = nn.RNN(weight_ih.shape[1], model.hidden_size, nonlinearity=model.activation, bias=model.bias, device="meta")
    head = nn.Linear(model.hidden_size, model.output_size, bias=model.bias, device="meta")
    values = {name: tensor(array) for name, array in problem.params.items()} | {"U": weight_ih}
    for name, (layer, attribute) in _places((rnn, head)).items():
        if name in values:
            setattr(layer, attribute, nn.Parameter(values[name]))
    if model.bias:
        rnn.bias_hh_l0 = nn.Parameter(torch.zeros_like(values["b"]), requires_grad=False)
    return rnn, head


def _places(network: Network) -> dict[str, tuple[nn.Module, str]]:
    """Where each parameter of ours lives in the layers."""
    rnn, head = network
    return {
        "U": (rnn, "weight_ih_l0"),
        "W": (rnn, "weight_hh_l0"),
        "b": (rnn, "bias_ih_l0"),
        "V": (head, "weight"),
        "c": (head, "bias"),
    }


def _parameters(problem: Problem, network: Network) -> dict[str, Tensor]:
    places = _places(network)
    return {name: places[name][0].get_parameter(places[name][1]) for name in problem.params}


def _outputs(network: Network, x: Tensor, h0: Tensor, lengths: np.ndarray | None) -> Tensor:
    """o_t (T, B, K) by one call of the layer; with lengths, on a packed sequence."""
    rnn, head = network
    if lengths is None:
        h, _ = rnn(x, h0[None])
    else:
        packed, _ = rnn(pack_padded_sequence(x, tensor(lengths), enforce_sorted=False), h0[None])
        h, _ = pad_packed_sequence(packed, total_length=len(x))
    return head(h)


def _loss(problem: Problem, o: Tensor) -> Tensor:
    """The criterion on the counted steps; PyTorch's own mean would also divide by K."""
    y = tensor(problem.targets)
    counted = counted_steps(problem)
    o, y = (o.flatten(0, 1), y.flatten(0, 1)) if counted is None else (o[counted], y[counted])
    match problem.model.loss:
        case "softmax_cross_entropy":
            total = nn.CrossEntropyLoss(reduction="sum")(o, y)
        case "sigmoid_cross_entropy":
            total = nn.BCEWithLogitsLoss(reduction="sum")(o, y)
        case _:
            total = nn.MSELoss(reduction="sum")(o, y) / 2
    return total if problem.model.reduction == "sum" else total / len(o)


def _adjoints(problem: Problem) -> dict[str, np.ndarray]:
    """dL/do_t, dL/dh_t and dL/da_t by autograd, from the same layers called one step at a time.

    A layer's call over all steps hides its states. To reach a_t as well, x_t is extended by H zeros, which
    enter a_t through an identity matrix beside U: the gradient of these zeros is dL/da_t.
    """
    x, h = within_lengths(tensor(problem.inputs), problem), tensor(problem.h0)
    nudge = torch.zeros(*x.shape[:2], problem.model.hidden_size, dtype=x.dtype, requires_grad=True)
    U = tensor(problem.params["U"])
    rnn, head = _network(problem, torch.cat([U, torch.eye(len(U), dtype=U.dtype)], dim=1))
    steps: dict[str, list[Tensor]] = {"o": [], "h": []}
    for extended in torch.cat([x, nudge], dim=-1):
        h = rnn(extended[None], h[None])[1][0]
        o = head(h)
        for name, value in (("o", o), ("h", h)):
            value.retain_grad()
            steps[name].append(value)
    _loss(problem, torch.stack(steps["o"])).backward()
    return {name: np.stack([gradient(each) for each in steps[name]]) for name in steps} | {"a": gradient(nudge)}
