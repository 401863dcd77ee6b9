"""Layers in float16 or bfloat16, on their own measure: what float64 gives, rounded; and what rounding does there.

The numbers of the problem are ones that half precision has, so that all layers begin with the same. What a layer stores
is rounded to its format; the read-out and the loss are computed in float32. The definition computes the same in
float64, and how far roundings of that format move each block is measured by the same probes as elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ...backends import Evaluation, Problem, Recurrent, UnsupportedProblemError
from ...backends.adapters.wrapped_layer import LayerAnswer, Usage, WrappedLayer
from ...backends.layouts import Layout
from ..definitions import Floats, differentiate, final_states
from ..tolerance import Tolerance, half_format, measure_definition, measure_tolerance, rounded_to
from .final_states import defined_states

WIDE = np.dtype("float64")


@dataclass(frozen=True, eq=False)
class RoundedLayer:
    """A layer with its parameters rounded to half precision.

    Attributes:
        layer: as it is.
        precision: `float16` or `bfloat16`.
    """

    layer: WrappedLayer
    precision: str

    @property
    def name(self) -> str:
        """The layer's."""
        return self.layer.name

    @property
    def layout(self) -> Layout:
        """The layer's."""
        return self.layer.layout

    @property
    def model(self) -> Recurrent:
        """The layer's."""
        return self.layer.model

    @property
    def weights(self) -> Sequence[Mapping[str, np.ndarray]]:
        """The layer's, not rounded."""
        return self.layer.weights

    @property
    def dtype(self) -> str:
        """The layer's."""
        return self.layer.dtype

    @property
    def params(self) -> dict[str, np.ndarray]:
        """U, W, b and b_hn of the rounded weights, rounded: of two biases, the sum."""
        weights = [
            {name: _rounded(array, self.precision, array.dtype) for name, array in of_layer.items()}
            for of_layer in self.layer.weights
        ]
        params = self.layout.to_params(self.model, weights)
        return {name: _rounded(array, self.precision, array.dtype) for name, array in params.items()}


def precision_of(layers: Sequence[WrappedLayer]) -> str:
    """The half precision in which layers are compared: that of those that compute in one.

    Args:
        layers: one or more; others of them may compute in float32.

    Returns:
        `float16` or `bfloat16`; empty if none computes in half precision.

    Raises:
        UnsupportedProblemError: there are two, or a layer has other functions than those of the systems.
    """
    found = dict.fromkeys(layer.precision for layer in layers if layer.precision)
    if len(found) > 1:
        stated = ", ".join(f"{layer.name} in {layer.precision or layer.dtype}" for layer in layers)
        raise UnsupportedProblemError(f"layers of two half precisions have no common measure: {stated}")
    precision = next(iter(found), "")
    if precision and any(layer.departures for layer in layers):
        raise UnsupportedProblemError(f"in {precision}, layers are compared with the functions σ and tanh alone")
    return precision


def in_half_precision(problem: Problem, precision: str) -> Problem:
    """The problem with numbers that half precision has.

    Args:
        problem: in float32.
        precision: `float16` or `bfloat16`.

    Returns:
        The same problem, every number of it rounded.
    """
    rounded = {name: _rounded(array, precision, problem.dtype) for name, array in problem.params.items()}
    return replace(problem, params=rounded, **_batch(problem, lambda array: _rounded(array, precision, problem.dtype)))


def half_tolerance(problem: Problem, precision: str) -> tuple[Tolerance, Tolerance]:
    """How far rounding in half precision moves every block.

    Args:
        problem: with numbers that half precision has.
        precision: `float16` or `bfloat16`.

    Returns:
        The tolerance of what a layer answers, and that of its final states.
    """
    known, wide = half_format(precision), _widened(problem)
    return (
        measure_tolerance(wide, rounded_in=known),
        measure_definition(WIDE, partial(defined_states, wide), rounded_in=known),
    )


def rounded_answer(layer: WrappedLayer, precision: str) -> WrappedLayer:
    """What float64 gives, rounded to half precision, as a layer that is compared with the others.

    Args:
        layer: one of these.
        precision: `float16` or `bfloat16`.

    Returns:
        The layer, which can be asked everything.
    """

    def evaluate(problem: Problem, trace: bool, usage: Usage) -> LayerAnswer:
        wide = _widened(problem)
        answer = differentiate(wide, Floats(WIDE))
        left_out = problem.states if usage.own_state else {}
        rounded = partial(_rounded, precision=precision, dtype=problem.dtype)
        assert answer.outputs is not None
        evaluation = Evaluation(
            float(answer.loss),
            {name: rounded(array) for name, array in answer.gradients.items() if name not in left_out},
            rounded(answer.outputs),
            {"o": rounded(answer.adjoints["o"])} if trace else {},
        )
        after = final_states(wide, Floats(WIDE)) if usage.final_states else {}
        return LayerAnswer(evaluation, {name: rounded(np.asarray(array)) for name, array in after.items()})

    can: dict[str, Any] = {"has_own_state": True, "takes_lengths": True, "gives_final_states": True}
    return replace(layer, name=f"float64, rounded to {precision}", evaluator=evaluate, remarks=(), **can)


def _rounded(array: np.ndarray, precision: str, dtype: np.dtype) -> np.ndarray:
    return rounded_to(np.asarray(array), precision).astype(dtype)


def _widened(problem: Problem) -> Problem:
    """The same numbers in float64."""
    params = {name: array.astype(WIDE) for name, array in problem.params.items()}
    return replace(problem, params=params, **_batch(problem, lambda array: array.astype(WIDE)))


def _batch(problem: Problem, change: Callable[[np.ndarray], np.ndarray]) -> dict[str, Any]:
    """What is given at every step, and the initial states, changed."""
    return {name: change(getattr(problem, name)) for name in ("inputs", "targets", *problem.states)}
