"""What lines are executed with: the functions that occur in them, and how their results are handed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...backends import Problem
from ...manual.activations import ACTIVATIONS, sigmoid, sigmoid_derivative, tanh, tanh_derivative
from ...manual.losses import softplus
from .lines import Line, changed, compiled

Replaced = Mapping[str, Mapping[str, str]]  # by what the lines belong to: new statements by their left sides
Names = dict[str, Any]


class Answer(NamedTuple):
    """What the lines compute.

    Attributes:
        values: `loss`, and the gradients by the names of `Problem.differentiable`.
        final: the last states, (P, B, H) each for P layers and directions, of a recurrent network.
    """

    values: dict[str, np.ndarray]
    final: tuple[np.ndarray, ...] = ()


def with_replacements(section: tuple[Line, ...], replaced: Replaced, *keys: str) -> tuple[Line, ...]:
    """A section with what is to be replaced in it under any of the keys."""
    for key in keys:
        section = changed(section, replaced.get(key, {}))
    return section


def execute(section: tuple[Line, ...], names: Names) -> Names:
    """Executes the lines of a section with these names, and leaves their results among them."""
    exec(compiled(section), names)
    return names


def functions(activation: str = "tanh") -> Names:
    """The functions by their names in the lines."""
    return {**FUNCTIONS, "phi": ACTIVATIONS[activation].function, "dphi": ACTIVATIONS[activation].derivative}


def one_hot(problem: Problem, size: int) -> np.ndarray:
    """The targets as numbers, (…, K)."""
    assert problem.targets is not None
    if problem.targets.dtype.kind == "f":
        return problem.targets
    return (problem.targets[..., None] == np.arange(size)).astype(problem.dtype)


def _softmax(o: np.ndarray) -> np.ndarray:
    e = np.exp(o - o.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _softmax_backward(o: np.ndarray, dp: np.ndarray) -> np.ndarray:
    p = _softmax(o)
    return p * (dp - (p * dp).sum(axis=-1, keepdims=True))


def _cross_entropy(o: np.ndarray, Y: np.ndarray) -> np.ndarray:
    shifted = o - o.max(axis=-1, keepdims=True)
    return Y * (np.log(np.exp(shifted).sum(axis=-1, keepdims=True)) - shifted)


FUNCTIONS: Names = {
    "sigmoid": sigmoid,
    "dsigmoid": sigmoid_derivative,
    "tanh": tanh,
    "dtanh": tanh_derivative,
    "softplus": softplus,
    "softmax": _softmax,
    "softmax_backward": _softmax_backward,
    "cross_entropy": _cross_entropy,
    "log": np.log,
    "sign": np.sign,
    "joined": lambda *parts: np.concatenate(parts, axis=-1),
    "below": lambda *parts: np.concatenate(parts, axis=0),
}
