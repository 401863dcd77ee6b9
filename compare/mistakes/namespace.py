"""What lines are executed with: the functions that occur in them, and how their results are handed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...backends import Problem
from ...manual import equations
from ...manual.activations import ACTIVATIONS
from .equation_source import Section, changed, compiled

Replaced = Mapping[str, Mapping[str, str]]  # by what the lines belong to: new statements by their left sides
Names = dict[str, Any]


class LineResults(NamedTuple):
    """What the lines compute.

    Attributes:
        values: `loss`, and the gradients by the names of `Problem.differentiable`.
        final: the last states, (P, B, H) each for P layers and directions, of a recurrent network.
    """

    values: dict[str, np.ndarray]
    final: tuple[np.ndarray, ...] = ()


def with_replacements(section: Section, replaced: Replaced, *keys: str) -> Section:
    """A section with what is to be replaced in it under any of the keys."""
    for key in keys:
        section = changed(section, replaced.get(key, {}))
    return section


def execute(section: Section, names: Names) -> Names:
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


def softmax_backward(o: np.ndarray, dp: np.ndarray) -> np.ndarray:
    """What o receives through its softmax, for the mistakes that differentiate a loss of the probabilities."""
    p = equations.softmax(o)
    return p * (dp - (p * dp).sum(axis=-1, keepdims=True))


IN_EQUATIONS = (
    *("sigmoid", "dsigmoid", "tanh", "dtanh", "softplus"),
    *("softmax", "cross_entropy", "hsplit", "hstack", "vstack"),
)
IN_MISTAKES: Names = {"softmax_backward": softmax_backward, "log": np.log, "sign": np.sign}
FUNCTIONS: Names = {name: getattr(equations, name) for name in IN_EQUATIONS} | IN_MISTAKES
