"""The networks from their equations, and not from any derivation: the loss, and the tape differentiates it.

Each definition returns the loss and the outputs, and records the inner variables by name, with a list of copies for
every step.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ...backends import Chunks, Evaluation, FeedForward, LastSteps, OrderedSystem, Problem, Recurrent, Window
from ...backends.models import LayerDirection, Traced
from .numbers import Array, Numbers
from .powers import LossesOfPowers
from .recorded import differentiate_recorded
from .tape import (
    Variable,
    backward,
    concatenated,
    exp,
    log,
    logistic_loss,
    passing,
    relu,
    reshaped,
    sigmoid,
    softplus,
    stopped,
    tanh,
    total,
    where,
)

CellState = tuple[Variable, ...]
FORWARD_SHARE = 0.3  # of the time that a derivative takes

ACTIVATIONS: dict[str, Callable[[Variable], Variable]] = {
    "tanh": tanh,
    "relu": relu,
    "sigmoid": sigmoid,
    "identity": lambda a: a,
}


class Part(NamedTuple):
    """A part of a variable on the tape: a step of all steps.

    Attributes:
        variable: the whole.
        rows: of its last axis but one.
    """

    variable: Variable
    rows: slice

    @property
    def value(self) -> Array:
        """The numbers of the part."""
        return self.variable.value[..., self.rows, :]

    @property
    def gradient(self) -> Array:
        """The derivative with respect to the part."""
        return self.variable.gradient[..., self.rows, :]


Steps = dict[str, dict[int, list[Variable | Part]]]


class Computed(NamedTuple):
    """The forward pass on the tape.

    Attributes:
        loss: a single number.
        outputs: the values of o_t (T, B, K), z^L (B, K) or z (N,).
        leaves: the variables with respect to which the loss is differentiated, by name.
        steps: the inner variables by name and step, in all copies that were computed.
    """

    loss: Variable
    outputs: Array
    leaves: dict[str, Variable]
    steps: Steps


def differentiate(
    problem: Problem, numbers: Numbers, progress: Callable[[float], None] = lambda share: None
) -> Evaluation:
    """The loss of a problem, its gradients, outputs and adjoints, by the tape.

    Args:
        problem: the model with its numbers.
        numbers: what the tape computes with; it must have been given to no other problem.
        progress: is called now and then with the share of the work that is done.

    Returns:
        The whole answer, in arrays of these numbers.

    Example:
        >>> import numpy as np
        >>> from gradparity.compare import SYSTEMS
        >>> from gradparity.compare.definitions import Floats, differentiate
        >>> problem = SYSTEMS["elman-softmax"].problem(seed=0)
        >>> differentiate(problem, Floats(problem.dtype)).gradients["W"].shape  # (H, H)
        (8, 8)
    """
    if isinstance(problem.model, Traced):
        return differentiate_recorded(problem, numbers)
    applied, all_cells = 0, number_of_cells(problem)

    def advance() -> None:
        nonlocal applied
        applied += 1
        progress(FORWARD_SHARE * applied / all_cells)

    computed = _compute(problem, numbers, advance)
    recorded = [copy for copies in computed.steps.values() for step in copies.values() for copy in step]
    kept = [copy.variable if isinstance(copy, Part) else copy for copy in recorded]
    backward(computed.loss, lambda part: progress(FORWARD_SHARE + (1 - FORWARD_SHARE) * part), kept)
    adjoints = {}
    for name, variable in problem.model.variables(*problem.leading).items():
        steps = []
        for step in range(variable.shape[0] if variable.steps else 1):
            of_copies = [copy.gradient for copy in computed.steps[name][step]]
            if not of_copies:
                shape = variable.shape[1:] if variable.steps else variable.shape
                of_copies = [numbers.leaf(np.zeros(shape, problem.dtype))]
            steps.append(sum(of_copies[1:], of_copies[0]))
        adjoints[name] = np.stack(steps, len(numbers.leading)).reshape(*numbers.leading, *variable.shape)
    gradients = {name: leaf.gradient for name, leaf in computed.leaves.items()}
    loss = computed.loss.value
    whole_loss: Any = loss if numbers.leading else loss.item()  # with leading axes it is an array
    return Evaluation(whole_loss, gradients, computed.outputs, adjoints)


def final_states(problem: Problem, numbers: Numbers) -> dict[str, Array]:
    """The states of every layer after its last step, in its own direction and within a sequence's length.

    Args:
        problem: of a recurrent model.
        numbers: what the tape computes with.

    Returns:
        `h_n`, and of an LSTM `c_n`, (P, B, H) for P layers and directions, after the leading axes.
    """
    model = problem.model
    assert isinstance(model, Recurrent)
    steps = _compute(problem, numbers, lambda: None).steps
    B, axes = problem.batch_size, len(numbers.leading)

    def last(place: LayerDirection, letter: str) -> Array:
        of_steps = steps[place.name(letter)]
        values = np.stack([of_steps[t][-1].value for t in range(problem.seq_len)], axes)
        return values[..., 0 if place.is_reverse else problem.sequence_lengths - 1, np.arange(B), :]

    letters = [name.removesuffix("0") for name in model.state_names]
    return {f"{letter}_n": np.stack([last(place, letter) for place in model.places], axes) for letter in letters}


def number_of_cells(problem: Problem) -> int:
    """How often a cell is applied; 0 where there is none."""
    model = problem.model
    if not isinstance(model, Recurrent):
        return 0
    T = problem.seq_len
    again = sum(min(t, model.truncation.steps) for t in range(1, T + 1)) if isinstance(model.truncation, Window) else 0
    return T * len(model.places) + again


def _compute(problem: Problem, numbers: Numbers, advance: Callable[[], None]) -> Computed:
    leaves = {name: Variable(numbers.leaf(array), numbers=numbers) for name, array in problem.differentiable.items()}
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
    i, f, g, o = (a[..., k * H : (k + 1) * H] for k in range(4))
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def gru(model: Recurrent, p: dict[str, Variable], from_x: Variable, state: CellState) -> CellState:
    """h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}, with the reset gate after the product with W_n or before it."""
    (h,), H = state, model.hidden_size
    x_r, x_z, x_n = (from_x[..., k * H : (k + 1) * H] for k in range(3))
    W_r, W_z, W_n = (p["W"][..., k * H : (k + 1) * H, :] for k in range(3))
    r, z = sigmoid(x_r + h @ W_r.T), sigmoid(x_z + h @ W_z.T)
    from_h = r * (h @ W_n.T + _row(p.get("b_hn"))) if model.reset == "after" else (r * h) @ W_n.T
    n = tanh(x_n + from_h)
    if h.numbers.fused:
        return (n + z * (h - n),)
    return ((z * -1 + 1) * n + z * h,)


CELLS = {
    "rnn": rnn,
    "lstm": lstm,
    "gru": gru,
}


def _recurrent(
    model: Recurrent, problem: Problem, leaves: dict[str, Variable], steps: Steps, advance: Callable[[], None]
) -> tuple[Variable, Array]:
    T, B = problem.leading
    assert problem.targets is not None
    numbers, lengths = leaves["inputs"].numbers, problem.sequence_lengths
    in_length = np.arange(T)[:, None] < lengths
    h = leaves["inputs"]
    if not in_length.all():  # what lies past a length must not even overflow
        h = where(in_length[..., None], h)
    rows = reshaped(h, T * B, model.input_size)
    for layer in model.layers:
        directions = [_direction(model, place, leaves, rows, in_length, steps, advance) for place in layer]
        rows = concatenated(directions) if len(directions) > 1 else directions[0]
    o = rows @ leaves["V"].T + _row(leaves.get("c"))
    for t in range(T):
        steps["o"][t].append(Part(o, slice(t * B, (t + 1) * B)))
    with_loss = in_length if model.loss_at == "every_step" else np.arange(T)[:, None] == lengths - 1
    chosen = np.flatnonzero(with_loss)
    loss = _loss(model.loss, o[..., chosen, :] if len(chosen) < T * B else o, problem.targets[with_loss])
    outputs = np.where(in_length[..., None], o.value.reshape(*numbers.leading, T, B, -1), numbers.constants(0))
    return loss if model.reduction == "sum" else loss * (1 / numbers.constants(len(chosen))), outputs


def _direction(
    model: Recurrent,
    place: LayerDirection,
    leaves: dict[str, Variable],
    x: Variable,
    in_length: np.ndarray,
    steps: Steps,
    advance: Callable[[], None],
) -> Variable:
    """The states (T·B, H) of one layer in one direction, in the order of time; of its inputs (T·B, M)."""
    names = ("U", "W", "b", "b_hn", "Wcat")
    p = {name: leaves[place.name(name)] for name in names if place.name(name) in leaves}
    if model.concatenated:
        p["U"], p["W"] = p["Wcat"][..., : model.input_size], p["Wcat"][..., model.input_size :]
    T, B = in_length.shape
    order = range(T - 1, -1, -1) if place.is_reverse else range(T)
    whole = len(model.places) == 1
    state: CellState = tuple(leaves[s] if whole else leaves[s][..., place.number, :, :] for s in model.state_names)
    from_all_x = x @ p["U"].T + _row(p.get("b"))
    from_x = [from_all_x[..., t * B : (t + 1) * B, :] for t in range(T)]
    for t in order:
        steps[place.name("a")][t].append(from_x[t])
    by_powers = model.differentiation == "closed_form" and x.numbers.fused and x.numbers.leading
    losses = LossesOfPowers(p["W"].value, T) if by_powers else None

    def apply(t: int, before: CellState) -> CellState:
        if losses:
            before = tuple(passing(part, losses.lose) for part in before)
        new = CELLS[model.cell](model, p, from_x[t], before)
        for letter, variable in zip("hc", new, strict=False):
            steps[place.name(letter)][t].append(variable)
        if isinstance(cut, LastSteps):
            left = np.sum(in_length[t:], axis=0)
            new = tuple(where((left <= cut.steps)[:, None], state, stopped(state)) for state in new)
        advance()
        if in_length[t].all():
            return new
        return tuple(where(in_length[t][:, None], *pair) for pair in zip(new, before, strict=True))

    cut, states = model.truncation, dict[int, Variable]()
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
        return concatenated([states[t] for t in range(T)], axis=-2)
    for t in order:
        if isinstance(cut, Chunks) and t > 0 and t % cut.steps == 0:
            state = tuple(stopped(part) for part in state)
        state = apply(t, state)
        states[t] = state[0]
    all_states = concatenated([states[t] for t in range(T)], axis=-2)
    return passing(all_states, losses.note) if losses else all_states


def _feedforward(
    model: FeedForward, problem: Problem, leaves: dict[str, Variable], steps: Steps
) -> tuple[Variable, Array]:
    assert problem.targets is not None
    z, number_of_layers = leaves["inputs"], len(model.sizes) - 1
    for layer in range(1, number_of_layers + 1):
        a = z if layer == 1 else ACTIVATIONS[model.activation](z)
        z = a @ leaves[f"W{layer}"].T + _row(leaves[f"b{layer}"])
        steps[f"z{layer}"][0].append(z)
    output = ACTIVATIONS[model.activation](z) if model.loss == "squared_error" else z
    loss = _loss(model.loss, output, problem.targets)
    share = 1 / z.numbers.constants(problem.batch_size)
    return loss if model.reduction == "sum" else loss * share, z.value


def _ordered(model: OrderedSystem, leaves: dict[str, Variable], steps: Steps) -> tuple[Variable, Array]:
    z = [reshaped(leaves["inputs"], 1, 1)]
    for i in range(1, model.size):
        z.append(reshaped(total(leaves["A"][..., i : i + 1, :i] * concatenated(z), -1), 1, 1))
    for i, z_i in enumerate(z):
        steps["z"][i].append(z_i)
    all_z = concatenated(z)
    numbers = all_z.numbers
    loss = total(all_z * numbers.constants(np.array(model.objective)), -1, -2)
    return loss, all_z.value.reshape(*numbers.leading, model.size)


def _loss(loss: str, o: Variable, y: np.ndarray) -> Variable:
    """Σ ℓ over the rows of outputs (N, K)."""
    numbers = o.numbers
    match loss:
        case "softmax_cross_entropy":
            shifted = o - numbers.shift(o.value)
            return total(log(total(exp(shifted), -1)) - shifted[..., np.arange(len(y)), y], -1)
        case "sigmoid_cross_entropy":
            Y = numbers.leaf(y)
            if numbers.fused:
                return total(logistic_loss(o, Y), -1, -2)
            return total(softplus(o * -1) * Y + softplus(o) * (1 - Y), -1, -2)
        case _:
            error = o - numbers.leaf(y)
            return total(error * error, -1, -2) * numbers.constants(0.5)


def _row(vector: Variable | None) -> Variable | int:
    """A vector (N,) as a matrix of one row, which is added to every row of another; 0 where there is none."""
    return 0 if vector is None else reshaped(vector, 1, *vector.value.shape[-1:])
