"""Recurrent networks in PyTorch: the forward pass as an explicit loop, and nothing of the backward pass.

A cell takes what the inputs add to a_t, and the state before a step, to the state after it. Since that addend
enters a_t in a sum, its gradient is that of a_t.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .problem import Problem
from .recurrent import Place, Recurrent
from .torch_common import steps_in_length, steps_with_loss, targets, within_lengths
from .torch_functions import ACTIVATIONS, each_loss
from .truncation import Chunks, LastSteps, Window

Params = dict[str, Tensor]
State = tuple[Tensor, ...]  # (h,), or (h, c)
Cell = Callable[[Recurrent, Params, Tensor, State], State]
Record = Callable[[str, int, Tensor], None]  # a variable's name, its step from 0, its value


def rnn(model: Recurrent, p: Params, from_x: Tensor, state: State) -> State:
    (h,) = state
    return (ACTIVATIONS[model.activation](from_x + h @ p["W"].T),)


def lstm(model: Recurrent, p: Params, from_x: Tensor, state: State) -> State:
    h, c = state
    i, f, g, o = (from_x + h @ p["W"].T).chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c


def gru(model: Recurrent, p: Params, from_x: Tensor, state: State) -> State:
    (h,) = state
    x_r, x_z, x_n = from_x.chunk(3, dim=-1)
    W_r, W_z, W_n = p["W"].chunk(3)
    r, z = (x_r + h @ W_r.T).sigmoid(), (x_z + h @ W_z.T).sigmoid()
    from_h = r * functional.linear(h, W_n, p.get("b_hn")) if model.reset == "after" else (r * h) @ W_n.T
    return ((1 - z) * (x_n + from_h).tanh() + z * h,)


CELLS: dict[str, Cell] = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
}


def forward(problem: Problem, given: Params, record: Record) -> tuple[Tensor, Tensor]:
    """The loss, and o_t (T, B, K)."""
    model = problem.model
    assert isinstance(model, Recurrent)
    in_length = steps_in_length(problem)
    h = within_lengths(given["inputs"], problem)
    for layer in model.layers:
        h = torch.cat([_direction(model, place, given, h, in_length, record) for place in layer], dim=-1)
    outputs = [functional.linear(h_t, given["V"], given.get("c")) for h_t in h]
    for t, o in enumerate(outputs):
        record("o", t, o)
    o, y = torch.stack(outputs), targets(problem)
    if problem.lengths is not None or model.loss_at != "every_step":
        with_loss = steps_with_loss(problem)
        o_with_loss, y = o[with_loss], y[with_loss]
    else:
        o_with_loss = o
    step_loss = each_loss(model.loss, o_with_loss, y)
    return step_loss.sum() if model.reduction == "sum" else step_loss.mean(), o


def _direction(model: Recurrent, place: Place, given: Params, x: Tensor, in_length: Tensor, record: Record) -> Tensor:
    """The states (T, B, H) of one layer in one direction."""
    p = {name: given[place.name(name)] for name in ("U", "W", "b", "b_hn", "Wcat") if place.name(name) in given}
    if model.concatenated:
        p["U"], p["W"] = p["Wcat"].split([model.input_size, model.hidden_size], dim=1)
    initial = tuple(given[name].reshape(-1, *given[name].shape[-2:])[place.number] for name in model.state_names)
    from_x = functional.linear(x, p["U"], p.get("b")).unbind()
    order = range(len(from_x))[::-1] if place.suffix else range(len(from_x))

    def record_here(name: str, step: int, value: Tensor) -> None:
        record(place.name(name), order[step], value)

    for step, t in enumerate(order):
        record_here("a", step, from_x[t])
    run = _windows if isinstance(model.truncation, Window) else _sequence
    states = run(model, p, [from_x[t] for t in order], initial, in_length[list(order)], record_here)
    return torch.stack([states[step] for step in order])  # an order that turns time turns it back, too


def _sequence(
    model: Recurrent, p: Params, from_x: Sequence[Tensor], state: State, in_length: Tensor, record: Record
) -> list[Tensor]:
    """h_1 … h_T. Chunks and last steps detach the state where the gradient stops."""
    cell, cut = CELLS[model.cell], model.truncation
    steps_left = in_length.flip(0).cumsum(0).flip(0)
    hs = []
    for t, x in enumerate(from_x):
        if isinstance(cut, Chunks) and t > 0 and t % cut.steps == 0:
            state = _detached(state)
        new = cell(model, p, x, state)
        _record_state(record, t, new)
        if isinstance(cut, LastSteps):
            new = _where(steps_left[t] <= cut.steps, new, _detached(new))
        state = _where(in_length[t], new, state)
        hs.append(state[0])
    return hs


def _windows(
    model: Recurrent, p: Params, from_x: Sequence[Tensor], state: State, in_length: Tensor, record: Record
) -> list[Tensor]:
    """h_1 … h_T, each by n applications of the cell of its own, from a detached state: T·n applications."""
    cell, n = CELLS[model.cell], model.truncation.steps if model.truncation else len(from_x)
    before = [state]
    for t, x in enumerate(from_x):
        before.append(_detached(_where(in_length[t], cell(model, p, x, before[t]), before[t])))
    hs = []
    for end in range(len(from_x)):
        start = max(0, end + 1 - n)
        state = before[start]
        for t in range(start, end + 1):
            new = cell(model, p, from_x[t], state)
            _record_state(record, t, new)
            state = _where(in_length[t], new, state)
        hs.append(state[0])
    return hs


def _record_state(record: Record, t: int, state: State) -> None:
    """What the cell computed, before a state past its length is replaced by the one that is carried."""
    for name, value in zip("hc", state, strict=False):
        record(name, t, value)


def _detached(state: State) -> State:
    return tuple(each.detach() for each in state)


def _where(condition: Tensor, yes: State, no: State) -> State:
    return tuple(torch.where(condition[:, None], *pair) for pair in zip(yes, no, strict=True))
