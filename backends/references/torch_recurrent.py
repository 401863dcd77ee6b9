"""Recurrent networks in PyTorch: the forward pass as an explicit loop, and nothing of the backward pass.

A cell takes what the inputs add to a_t, and the state before a step, to the state after it. Since that addend
enters a_t in a sum, its gradient is that of a_t.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from ..models import Chunks, LastSteps, LayerDirection, Recurrent, Truncation, Window
from .torch_activations_losses import ACTIVATION_FUNCTIONS, unreduced_loss
from .torch_tensors import Batch, Tensors, within_lengths

State = tuple[Tensor, ...]  # (h,), or (h, c)
CellFunction = Callable[[Recurrent, Tensors, Tensor, State], State]
Step = Callable[[Tensor, State], State]  # a cell with its model and parameters
Record = Callable[[str, int, Tensor], None]  # a variable's name, its step from 0, its value


def rnn(model: Recurrent, p: Tensors, from_x: Tensor, state: State) -> State:
    (h,) = state
    return (ACTIVATION_FUNCTIONS[model.activation](from_x + h @ p["W"].T),)


def lstm(model: Recurrent, p: Tensors, from_x: Tensor, state: State) -> State:
    h, c = state
    i, f, g, o = (from_x + h @ p["W"].T).chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru(model: Recurrent, p: Tensors, from_x: Tensor, state: State) -> State:
    (h,) = state
    x_r, x_z, x_n = from_x.chunk(3, dim=-1)
    W_r, W_z, W_n = p["W"].chunk(3)
    r, z = (x_r + h @ W_r.T).sigmoid(), (x_z + h @ W_z.T).sigmoid()
    from_h = r * functional.linear(h, W_n, p.get("b_hn")) if model.reset == "after" else (r * h) @ W_n.T
    return ((1 - z) * (x_n + from_h).tanh() + z * h,)


CELL_FUNCTIONS: dict[str, CellFunction] = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
}


def forward(
    model: Recurrent, arrays: Tensors, batch: Batch, record: Record, cell: CellFunction | None = None
) -> tuple[Tensor, Tensor]:
    """The loss, and o_t (T, B, K). `cell` takes the place of the model's cell, such as the same one compiled."""
    cell = cell or CELL_FUNCTIONS[model.cell]
    h = within_lengths(arrays["inputs"], batch)
    for layer in model.layers:
        h = torch.cat([_direction(model, place, arrays, h, batch, record, cell) for place in layer], dim=-1)
    outputs = functional.linear(h, arrays["V"], arrays.get("c")).unbind()
    for t, o in enumerate(outputs):
        record("o", t, o)
    o, y = torch.stack(outputs), batch["targets"]
    if "with_loss" in batch:
        o_with_loss, y = o[batch["with_loss"]], y[batch["with_loss"]]
    else:
        o_with_loss = o
    step_loss = unreduced_loss(model.loss, o_with_loss, y)
    return step_loss.sum() if model.reduction == "sum" else step_loss.mean(), o


def _direction(
    model: Recurrent,
    place: LayerDirection,
    arrays: Tensors,
    x: Tensor,
    batch: Batch,
    record: Record,
    cell: CellFunction,
) -> Tensor:
    """The states (T, B, H) of one layer in one direction."""
    p = {name: arrays[place.name(name)] for name in ("U", "W", "b", "b_hn", "Wcat") if place.name(name) in arrays}
    if model.concatenated:
        p["U"], p["W"] = p["Wcat"].split([model.input_size, model.hidden_size], dim=1)
    initial = tuple(arrays[name].reshape(-1, *arrays[name].shape[-2:])[place.number] for name in model.state_names)
    from_x = functional.linear(x, p["U"], p.get("b")).unbind()
    order = range(len(from_x))[::-1] if place.is_reverse else range(len(from_x))

    def record_here(name: str, step: int, value: Tensor) -> None:
        record(place.name(name), order[step], value)

    for step, t in enumerate(order):
        record_here("a", step, from_x[t])
    run = _windows if isinstance(model.truncation, Window) else _sequence
    in_length = batch["in_length"][list(order)] if "in_length" in batch else None
    states = run(partial(cell, model, p), [from_x[t] for t in order], initial, in_length, model.truncation, record_here)
    return torch.stack([states[step] for step in order])  # an order that turns time turns it back, too


def _sequence(
    step: Step,
    from_x: Sequence[Tensor],
    state: State,
    in_length: Tensor | None,
    cut: Truncation | None,
    record: Record,
) -> list[Tensor]:
    """h_1 … h_T. Chunks and last steps detach the state where the gradient stops."""
    steps_left = _steps_left(from_x, in_length) if isinstance(cut, LastSteps) else None
    hs = []
    for t, x in enumerate(from_x):
        if isinstance(cut, Chunks) and t > 0 and t % cut.steps == 0:
            state = _detached(state)
        new = step(x, state)
        _record_state(record, t, new)
        if isinstance(cut, LastSteps) and steps_left is not None:
            new = _where(steps_left[t] <= cut.steps, new, _detached(new))
        state = _carried(in_length, t, new, state)
        hs.append(state[0])
    return hs


def _windows(
    step: Step,
    from_x: Sequence[Tensor],
    state: State,
    in_length: Tensor | None,
    cut: Truncation | None,
    record: Record,
) -> list[Tensor]:
    """h_1 … h_T, each by n applications of the cell of its own, from a detached state: T·n applications."""
    n = cut.steps if cut else len(from_x)
    before = [state]
    for t, x in enumerate(from_x):
        before.append(_detached(_carried(in_length, t, step(x, before[t]), before[t])))
    hs = []
    for end in range(len(from_x)):
        start = max(0, end + 1 - n)
        state = before[start]
        for t in range(start, end + 1):
            new = step(from_x[t], state)
            _record_state(record, t, new)
            state = _carried(in_length, t, new, state)
        hs.append(state[0])
    return hs


def _steps_left(from_x: Sequence[Tensor], in_length: Tensor | None) -> Tensor:
    """(T, B), how many steps of its sequence there are from each step on."""
    if in_length is None:
        in_length = torch.ones(len(from_x), len(from_x[0]), dtype=torch.bool, device=from_x[0].device)
    return in_length.flip(0).cumsum(0).flip(0)


def _carried(in_length: Tensor | None, t: int, new: State, state: State) -> State:
    """The new state, or past a sequence's length the one before."""
    return new if in_length is None else _where(in_length[t], new, state)


def ignore(name: str, step: int, value: Tensor) -> None:
    """Records nothing."""


def _record_state(record: Record, t: int, state: State) -> None:
    """What the cell computed, before a state past its length is replaced by the one that is carried."""
    for name, value in zip("hc", state, strict=False):
        record(name, t, value)


def _detached(state: State) -> State:
    return tuple(value.detach() for value in state)


def _where(condition: Tensor, yes: State, no: State) -> State:
    return tuple(torch.where(condition[:, None], *pair) for pair in zip(yes, no, strict=True))
