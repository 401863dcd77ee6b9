"""A network of a library's layers on PyTorch, differentiated by `torch.autograd`; its loss is that of `torch.nn`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UnsupportedProblemError
from ..frameworks.torch_isolation import in_one_thread, isolated
from ..interface import Evaluation
from ..layouts import Layout
from ..models import Recurrent
from ..problems import Problem
from ..references.torch_nn_backend import criterion
from ..references.torch_tensors import Batch, Tensors, batch_of, gradient, synchronized, tensor, within_lengths
from .half_weights import widened
from .wrapped_layer import LayerAnswer, Usage, WrappedLayer, require_one_length, require_one_place

Weights = Mapping[str, Tensor]
States = tuple[Tensor, ...]  # (h,), or (h, c)
# The weights, x (T, B, ·), the initial state (None: the layer's own) and the lengths (B,) (None: the layer is not told)
# give h (T, B, H) and the state after the last step (empty: the layer does not give it).
Call = Callable[[Weights, Tensor, States | None, Tensor | None], tuple[Tensor, States]]
# The same of all layers, with their (P, B, H) states.
Network = Callable[[Sequence[Weights], Tensor, States | None, Tensor | None], tuple[Tensor, States]]


def evaluate_layers(
    problem: Problem,
    layout: Layout,
    weights: Sequence[Mapping[str, np.ndarray]],
    network: Network,
    *,
    trace: bool,
    usage: Usage,
) -> LayerAnswer:
    """The loss and the gradients of layers with these weights; the problem gives the rest."""
    with isolated(), in_one_thread():
        weight_leaves, other_leaves, batch = _leaves(problem, weights)
        outputs, final_states = _outputs(network, weight_leaves, other_leaves, usage, problem.lengths)
        outputs.retain_grad()
        loss = criterion(problem.model, outputs, batch)
        loss.backward()
        weight_gradients = [
            {name: gradient(leaf) for name, leaf in layer_leaves.items()} for layer_leaves in weight_leaves
        ]
        gradients = _parameter_gradients(problem, layout, weight_gradients) | {
            name: gradient(leaf)
            for name, leaf in other_leaves.items()
            if not (usage.own_state and name in problem.states)
        }
        evaluation = Evaluation(
            loss=loss.item(),
            gradients={name: gradients[name] for name in problem.differentiable if name in gradients},
            outputs=within_lengths(outputs, batch).detach().numpy(),
            adjoints={"o": gradient(outputs)} if trace else {},
        )
        names = ("h_n", "c_n") if usage.final_states else ()
        return LayerAnswer(
            evaluation, {name: state.detach().numpy() for name, state in zip(names, final_states, strict=False)}
        )


def wrap_on_torch(
    name: str,
    layout: Layout,
    model: Recurrent,
    weights: Sequence[Mapping[str, np.ndarray]],
    network_for: Callable[[Problem, Usage], Network],
    **described: Any,
) -> WrappedLayer:
    """Layers with these weights as a backend; `described` are further attributes of it."""
    wide, precision = widened(name, weights)
    precision = described.pop("precision", "") or precision

    def evaluate(problem: Problem, trace: bool, usage: Usage) -> LayerAnswer:
        network = network_for(problem, usage)
        run = _in_half(network, getattr(torch, precision)) if precision else network
        return evaluate_layers(problem, layout, wide, run, trace=trace, usage=usage)

    return WrappedLayer(name, layout, model, wide, evaluate, precision=precision, **described)


def _in_half(network: Network, half: torch.dtype) -> Network:
    """The network in half precision: what goes in is rounded, and what comes out is widened."""

    def run(
        weights: Sequence[Weights], x: Tensor, states: States | None, lengths: Tensor | None
    ) -> tuple[Tensor, States]:
        rounded = [{name: tensor.to(half) for name, tensor in of_layer.items()} for of_layer in weights]
        h, after = network(rounded, x.to(half), states and tuple(state.to(half) for state in states), lengths)
        return h.to(x.dtype), tuple(state.to(x.dtype) for state in after)

    return run


def wrap_network_on_torch(
    name: str,
    layout: Layout,
    model: Recurrent,
    weights: Sequence[Mapping[str, np.ndarray]],
    network: Network,
    **described: Any,
) -> WrappedLayer:
    """An object that runs all its layers by itself as a backend; `described` are further attributes of it."""

    def call(weights: Weights, x: Tensor, states: States | None, lengths: Tensor | None) -> tuple[Tensor, States]:
        h, after = network([weights], x, states and tuple(state[None] for state in states), lengths)
        return h, tuple(state[0] for state in after)

    def network_for(problem: Problem, usage: Usage) -> Network:
        if len(model.places) == 1:
            return network_of_layers(problem, [call], usage)
        require_one_length(problem, usage)
        return network

    return wrap_on_torch(name, layout, model, weights, network_for, **described)


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
        outputs, _ = _outputs(network, weight_leaves, other_leaves, Usage(), None)
        loss = criterion(problem.model, outputs, batch)
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


def _outputs(
    network: Network,
    weight_leaves: Sequence[Tensors],
    other_leaves: Tensors,
    usage: Usage,
    lengths: np.ndarray | None,
) -> tuple[Tensor, States]:
    """o_t (T, B, K), and the states after the last step."""
    B, H = other_leaves["h0"].shape[-2:]
    states: States | None = tuple(other_leaves[name].reshape(-1, B, H) for name in ("h0", "c0") if name in other_leaves)
    if usage.own_state:
        states = None
    told = torch.tensor(lengths) if usage.own_lengths and lengths is not None else None
    parts: list[Tensor] = []
    for x in torch.tensor_split(other_leaves["inputs"], [usage.hand_over_after] if usage.hand_over_after else []):
        if parts and not states:
            raise UnsupportedProblemError("the layer does not return its states, so that they cannot be handed over")
        h, states = network(weight_leaves, x, states, told)
        parts.append(h)
    assert states is not None
    return torch.cat(parts) @ other_leaves["V"].T + other_leaves.get("c", 0), states


def network_of_layers(problem: Problem, calls: Sequence[Call], usage: Usage) -> Network:
    """A network of single layers, in a stack and in both directions as the problem's model has them.

    Only a single layer in one direction is told the lengths; of others, what lies past a length is kept from them.
    """
    model = problem.model
    assert isinstance(model, Recurrent)
    require_one_place(model, usage)
    lengths = problem.sequence_lengths

    def network(
        weights: Sequence[Weights], x: Tensor, states: States | None, told: Tensor | None
    ) -> tuple[Tensor, States]:
        if told is not None or usage.hand_over_after:
            h, after = calls[0](weights[0], x, states and tuple(state[0] for state in states), told)
            return h, tuple(state[None] for state in after)
        t = np.arange(problem.seq_len)[:, None]
        in_length = torch.from_numpy(t < lengths)[..., None]
        # each sequence reversed within its length
        backwards = torch.from_numpy(np.where(t < lengths, lengths - 1 - t, t))[..., None]
        h = torch.where(in_length, x, 0)
        final_states = []
        for layer in model.layers:
            directions = []
            for place in layer:
                initial = states and tuple(state[place.number] for state in states)
                x_of_direction = torch.take_along_dim(h, backwards, dim=0) if place.is_reverse else h
                h_of_direction, after = calls[place.number](weights[place.number], x_of_direction, initial, None)
                directions.append(
                    torch.take_along_dim(h_of_direction, backwards, dim=0) if place.is_reverse else h_of_direction
                )
                final_states.append(after)
            h = torch.cat(directions, dim=-1)
        return h, tuple(torch.stack(state) for state in zip(*final_states, strict=True))

    return network
