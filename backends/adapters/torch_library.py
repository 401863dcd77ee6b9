"""A network of a library's layers on PyTorch, differentiated by `torch.autograd`; its loss is that of `torch.nn`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..frameworks.torch_isolation import in_one_thread, isolated
from ..interface import Evaluation
from ..layouts import Layout
from ..models import Recurrent
from ..problems import Problem
from ..references.torch_common import Batch, Params, batch_of, gradient, tensor, timed, within_lengths
from ..references.torch_nn_backend import criterion
from .wrapped_layer import WrappedLayer

Weights = Mapping[str, Tensor]
States = tuple[Tensor, ...]  # (h,), or (h, c)
Call = Callable[[Weights, Tensor, States], Tensor]  # the weights, x (T, B, ·) and the initial state give h (T, B, H)
Network = Callable[[Sequence[Weights], Tensor, States], Tensor]  # the same of all layers, with their (P, B, H) states


def answer(
    problem: Problem, layout: Layout, weights: Sequence[Mapping[str, np.ndarray]], network: Network, *, trace: bool
) -> Evaluation:
    """The answer of layers with these weights; the problem gives the rest."""
    with isolated(), in_one_thread():
        held, others, batch = _leaves(problem, weights)
        outputs = _outputs(network, held, others)
        outputs.retain_grad()
        loss = criterion(problem.model, outputs, batch)
        loss.backward()
        found = [{name: gradient(leaf) for name, leaf in each.items()} for each in held]
        gradients = _by_name(problem, layout, found) | {name: gradient(leaf) for name, leaf in others.items()}
        return Evaluation(
            loss=loss.item(),
            gradients={name: gradients[name] for name in problem.differentiable if name in gradients},
            outputs=within_lengths(outputs, batch).detach().numpy(),
            adjoints={"o": gradient(outputs)} if trace else {},
        )


def wrap(
    name: str,
    layout: Layout,
    model: Recurrent,
    weights: Sequence[Mapping[str, np.ndarray]],
    network_for: Callable[[Problem], Network],
) -> WrappedLayer:
    """Layers with weights of their own as a backend."""

    def respond(problem: Problem, trace: bool) -> Evaluation:
        return answer(problem, layout, weights, network_for(problem), trace=trace)

    return WrappedLayer(name, layout, model, weights, respond)


def prepared(
    problem: Problem, layout: Layout, weights: Sequence[Mapping[str, np.ndarray]], network: Network
) -> Callable[[], tuple[Tensor, Params]]:
    """The run that gives the loss and the parameters' gradients."""
    with isolated():
        held, others, batch = _leaves(problem, weights)
        readout = {name: others[name] for name in ("V", "c") if name in others}
    for leaf in (others[name] for name in problem.model.differentiable):
        leaf.requires_grad_(False)

    def compute() -> tuple[Tensor, Any]:
        loss = criterion(problem.model, _outputs(network, held, others), batch)
        leaves = [leaf for each in held for leaf in each.values()]
        found = torch.autograd.grad(loss, [*leaves, *readout.values()])
        gradients = iter(found)
        own = [{name: next(gradients).numpy() for name in each} for each in held]
        return loss.detach(), _by_name(problem, layout, own) | dict(zip(readout, gradients, strict=True))

    return timed(compute, "cpu")


def _leaves(problem: Problem, weights: Sequence[Mapping[str, np.ndarray]]) -> tuple[list[Params], Params, Batch]:
    """What is differentiated: the weights, and the read-out, initial states and inputs; and what is not."""
    held = [{name: tensor(array, requires_grad=True) for name, array in each.items()} for each in weights]
    readout = {name: problem.params[name] for name in ("V", "c") if name in problem.params}
    others = {**readout, **problem.states, "inputs": problem.inputs}
    return held, {name: tensor(array, requires_grad=True) for name, array in others.items()}, batch_of(problem)


def _by_name(problem: Problem, layout: Layout, found: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Any]:
    assert isinstance(problem.model, Recurrent)
    return dict(layout.gradients(problem.model, found))


def _outputs(network: Network, held: Sequence[Params], others: Params) -> Tensor:
    """o_t (T, B, K)."""
    B, H = others["h0"].shape[-2:]
    states = tuple(others[name].reshape(-1, B, H) for name in ("h0", "c0") if name in others)
    return network(held, others["inputs"], states) @ others["V"].T + others.get("c", 0)


def composed(problem: Problem, calls: Sequence[Call]) -> Network:
    """A network of single layers, in a stack and in both directions as the problem's model has them."""
    model = problem.model
    assert isinstance(model, Recurrent)
    t = np.arange(problem.seq_len)[:, None]
    lengths = problem.sequence_lengths
    in_length = torch.from_numpy(t < lengths)[..., None]
    # each sequence turned round within its length
    backwards = torch.from_numpy(np.where(t < lengths, lengths - 1 - t, t))[..., None]

    def network(held: Sequence[Weights], x: Tensor, states: States) -> Tensor:
        h = torch.where(in_length, x, 0)
        for layer in model.layers:
            directions = []
            for place in layer:
                initial = tuple(state[place.number] for state in states)
                given = torch.take_along_dim(h, backwards, dim=0) if place.suffix else h
                found = calls[place.number](held[place.number], given, initial)
                directions.append(torch.take_along_dim(found, backwards, dim=0) if place.suffix else found)
            h = torch.cat(directions, dim=-1)
        return h

    return network
