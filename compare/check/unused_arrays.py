"""Biases and initial states that a derivation does not use: it is then judged on the network without them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ...backends import Evaluation, FeedForward, Problem, Recurrent
from ..referee import Comparison
from ..referee.ask_backend import ask_backend
from .user_function import Derivation


def unused_arrays(derivation: Derivation, comparison: Comparison) -> tuple[str, ...]:
    """The biases and initial states that a derivation neither uses nor gives gradients of, if its loss is another one.

    Args:
        derivation: who was asked.
        comparison: what it answered, and what is right.

    Returns:
        The names of those that can be 0 as well: the answer stays the same to the last bit.
    """
    problem, answer = comparison.problem, comparison.answers.get(derivation.name)
    has_other_loss = any(block.name == "loss" and block.is_wrong(derivation.name) for block in comparison.blocks)
    if not isinstance(answer, Evaluation) or not has_other_loss or comparison.failures_of(derivation.name):
        return ()
    biases = [name for name, array in problem.params.items() if array.ndim == 1]
    names = biases if isinstance(problem.model, Recurrent | FeedForward) else []
    asked = [name for name in (*names, *problem.states) if name not in answer.gradients]
    return tuple(name for name in asked if _is_same(derivation, without_arrays(problem, [name]), answer))


def without_arrays(problem: Problem, names: Collection[str]) -> Problem:
    """A problem with zeros in the place of some of its parameters and initial states.

    Example:
        >>> from gradparity.compare import SYSTEMS
        >>> problem = without_arrays(SYSTEMS["elman-softmax"].problem(seed=0), ["b", "h0"])
        >>> bool(problem.params["b"].any()), bool(problem.h0.any()), bool(problem.params["c"].any())
        (False, False, True)
    """
    params = {name: np.zeros_like(array) if name in names else array for name, array in problem.params.items()}
    states = {name: np.zeros_like(array) for name, array in problem.states.items() if name in names}
    return replace(problem, params=params, **states)  # type: ignore[arg-type] # h0 and c0


def unused_text(names: Sequence[str]) -> Iterator[str]:
    """What is to be said of arrays that are not used."""
    if names:
        yield f"convention: it does not use {listed(names)}, and is judged on the network without (zeros in the place)"


def listed(names: Sequence[str]) -> str:
    """Names in a row.

    Example:
        >>> listed(["b", "b_hn", "c"])
        'b, b_hn and c'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _is_same(derivation: Derivation, problem: Problem, answer: Evaluation) -> bool:
    other = ask_backend(derivation.name, derivation, problem, overflows=False, trace=False)
    return (
        isinstance(other, Evaluation)
        and other.loss == answer.loss
        and other.gradients.keys() == answer.gradients.keys()
        and all(np.array_equal(array, answer.gradients[name]) for name, array in other.gradients.items())
    )
