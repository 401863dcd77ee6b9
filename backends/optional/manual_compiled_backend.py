"""The hand derivation, compiled: `manual/plain_loops.py`, recorded once and compiled by Numba. No second derivation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np

from ...manual import plain_loops
from ...manual.affine import blocked_transpose
from ...manual.losses import last_steps, length_mask, loss_weight
from ..compiling.function import compiled
from ..compiling.recurrence import recorded
from ..compiling.source import CompiledText, source_of
from ..errors import UnsupportedProblemError
from ..frameworks import require
from ..interface import Evaluation
from ..models import Model, Recurrent
from ..problems import Problem

Gradients = dict[str, np.ndarray]
UNBOUNDED = ("relu", "identity")


class ManualCompiledBackend:
    """The plain equations of the hand derivation, compiled into loops. It has no adjoints."""

    name = "manual-compiled"

    def __init__(self) -> None:
        require("scipy", needed_by=f"backend {self.name!r}", extra="numba")  # Numba's products are those of its BLAS

    def supports(self, model: Model, dtype: str) -> str:
        if not isinstance(model, Recurrent):
            return "manual-compiled computes recurrent networks only"
        if len(model.places) > 1:
            return "manual-compiled has one layer in one direction, as the plain loops have"
        if model.truncation is not None:
            return "manual-compiled has no truncation: the plain loops have none"
        if model.differentiation == "forward":
            return "manual-compiled differentiates in reverse mode only"
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        call = _Call(problem, with_inputs=True)
        loss, gradients = call.run()
        outputs = call.memory["outputs"].reshape(*problem.leading, -1)
        outputs[~_within_lengths(problem)] = 0
        return Evaluation(float(loss), gradients, outputs)

    def prepare(self, problem: Problem) -> Callable[[], tuple[float, Gradients]]:
        return _Call(problem, with_inputs=False).run


class _Call:
    """A problem's arrays as the compiled function takes them, and the memory that it needs.

    Attributes:
        memory: by the arguments' names; what a call leaves there is overwritten by the next.
    """

    def __init__(self, problem: Problem, *, with_inputs: bool) -> None:
        model = problem.model
        assert isinstance(model, Recurrent)
        if problem.lengths is not None and model.activation in UNBOUNDED:
            raise UnsupportedProblemError(
                f"manual-compiled has no lengths with {model.activation}: past a length the states may overflow"
            )
        (T, B), (D, H, K), dtype = problem.leading, model.sizes, problem.dtype.name
        self._model, self._with_inputs = model, with_inputs
        self._source, self._function = _program(
            model.cell, model.loss, model.activation, model.reset, single_row=B == 1, dtype=dtype
        )
        arrays = _batch(problem, model) | problem.states | _blocks(problem.params, model)
        arrays |= {f"{name}_T": arrays[name].swapaxes(1, 2) for name in self._source.transposed}
        self._given = {name: np.array(array, dtype=dtype, order="C") for name, array in arrays.items()}
        rows = {"all": T * B, "states": T * B + B, "pair": 2 * B, "step": B}
        widths = {"D": D if with_inputs else 0, "H": H, "K": K, "1": 1}
        self.memory = {
            name: np.empty((memory.number, rows[memory.rows], widths[memory.width]), dtype)
            for name, memory in self._source.memory.items()
        }
        self.memory |= {"outputs": np.empty((T * B, K), dtype), "dx": np.empty((T * B, widths["D"]), dtype)}
        self._inputs_shape = problem.inputs.shape

    def run(self) -> tuple[float, Gradients]:
        """The loss and the gradients, in arrays of their own."""
        written = {name: np.empty_like(self._given[name]) for name in (*self._source.params, *self._source.states)}
        for name in self._source.transposed:  # at every call, as for parameters that have learned
            for block, turned in zip(self._given[name], self._given[f"{name}_T"], strict=True):
                blocked_transpose(block, out=turned)
        arrays = self._given | self.memory | {f"d{name}": array for name, array in written.items()}
        loss = self._function(*(arrays[name] for name in self._source.arguments))
        gradients = _joined(written, self._model)
        if self._with_inputs:
            gradients |= {name: written[name] for name in self._source.states}
            gradients["inputs"] = self.memory["dx"].reshape(self._inputs_shape)
        return loss, gradients


@lru_cache(maxsize=64)
def _program(
    cell: str, loss: str, activation: str, reset: str, *, single_row: bool, dtype: str
) -> tuple[CompiledText, Callable[..., float]]:
    """The compiled function of a cell; the sizes are arguments of it."""
    model = Recurrent(cell, 1, 1, 1, loss=loss, activation=activation, reset=reset)
    options = {"loss": loss} | ({"activation": activation} if cell == "rnn" else {})
    recurrence = recorded(
        getattr(plain_loops, cell),
        model.linear_size,
        model.state_names,
        candidate_bias="b_hn" in model.parameter_shapes,
        **options,
    )
    source = source_of(recurrence, single_row=single_row)
    return source, compiled(source, dtype)


def _batch(problem: Problem, model: Recurrent) -> Gradients:
    """Inputs, targets as numbers, and the weight of each sample's loss, with the rows of all steps below each other."""
    within = _within_lengths(problem)
    with_loss = within if model.loss_at == "every_step" else last_steps(within)
    x = np.where(within[..., None], problem.inputs, 0)  # what lies past a length must not even overflow
    y = problem.targets
    assert y is not None
    Y = y[..., None] == np.arange(model.output_size) if y.ndim == 2 else y
    Y = np.where(with_loss[..., None], Y, 0)
    w = with_loss * loss_weight(with_loss, model.reduction)
    return {name: array.reshape(w.size, -1) for name, array in {"x": x, "Y": Y, "w": w}.items()}


def _within_lengths(problem: Problem) -> np.ndarray:
    return length_mask(problem.sequence_lengths, len(problem.inputs))


def _blocks(params: Mapping[str, np.ndarray], model: Recurrent) -> Gradients:
    """The parameters of the plain loops, a block for each gate; biases that the model lacks are 0."""
    D, H, K = model.sizes
    if model.concatenated:
        U, W = np.split(params["Wcat"], [D], axis=1)
        params = {**params, "U": U, "W": W}
    b, c = params.get("b", np.zeros(model.linear_size)), params.get("c", np.zeros(K))
    blocks = {"U": params["U"].reshape(-1, H, D), "W": params["W"].reshape(-1, H, H), "b": b.reshape(-1, H)}
    blocks |= {"V": params["V"][None], "c": c[None]}
    if model.cell == "gru" and model.reset == "after":
        blocks["b_hn"] = params.get("b_hn", np.zeros(H))[None]
    return blocks


def _joined(blocks: Mapping[str, np.ndarray], model: Recurrent) -> Gradients:
    """The gradients by the names and in the shapes of the model's parameters."""
    if model.concatenated:
        blocks = {**blocks, "Wcat": np.concatenate([blocks["U"][0], blocks["W"][0]], axis=1)}
    return {name: blocks[name].reshape(shape) for name, shape in model.parameter_shapes.items()}
