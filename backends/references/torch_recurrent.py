"""Recurrent networks in PyTorch: the forward pass as an explicit loop, and nothing of the backward pass.

A cell is made of its parameters, before the loop: what is cut out of them is cut once, and not at every step. It takes
what the inputs add to a_t, and the state before a step, to the state after it. Since that addend enters a_t in a sum,
its gradient is that of a_t.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..models import Chunks, LastSteps, LayerDirection, Recurrent, Truncation, Window
from .torch_activations_losses import ACTIVATION_FUNCTIONS, reduced_loss
from .torch_tensors import Batch, Tensors, within_lengths

State = tuple[Tensor, ...]  # (h,), or (h, c)
Step = Callable[[Tensor, State], State]
CellFunction = Callable[[Recurrent, Tensors], Step]
Record = Callable[[str, int, Tensor], None]  # a variable's name, its step from 0, its value


def rnn(model: Recurrent, p: Tensors) -> Step:
    activation = ACTIVATION_FUNCTIONS[model.activation]

    def step(from_x: Tensor, state: State) -> State:
        (h,) = state
        return (activation(from_x + functional.linear(h, p["W"])),)

    return step


def lstm(model: Recurrent, p: Tensors) -> Step:
    def step(from_x: Tensor, state: State) -> State:
        h, c = state
        i, f, g, o = (from_x + functional.linear(h, p["W"])).chunk(4, dim=-1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    return step


def gru(model: Recurrent, p: Tensors) -> Step:
    def with_reset_after(from_x: Tensor, state: State) -> State:
        (h,) = state
        x_r, x_z, x_n = from_x.chunk(3, dim=-1)
        h_r, h_z, h_n = functional.linear(h, p["W"]).chunk(3, dim=-1)
        r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
        from_h = r * (h_n + p["b_hn"] if "b_hn" in p else h_n)
        return ((1 - z) * (x_n + from_h).tanh() + z * h,)

    if model.reset == "after":
        return with_reset_after
    H = model.hidden_size
    W_rz, W_n = p["W"][: 2 * H], p["W"][2 * H :]

    def with_reset_before(from_x: Tensor, state: State) -> State:
        (h,) = state
        x_r, x_z, x_n = from_x.chunk(3, dim=-1)
        h_r, h_z = functional.linear(h, W_rz).chunk(2, dim=-1)
        r, z = (x_r + h_r).sigmoid(), (x_z + h_z).sigmoid()
        return ((1 - z) * (x_n + functional.linear(r * h, W_n)).tanh() + z * h,)

    return with_reset_before


CELL_FUNCTIONS: dict[str, CellFunction] = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
}


def forward(
    model: Recurrent,
    arrays: Tensors,
    batch: Batch,
    record: Record | None = None,
    cell: CellFunction | None = None,
) -> tuple[Tensor, Tensor]:
    """The loss, and o_t (T, B, K).

    Args:
        model: what is computed.
        arrays: parameters, initial states and inputs.
        batch: targets, and what is within lengths.
        record: is called with every variable at every step, each then a tensor of its own.
        cell: takes the place of the model's cell, such as the same one compiled.
    """
    cell = cell or CELL_FUNCTIONS[model.cell]
    h = within_lengths(arrays["inputs"], batch)
    for layer in model.layers:
        directions = [_direction(model, place, arrays, h, batch, record, cell) for place in layer]
        h = torch.cat(directions, dim=-1) if model.bidirectional else directions[0]
    o, y = functional.linear(h, arrays["V"], arrays.get("c")), batch["targets"]
    if record is not None:
        outputs = o.unbind()
        for t, o_t in enumerate(outputs):
            record("o", t, o_t)
        o = torch.stack(outputs)
    if "with_loss" in batch:
        o_with_loss, y = o[batch["with_loss"]], y[batch["with_loss"]]
    else:
        o_with_loss = o
    return reduced_loss(model.loss, o_with_loss, y, model.reduction), o


def _direction(
    model: Recurrent,
    place: LayerDirection,
    arrays: Tensors,
    x: Tensor,
    batch: Batch,
    record: Record | None,
    cell: CellFunction,
) -> Tensor:
    """The states (T, B, H) of one layer in one direction."""
    p = {name: arrays[place.name(name)] for name in ("U", "W", "b", "b_hn", "Wcat") if place.name(name) in arrays}
    if model.concatenated:
        p["U"], p["W"] = p["Wcat"].split([model.input_size, model.hidden_size], dim=1)
    states_at_start = (arrays[name] for name in model.state_names)
    initial = tuple(state if state.dim() == 2 else state[place.number] for state in states_at_start)
    from_x = functional.linear(x, p["U"], p.get("b")).unbind()
    order = range(len(from_x))[::-1] if place.is_reverse else range(len(from_x))

    record_here = None if record is None else _at_place(record, place, order)
    if record_here is not None:
        for step, t in enumerate(order):
            record_here("a", step, from_x[t])
    in_length = batch["in_length"][list(order)] if "in_length" in batch else None
    cell_step, in_order = cell(model, p), [from_x[t] for t in order]
    if in_length is None and model.truncation is None and record_here is None:
        states = _plain_sequence(cell_step, in_order, initial)
    else:
        run = _windows if isinstance(model.truncation, Window) else _sequence
        states = run(cell_step, in_order, initial, in_length, model.truncation, record_here)
    return torch.stack([states[step] for step in order])  # an order that turns time turns it back, too


def _at_place(record: Record, place: LayerDirection, order: Sequence[int]) -> Record:
    """Records the variables of one layer and direction, whose steps are counted in their own order."""

    def record_here(name: str, step: int, value: Tensor) -> None:
        record(place.name(name), order[step], value)

    return record_here


def _plain_sequence(step: Step, from_x: Sequence[Tensor], state: State) -> list[Tensor]:
    """h_1 … h_T, as `_sequence` gives them where it has nothing to ask at a step: that takes 2 % of a small layer."""
    hs = []
    for x in from_x:
        state = step(x, state)
        hs.append(state[0])
    return hs


def _sequence(
    step: Step,
    from_x: Sequence[Tensor],
    state: State,
    in_length: Tensor | None,
    cut: Truncation | None,
    record: Record | None,
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
    record: Record | None,
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


def _record_state(record: Record | None, t: int, state: State) -> None:
    """What the cell computed, before a state past its length is replaced by the one that is carried."""
    if record is None:
        return
    for name, value in zip("hc", state, strict=False):
        record(name, t, value)


def _detached(state: State) -> State:
    return tuple(value.detach() for value in state)


def _where(condition: Tensor, yes: State, no: State) -> State:
    return tuple(torch.where(condition[:, None], *pair) for pair in zip(yes, no, strict=True))
