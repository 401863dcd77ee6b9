"""The hand derivation in extended precision (`numpy.longdouble`), which jaxtyping does not know as a float."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import jaxtyping
import numpy as np
from gradparity.backends import Problem
from gradparity.manual import Answer, loss_and_gradients


@contextmanager
def without_shape_checks() -> Iterator[None]:
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        jaxtyping.config.update("jaxtyping_disable", before)


def keywords(problem: Problem) -> dict[str, object]:
    """The keyword arguments of `loss_and_gradients` for a problem."""
    model = problem.model
    return {
        "activation": model.activation,
        "loss": model.loss,
        "reduction": model.reduction,
        "lengths": problem.lengths,
    }


def extended_arrays(problem: Problem) -> dict[str, np.ndarray]:
    """`h0`, `inputs`, `targets` and the parameters, the floating-point ones in extended precision."""
    arrays = {**problem.params, "h0": problem.h0, "inputs": problem.inputs, "targets": problem.targets}
    return {name: a.astype(np.longdouble) if a.dtype.kind == "f" else a for name, a in arrays.items()}


def extended_answer(problem: Problem, arrays: dict[str, np.ndarray] | None = None) -> Answer:
    """The hand derivation's answer on the problem's numbers, or on others in their place."""
    given = arrays or extended_arrays(problem)
    params = {name: given[name] for name in problem.params}
    with without_shape_checks(), np.errstate(all="ignore"):
        return loss_and_gradients(params, given["inputs"], given["targets"], given["h0"], **keywords(problem))
