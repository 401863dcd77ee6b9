"""The hand derivation in extended precision (`numpy.longdouble`), which jaxtyping does not know as a float."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import jaxtyping
import numpy as np
from gradparity.backends import OrderedSystem, Problem
from gradparity.backends.references.manual_backend import answer
from gradparity.manual import LossAndGradients


@contextmanager
def without_shape_checks() -> Iterator[None]:
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


def extended_arrays(problem: Problem) -> dict[str, np.ndarray]:
    """The parameters and the batch by name, the floating-point ones in extended precision."""
    arrays = {name.removeprefix("params."): array for name, array in problem.arrays().items()}
    return {name: a.astype(np.longdouble) if a.dtype.kind == "f" else a for name, a in arrays.items()}


def extended_answer(problem: Problem, arrays: Mapping[str, np.ndarray] | None = None) -> LossAndGradients:
    """The hand derivation's answer on the problem's numbers, or on others in their place."""
    batch = {**extended_arrays(problem), **(arrays or {})}
    params = {name: batch.pop(name) for name in problem.params}
    with without_shape_checks():
        return answer(problem.with_unchecked(params=params, **batch))


def assert_gradients_are_slopes(problem: Problem, *, limit: float = 1e-8) -> None:
    """Holds every gradient against the definition of a derivative: the slope along a random direction.

    Args:
        problem: one that is not truncated, since a truncated gradient is the slope of nothing.
        limit: how far the two may be apart, as a part of 1 and of the slope. 1e-8 is the differences' own error:
            step² for the curvature, and the rounding of the loss over the step. With relu it has to be larger, for
            a switch within a step, which a step of 1e-7 makes rare but not impossible.
    """
    arrays = extended_arrays(problem)
    gradients = extended_answer(problem).gradients
    assert gradients.keys() == problem.differentiable.keys()
    rng = np.random.default_rng(0)
    step = np.longdouble(1e-7)
    for name, gradient in gradients.items():
        assert gradient.shape == arrays[name].shape, name
        direction = rng.standard_normal(gradient.shape).astype(np.longdouble)
        if isinstance(problem.model, OrderedSystem) and name == "A":
            direction = np.tril(direction, -1)  # no variable depends on a later one
        ahead, behind = (
            extended_answer(problem, {name: arrays[name] + distance * direction}).loss for distance in (step, -step)
        )
        slope, expected = (ahead - behind) / (2 * step), (gradient * direction).sum()
        assert abs(slope - expected) <= limit * (1 + abs(expected)), name
