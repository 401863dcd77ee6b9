"""The models' definitions on the tape of balls, written from their equations and not from any derivation.

Each definition returns the loss and the outputs, and records the inner variables by name, with a list of copies for
every step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...backends import Chunks, FeedForward, LastSteps, OrderedSystem, Problem, Recurrent, Window
from ...backends.models import LayerDirection
from .tape import Balls, Variable, balls, concatenated, exp, log, relu, sigmoid, stopped, tanh, total, where

CellState = tuple[Variable, ...]
Steps = dict[str, dict[int, list[Variable]]]

ACTIVATIONS: dict[str, Callable[[Variable], Variable]] = {
    "tanh": tanh,
    "relu": relu,
    "sigmoid": sigmoid,
    "identity": lambda a: a,
}


class Computed(NamedTuple):
    """The forward pass on the tape.

    Attributes:
        loss: a single number.
        outputs: the values of o_t (T, B, K), z^L (B, K) or z (N,).
        leaves: the variables with respect to which the loss is differentiated, by name.
        steps: the inner variables by name and step, in all copies that were computed.
    """

    loss: Variable
    outputs: Balls
    leaves: dict[str, Variable]
    steps: Steps


def compute(problem: Problem, advance: Callable[[], None] = lambda: None) -> Computed:
    """Computes a problem on the tape.

    Args:
        problem: the model with its numbers.
        advance: is called after each application of a cell.
    """
    leaves = {name: Variable(balls(array)) for name, array in problem.differentiable.items()}
    steps: Steps = defaultdict(lambda: defaultdict(list))
    match problem.model:
        case Recurrent() as model:
            loss, outputs = _recurrent(model, problem, leaves, steps, advance)
        case FeedForward() as model:
            loss, outputs = _feedforward(model, problem, leaves, steps)
        case OrderedSystem() as model:
            loss, outputs = _ordered(model, leaves, steps)
    return Computed(loss, outputs, leaves, steps)


def rnn(model: Recurrent, p: dict[str, Variable], from_x: Variable, state: CellState) -> CellState:
    """h_t = φ(U x_t + b + W h_{t−1}); `from_x` is U x_t + b."""
    return (ACTIVATIONS[model.activation](from_x + state[0] @ p["W"].T),)


def lstm(model: Recurrent, p: dict[str, Variable], from_x: Variable, state: CellState) -> CellState:
    """c_t = σ(f) ⊙ c_{t−1} + σ(i) ⊙ tanh(g), h_t = σ(o) ⊙ tanh(c_t)."""
    h, c = state
    a, H = from_x + h @ p["W"].T, model.hidden_size
    i, f, g, o = (a[:, k * H : (k + 1) * H] for k in range(4))
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def gru(model: Recurrent, p: dict[str, Variable], from_x: Variable, state: CellState) -> CellState:
    """h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}, with the reset gate after the product with W_n or before it."""
    (h,), H = state, model.hidden_size
    x_r, x_z, x_n = (from_x[:, k * H : (k + 1) * H] for k in range(3))
    W_r, W_z, W_n = (p["W"][k * H : (k + 1) * H] for k in range(3))
    r, z = sigmoid(x_r + h @ W_r.T), sigmoid(x_z + h @ W_z.T)
    from_h = r * (h @ W_n.T + p.get("b_hn", 0)) if model.reset == "after" else (r * h) @ W_n.T
    n = tanh(x_n + from_h)
    return (n - z * n + z * h,)


CELLS = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
}


def _recurrent(
    model: Recurrent, problem: Problem, leaves: dict[str, Variable], steps: Steps, advance: Callable[[], None]
) -> tuple[Variable, Balls]:
    T, B = problem.leading
    assert problem.targets is not None
    lengths = problem.sequence_lengths
    in_length = list(np.arange(T)[:, None] < lengths)
    h = [where(in_length[t][:, None], leaves["inputs"][t], Variable(balls(np.zeros((B, 1))))) for t in range(T)]
    for layer in model.layers:
        directions = [_direction(model, place, leaves, h, in_length, steps, advance) for place in layer]
        h = [concatenated(beside) for beside in zip(*directions, strict=True)]
    losses, outputs, count = [], [], 0
    for t in range(T):
        o = h[t] @ leaves["V"].T + leaves.get("c", 0)
        steps["o"][t].append(o)
        outputs.append(np.where(in_length[t][:, None], o.value, balls(0)))
        with_loss = in_length[t] if model.loss_at == "every_step" else np.equal(t, lengths - 1)
        rows = np.flatnonzero(with_loss)
        if len(rows):
            losses.append(_loss(model.loss, o[rows], problem.targets[t, rows]))
            count += len(rows)
    result = _sum(losses)
    return result if model.reduction == "sum" else result * (1 / balls(count)), np.stack(outputs)


def _direction(
    model: Recurrent,
    place: LayerDirection,
    leaves: dict[str, Variable],
    x: list[Variable],
    in_length: list[np.ndarray],
    steps: Steps,
    advance: Callable[[], None],
) -> list[Variable]:
    """The states of one layer in one direction, in the order of time."""
    names = ("U", "W", "b", "b_hn", "Wcat")
    p = {name: leaves[place.name(name)] for name in names if place.name(name) in leaves}
    if model.concatenated:
        p["U"], p["W"] = p["Wcat"][:, : model.input_size], p["Wcat"][:, model.input_size :]
    T = len(x)
    order = range(T - 1, -1, -1) if place.is_reverse else range(T)
    whole = len(model.places) == 1
    state: CellState = tuple(leaves[s] if whole else leaves[s][place.number] for s in model.state_names)
    from_x = {t: x[t] @ p["U"].T + p.get("b", 0) for t in order}
    for t in order:
        steps[place.name("a")][t].append(from_x[t])

    def apply(t: int, before: CellState) -> CellState:
        new = CELLS[model.cell](model, p, from_x[t], before)
        for letter, variable in zip("hc", new, strict=False):
            steps[place.name(letter)][t].append(variable)
        if isinstance(cut, LastSteps):
            left = np.sum(in_length[t:], axis=0)
            new = tuple(where((left <= cut.steps)[:, None], state, stopped(state)) for state in new)
        advance()
        return tuple(where(in_length[t][:, None], *pair) for pair in zip(new, before, strict=True))

    cut, states = model.truncation, {}
    if isinstance(cut, Window):
        before = [state]
        for t in range(T):  # the values alone: these copies do not enter the loss
            before.append(tuple(stopped(part) for part in apply(t, before[t])))
        for end in range(T):
            start = max(0, end + 1 - cut.steps)
            state = before[start]
            for t in range(start, end + 1):
                state = apply(t, state)
            states[end] = state[0]
        return [states[t] for t in range(T)]
    for t in order:
        if isinstance(cut, Chunks) and t > 0 and t % cut.steps == 0:
            state = tuple(stopped(part) for part in state)
        state = apply(t, state)
        states[t] = state[0]
    return [states[t] for t in range(T)]


def _feedforward(
    model: FeedForward, problem: Problem, leaves: dict[str, Variable], steps: Steps
) -> tuple[Variable, Balls]:
    a = z = leaves["inputs"]
    for layer in range(1, len(model.sizes)):
        z = a @ leaves[f"W{layer}"].T + leaves[f"b{layer}"]
        steps[f"z{layer}"][0].append(z)
        a = ACTIVATIONS[model.activation](z)
    assert problem.targets is not None
    output = a if model.loss == "squared_error" else z
    result = _loss(model.loss, output, problem.targets)
    return result if model.reduction == "sum" else result * (1 / balls(problem.batch_size)), z.value


def _ordered(model: OrderedSystem, leaves: dict[str, Variable], steps: Steps) -> tuple[Variable, Balls]:
    z = [leaves["inputs"]]
    for i in range(1, model.size):
        z.append(total(leaves["A"][i : i + 1, :i] * concatenated(z), axis=1))
    for i, z_i in enumerate(z):
        steps["z"][i].append(z_i)
    all_z = concatenated(z)
    return total(all_z * balls(np.array(model.objective))), all_z.value


def _loss(loss: str, o: Variable, y: np.ndarray) -> Variable:
    """Σ ℓ over the rows of outputs (N, K); at any precision no care for large numbers is needed."""
    match loss:
        case "softmax_cross_entropy":
            return total(log(total(exp(o), axis=1)) - o[np.arange(len(y)), y])
        case "sigmoid_cross_entropy":
            one, minus = balls(1), balls(-1)
            return total(log(exp(o * minus) + one) * balls(y) + log(exp(o) + one) * (one - balls(y)))
        case _:
            error = o - balls(y)
            return total(error * error) * balls(0.5)


def _sum(parts: list[Variable]) -> Variable:
    result = parts[0]
    for part in parts[1:]:
        result = result + part
    return result
