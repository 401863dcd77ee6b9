"""A layer of any cell on PyTorch, differentiated by `torch.autograd`: the LSTM with a projection, and own ones."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ..errors import DerivationError, InvalidProblemError, UnsupportedProblemError
from ..frameworks.torch_isolation import in_one_thread, isolated
from ..layouts import placed
from ..references.torch_tensors import gradient, tensor
from .sequence_task import SequenceAnswer, SequenceLayer, SequenceTask, names_after, places_of
from .wrapped_layer import Usage

Arrays = dict[str, np.ndarray]
Weights = Mapping[str, Tensor]
States = tuple[Tensor, ...]  # (B, ·) each, or (P, B, ·) for P layers and directions
# The weights, x (T, B, D), the initial state (None: the layer's own) and the lengths (B,) (None: the layer is not told)
# give h (T, B, ·) and the states after the last step.
Call = Callable[[Weights, Tensor, States | None, Tensor | None], tuple[Tensor, States]]


def answer(
    task: SequenceTask,
    weights: Mapping[str, np.ndarray],
    call: Call,
    usage: Usage,
    read: Callable[[Arrays], Arrays] = dict,
) -> SequenceAnswer:
    """The loss of a task, and its gradients.

    Args:
        task: what is asked.
        weights: of the layer, by its own names.
        call: runs it.
        usage: how it is called.
        read: gives the gradients of the weights by the names under which they are compared.

    Returns:
        The answer.

    Raises:
        UnsupportedProblemError: it does not return the states that are to be handed over.
    """
    with isolated(), in_one_thread():
        leaves = {name: tensor(array, requires_grad=True) for name, array in weights.items()}
        others = {name: tensor(array, requires_grad=True) for name, array in task.arrays.items()}
        targets = tensor(task.targets)
        states: States | None = None if usage.own_state else tuple(others[name] for name in task.states)
        lengths = None if task.lengths is None else torch.tensor(task.lengths)
        parts: list[Tensor] = []
        for x in torch.tensor_split(others["inputs"], [usage.hand_over_after] if usage.hand_over_after else []):
            if parts and not states:
                raise UnsupportedProblemError("the layer does not return its states, so that they are not handed over")
            h, states = call(leaves, x, states, lengths)
            parts.append(h)
        outputs = torch.cat(parts) @ others["V"].T
        if lengths is not None:
            in_length = (torch.arange(len(outputs))[:, None] < lengths)[..., None]
            outputs, targets = torch.where(in_length, outputs, 0), torch.where(in_length, targets, 0)
        loss = ((outputs - targets) ** 2).sum() / 2
        loss.backward()
        unused = task.states if usage.own_state else {}
        gradients = read({name: gradient(leaf) for name, leaf in leaves.items()})
        gradients |= {name: gradient(leaf) for name, leaf in others.items() if name not in unused}
        after = dict(zip(names_after(task.states), states or (), strict=False))
        final_states = {name: state.detach().numpy() for name, state in after.items()}
        return SequenceAnswer(loss.item(), gradients, outputs.detach().numpy(), final_states)


def call_of_step(step: Callable[..., Any]) -> Call:
    """Runs `step(weights, x, *states) -> states` over a sequence; past a length the states stay as they are."""

    def call(weights: Weights, x: Tensor, states: States | None, lengths: Tensor | None) -> tuple[Tensor, States]:
        if states is None:
            raise UnsupportedProblemError("a step has to be given a state")
        steps = []
        for t, x_t in enumerate(x):
            new = _as_tuple(step(dict(weights), x_t, *states))
            if len(new) != len(states):
                raise DerivationError(f"it returned {len(new)} states, expected {len(states)}")
            steps.append(new[0])
            if lengths is not None:
                new = tuple(torch.where((t < lengths)[:, None], *pair) for pair in zip(new, states, strict=True))
            states = new
        return torch.stack(steps), states

    return call


def call_of_layer(layer: Callable[..., Any]) -> Call:
    """Runs `layer(weights, x, *states) -> (h_1 … h_T, states after the last step)`."""

    def call(weights: Weights, x: Tensor, states: States | None, lengths: Tensor | None) -> tuple[Tensor, States]:
        if states is None or lengths is not None:
            raise UnsupportedProblemError("a layer of one's own has to be given a state, and is not told lengths")
        h, after = layer(dict(weights), x, *states)
        return h, _as_tuple(after)

    return call


def function_of_module(module: nn.Module, *, whole: bool) -> tuple[Callable[..., Any], dict[str, Tensor]]:
    """A module as a function of its parameters, called as PyTorch's cells and layers are.

    Args:
        module: takes x and the states: (h, c), or h alone.
        whole: whether it is a layer, that returns (h_1 … h_T, states).

    Returns:
        The function of weights, x and the states; and the parameters.
    """

    def function(weights: Weights, x: Tensor, *states: Tensor) -> Any:
        if whole:  # whose states have an axis of layers and directions
            states = tuple(state[None] for state in states)
        returned = functional_call(module, dict(weights), (x, states if len(states) > 1 else states[0]))
        if whole:
            h, after = returned
            return h, tuple(state[0] for state in _as_tuple(after))
        is_pair = isinstance(returned, tuple) and len(returned) == 2 and isinstance(returned[1], tuple)
        return returned[1] if is_pair else returned  # of (output, states) the states

    return function, dict(module.named_parameters())


def wrap_projected(module: nn.LSTM) -> SequenceLayer:
    """An `nn.LSTM` with a projection, of any number of layers and directions.

    Args:
        module: with `proj_size` above 0.

    Returns:
        The layer, with the weights U (4H, ·), W (4H, P), b (4H,) and W_hr (P, H) of every layer and direction.

    Raises:
        InvalidProblemError: it has a dropout in training mode, or weights that cannot be read.
    """
    if module.training and module.dropout and module.num_layers > 1:
        raise InvalidProblemError("the torch layer has dropout and is in training mode: call its eval() first")
    weights = arrays_of(dict(module.named_parameters()))
    places = places_of(module.num_layers, module.bidirectional)
    own_names = {"weight_ih": "U", "weight_hh": "W", "bias_ih": "b", "weight_hr": "W_hr"}

    def read(arrays: Arrays) -> Arrays:
        """By our names; of two biases that are added the gradient of the first."""
        return {
            place.name(ours): arrays[placed(place, own)]
            for place in places
            for own, ours in own_names.items()
            if placed(place, own) in arrays
        }

    held = read(weights)
    for place in places:
        second = weights.get(placed(place, "bias_hh"), np.zeros(4 * module.hidden_size, weights["weight_ih_l0"].dtype))
        held[place.name("b")] = held.get(place.name("b"), np.zeros_like(second)) + second

    def call(parameters: Weights, x: Tensor, states: States | None, lengths: Tensor | None) -> tuple[Tensor, States]:
        sequence: Any = x.transpose(0, 1) if module.batch_first else x
        if lengths is not None:
            sequence = pack_padded_sequence(sequence, lengths, batch_first=module.batch_first, enforce_sorted=False)
        given = () if states is None else (tuple(s if s.ndim == 3 else s[None] for s in states),)
        with warnings.catch_warnings():  # that another implementation is used, once a process
            warnings.filterwarnings("ignore", message="LSTM with projections is not supported with oneDNN")
            h, after = functional_call(module, dict(parameters), (sequence, *given))
        if lengths is not None:
            h, _ = pad_packed_sequence(h, batch_first=module.batch_first, total_length=len(x))
        h = h.transpose(0, 1) if module.batch_first else h
        return h, tuple(state if len(places) > 1 else state[0] for state in after)

    return SequenceLayer(
        name="torch LSTM",
        cell="lstm with a projection",
        weights=held,
        input_size=module.input_size,
        state_sizes={"h": module.proj_size, "c": module.hidden_size},
        evaluate=lambda task, usage: answer(task, weights, call, usage, read),
        num_layers=module.num_layers,
        bidirectional=module.bidirectional,
        has_own_state=True,
        takes_lengths=True,
        gives_final_states=True,
    )


def arrays_of(tensors: Mapping[str, Tensor]) -> Arrays:
    """Tensors as arrays.

    Raises:
        InvalidProblemError: one is of another dtype than float64 and float32, or without numbers.
    """
    for name, values in tensors.items():
        if values.dtype not in (torch.float64, torch.float32) or values.is_meta:
            actual = "on the meta device, without numbers" if values.is_meta else values.dtype
            raise InvalidProblemError(f"the torch weight {name} is {actual}, expected float64 or float32")
    return {name: values.detach().cpu().numpy().copy() for name, values in tensors.items()}


def _as_tuple(states: Any) -> States:
    return tuple(states) if isinstance(states, (tuple, list)) else (states,)
