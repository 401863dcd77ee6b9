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
from ..references.torch_nn_backend import criterion
from ..references.torch_tensors import Batch, Tensors, batch_of, gradient, synchronized, tensor, within_lengths
from .wrapped_layer import WrappedLayer

Weights = Mapping[str, Tensor]
States = tuple[Tensor, ...]  # (h,), or (h, c)
Call = Callable[[Weights, Tensor, States], Tensor]  # the weights, x (T, B, ·) and the initial state give h (T, B, H)
Network = Callable[[Sequence[Weights], Tensor, States], Tensor]  # the same of all layers, with their (P, B, H) states


def evaluate_layers(
    problem: Problem, layout: Layout, weights: Sequence[Mapping[str, np.ndarray]], network: Network, *, trace: bool
) -> Evaluation:
    """The loss and the gradients of layers with these weights; the problem gives the rest."""
    with isolated(), in_one_thread():
        weight_leaves, other_leaves, batch = _leaves(problem, weights)
        outputs = _outputs(network, weight_leaves, other_leaves)
        outputs.retain_grad()
        loss = criterion(problem.model, outputs, batch)
        loss.backward()
        weight_gradients = [
            {name: gradient(leaf) for name, leaf in layer_leaves.items()} for layer_leaves in weight_leaves
        ]
        gradients = _parameter_gradients(problem, layout, weight_gradients) | {
            name: gradient(leaf) for name, leaf in other_leaves.items()
        }
        return Evaluation(
            loss=loss.item(),
            gradients={name: gradients[name] for name in problem.differentiable if name in gradients},
            outputs=within_lengths(outputs, batch).detach().numpy(),
            adjoints={"o": gradient(outputs)} if trace else {},
        )


def wrap_on_torch(
    name: str,
    layout: Layout,
    model: Recurrent,
    weights: Sequence[Mapping[str, np.ndarray]],
    network_for: Callable[[Problem], Network],
) -> WrappedLayer:
    """Layers with these weights as a backend."""

    def evaluate(problem: Problem, trace: bool) -> Evaluation:
        return evaluate_layers(problem, layout, weights, network_for(problem), trace=trace)

    return WrappedLayer(name, layout, model, weights, evaluate)


def prepared(
    problem: Problem, layout: Layout, weights: Sequence[Mapping[str, np.ndarray]], network: Network
) -> Callable[[], tuple[Tensor, Tensors]]:
    """The run that gives the loss and the parameters' gradients."""
    with isolated():
        weight_leaves, other_leaves, batch = _leaves(problem, weights)
        readout = {name: other_leaves[name] for name in ("V", "c") if name in other_leaves}
    for leaf in (other_leaves[name] for name in problem.model.differentiable):
        leaf.requires_grad_(False)

    def compute() -> tuple[Tensor, Any]:
        loss = criterion(problem.model, _outputs(network, weight_leaves, other_leaves), batch)
        leaves = [leaf for layer_leaves in weight_leaves for leaf in layer_leaves.values()]
        all_gradients = torch.autograd.grad(loss, [*leaves, *readout.values()])
        remaining = iter(all_gradients)
        weight_gradients = [{name: next(remaining).numpy() for name in layer_leaves} for layer_leaves in weight_leaves]
        return loss.detach(), _parameter_gradients(problem, layout, weight_gradients) | dict(
            zip(readout, remaining, strict=True)
        )

    return synchronized(compute, "cpu")


def _leaves(problem: Problem, weights: Sequence[Mapping[str, np.ndarray]]) -> tuple[list[Tensors], Tensors, Batch]:
    """What is differentiated: the weights, and the read-out, initial states and inputs; and what is not."""
    weight_leaves = [
        {name: tensor(array, requires_grad=True) for name, array in layer_weights.items()} for layer_weights in weights
    ]
    readout = {name: problem.params[name] for name in ("V", "c") if name in problem.params}
    other_arrays = {**readout, **problem.states, "inputs": problem.inputs}
    other_leaves = {name: tensor(array, requires_grad=True) for name, array in other_arrays.items()}
    return weight_leaves, other_leaves, batch_of(problem)


def _parameter_gradients(
    problem: Problem, layout: Layout, weight_gradients: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, Any]:
    assert isinstance(problem.model, Recurrent)
    return dict(layout.gradients(problem.model, weight_gradients))


def _outputs(network: Network, weight_leaves: Sequence[Tensors], other_leaves: Tensors) -> Tensor:
    """o_t (T, B, K)."""
    B, H = other_leaves["h0"].shape[-2:]
    states = tuple(other_leaves[name].reshape(-1, B, H) for name in ("h0", "c0") if name in other_leaves)
    return network(weight_leaves, other_leaves["inputs"], states) @ other_leaves["V"].T + other_leaves.get("c", 0)


def network_of_layers(problem: Problem, calls: Sequence[Call]) -> Network:
    """A network of single layers, in a stack and in both directions as the problem's model has them."""
    model = problem.model
    assert isinstance(model, Recurrent)
    t = np.arange(problem.seq_len)[:, None]
    lengths = problem.sequence_lengths
    in_length = torch.from_numpy(t < lengths)[..., None]
    # each sequence reversed within its length
    backwards = torch.from_numpy(np.where(t < lengths, lengths - 1 - t, t))[..., None]

    def network(weights: Sequence[Weights], x: Tensor, states: States) -> Tensor:
        h = torch.where(in_length, x, 0)
        for layer in model.layers:
            directions = []
            for place in layer:
                initial = tuple(state[place.number] for state in states)
                x_of_direction = torch.take_along_dim(h, backwards, dim=0) if place.is_reverse else h
                h_of_direction = calls[place.number](weights[place.number], x_of_direction, initial)
                directions.append(
                    torch.take_along_dim(h_of_direction, backwards, dim=0) if place.is_reverse else h_of_direction
                )
            h = torch.cat(directions, dim=-1)
        return h

    return network
