"""TensorFlow 1, PaddlePaddle and MLX, which are not loaded: the equations that they document, on their own arrays.

They are written from the libraries' documentation, gate by gate with the libraries' names and orders, and share nothing
with the layouts, so that a comparison with another library's layer checks the layout. Forward values only.
Sources: `tensorflow/python/ops/rnn_cell_impl.py`; the docstrings of `paddle.nn.LSTMCell` and `GRUCell`; those of
`mlx.nn.LSTM`, `GRU` and `RNN`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ..errors import UnsupportedProblemError
from ..interface import Evaluation
from ..layouts import get_layout
from ..models import Recurrent
from ..problems import Problem
from .wrapped_layer import LayerAnswer, Usage, WrappedLayer

State = tuple[np.ndarray, ...]  # (h,), or (h, c), (B, H) each
Step = Callable[[Mapping[str, np.ndarray], np.ndarray, State, "Cell"], State]


class Cell:
    """What a step needs beside its weights: the plain cell's function, and the forget bias."""

    def __init__(self, activation: str, forget_bias: float) -> None:
        self.activation = ACTIVATIONS[activation]
        self.forget_bias = np.float32(forget_bias) if forget_bias else 0


def tf1_lstm(w: Mapping[str, np.ndarray], x: np.ndarray, state: State, cell: Cell) -> State:
    """i, j, f, o = [x h] kernel + bias; c' = c σ(f + forget_bias) + σ(i) tanh(j); h' = tanh(c') σ(o).

    With peepholes, c w_f_diag and c w_i_diag are added to f and i, and c' w_o_diag to o.
    """
    h, c = state
    i, j, f, o = np.split(np.concatenate([x, h], axis=1) @ w["kernel"] + w["bias"], 4, axis=1)
    w_f, w_i, w_o = (w.get(f"w_{gate}_diag", 0) for gate in "fio")
    c = c * sigmoid(f + cell.forget_bias + w_f * c) + sigmoid(i + w_i * c) * np.tanh(j)
    return np.tanh(c) * sigmoid(o + w_o * c), c


def tf1_gru(w: Mapping[str, np.ndarray], x: np.ndarray, state: State, cell: Cell) -> State:
    """r, u = σ([x h] gates); c = tanh([x r⊙h] candidate); h' = u h + (1 − u) c."""
    (h,) = state
    gates = sigmoid(np.concatenate([x, h], axis=1) @ w["gates.kernel"] + w["gates.bias"])
    r, u = np.split(gates, 2, axis=1)
    c = np.tanh(np.concatenate([x, r * h], axis=1) @ w["candidate.kernel"] + w["candidate.bias"])
    return (u * h + (1 - u) * c,)


def paddle_lstm(w: Mapping[str, np.ndarray], x: np.ndarray, state: State, cell: Cell) -> State:
    """i, f, c~, o in this order; c' = f c + i c~; h' = o tanh(c')."""
    h, c = state
    gates = x @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
    i, f, new, o = np.split(gates, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(new)
    return sigmoid(o) * np.tanh(c), c


def paddle_gru(w: Mapping[str, np.ndarray], x: np.ndarray, state: State, cell: Cell) -> State:
    """r, z, c in this order; c = tanh(x_c + r h_c); h' = z h + (1 − z) c."""
    (h,) = state
    x_r, x_z, x_c = np.split(x @ w["weight_ih"].T + w["bias_ih"], 3, axis=1)
    h_r, h_z, h_c = np.split(h @ w["weight_hh"].T + w["bias_hh"], 3, axis=1)
    z = sigmoid(x_z + h_z)
    return (z * h + (1 - z) * np.tanh(x_c + sigmoid(x_r + h_r) * h_c),)


def paddle_rnn(w: Mapping[str, np.ndarray], x: np.ndarray, state: State, cell: Cell) -> State:
    """h' = φ(W_ih x + b_ih + W_hh h + b_hh)."""
    return (cell.activation(x @ w["weight_ih"].T + w["bias_ih"] + state[0] @ w["weight_hh"].T + w["bias_hh"]),)


def mlx_lstm(w: Mapping[str, np.ndarray], x: np.ndarray, state: State, cell: Cell) -> State:
    """i, f, g, o in this order; c' = f c + i g; h' = o tanh(c')."""
    h, c = state
    i, f, g, o = np.split(x @ w["Wx"].T + w["bias"] + h @ w["Wh"].T, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def mlx_gru(w: Mapping[str, np.ndarray], x: np.ndarray, state: State, cell: Cell) -> State:
    """r, z, n in this order; n = tanh(x_n + b_n + r (h_n + bhn)); h' = (1 − z) n + z h."""
    (h,) = state
    x_r, x_z, x_n = np.split(x @ w["Wx"].T + w["b"], 3, axis=1)
    h_r, h_z, h_n = np.split(h @ w["Wh"].T, 3, axis=1)
    z = sigmoid(x_z + h_z)
    n = np.tanh(x_n + sigmoid(x_r + h_r) * (h_n + w["bhn"]))
    return ((1 - z) * n + z * h,)


def mlx_rnn(w: Mapping[str, np.ndarray], x: np.ndarray, state: State, cell: Cell) -> State:
    """h' = φ(Wxh x + Whh h + b)."""
    return (cell.activation(x @ w["Wxh"].T + state[0] @ w["Whh"].T + w["bias"]),)


def sigmoid(a: np.ndarray) -> np.ndarray:
    """σ(a), without overflow: ½ (1 + tanh(a / 2))."""
    return (np.tanh(a / 2) + 1) / 2


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda a: np.maximum(a, 0),
    "sigmoid": sigmoid,
    "identity": np.asarray,
}
DOCUMENTED: dict[str, dict[str, Step]] = {
    "tf1": {"lstm": tf1_lstm, "gru": tf1_gru},
    "paddle": {"rnn": paddle_rnn, "lstm": paddle_lstm, "gru": paddle_gru},
    "mlx": {"rnn": mlx_rnn, "lstm": mlx_lstm, "gru": mlx_gru},
}


def wrap_documented(
    library: str, model: Recurrent, weights: Sequence[Mapping[str, np.ndarray]], *, forget_bias: float = 0.0
) -> WrappedLayer:
    """The documented equations of a library, with these weights, as a backend.

    Args:
        library: one of `DOCUMENTED`.
        model: what is computed, of any number of layers and directions.
        weights: of every layer and direction, by the library's names.
        forget_bias: what TensorFlow 1 adds to f when it runs.

    Returns:
        The backend, which gives the loss and the outputs of a squared error, and no gradients.
    """
    layout = get_layout(library)
    zeros = layout.zeros(model, next(iter(weights[0].values())).dtype.name)
    complete = [{**of_zeros, **of_layer} for of_zeros, of_layer in zip(zeros, weights, strict=True)]
    cell = Cell(model.activation, forget_bias)

    def evaluate(problem: Problem, trace: bool, usage: Usage) -> LayerAnswer:
        asked = usage == Usage(final_states=usage.final_states)
        if not asked or getattr(problem.model, "loss", "") != "squared_error":
            raise UnsupportedProblemError("of documented equations, whole sequences from given states are asked")
        h = _states(problem, complete, DOCUMENTED[library][model.cell], cell)
        outputs = h @ problem.params["V"].T + problem.params.get("c", 0)
        loss = float(np.square(outputs - problem.targets).sum() / 2)
        return LayerAnswer(Evaluation(loss, {}, outputs.astype(problem.dtype)), {})

    return WrappedLayer(f"{library} (its documented equations)", layout, model, weights, evaluate)


def _states(problem: Problem, weights: Sequence[Mapping[str, np.ndarray]], step: Step, cell: Cell) -> np.ndarray:
    """h_1 … h_T (T, B, ·) of the topmost layer."""
    model = problem.model
    assert isinstance(model, Recurrent)
    B, H = problem.leading[1], model.hidden_size
    initial = [problem.states[name].reshape(-1, B, H) for name in model.state_names]
    h = problem.inputs
    for layer in model.layers:
        directions = []
        for place in layer:
            state: State = tuple(of_places[place.number] for of_places in initial)
            states = []
            for x in h[::-1] if place.is_reverse else h:
                state = step(weights[place.number], x, state, cell)
                states.append(state[0])
            directions.append(np.stack(states[::-1] if place.is_reverse else states))
        h = np.concatenate(directions, axis=-1)
    return h
