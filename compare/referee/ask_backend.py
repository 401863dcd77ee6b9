"""Asks one backend to compute one problem, and copies its answer; or says why there is none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...backends import Backend, Evaluation, Problem, UnsupportedProblemError
from ...backends.errors import DerivationError, first_line
from ..answers import Trajectory
from .answer_checks import answer_failure
from .results import Failure

Answered = Evaluation | Trajectory | Failure | UnsupportedProblemError


def ask_backend(
    name: str, backend: Backend, problem: Problem, *, overflows: bool, trace: bool
) -> Evaluation | Failure | UnsupportedProblemError:
    """A copy of a backend's answer; or why it is not fit to be compared; or why there is none."""
    problem_copy = problem.writable_copy()
    try:
        reason = backend.supports(problem.model, problem.dtype.name)
        if not isinstance(reason, str):
            kind = type(reason).__name__
            return Failure(name, "error", f"supports returned a {kind}, expected a str, empty or with a reason")
        if reason:
            return UnsupportedProblemError(reason)
        answer = backend.evaluate(problem_copy, trace=trace)
    except UnsupportedProblemError as error:
        return error
    except DerivationError as error:
        return Failure(name, "error", str(error))
    except (Exception, SystemExit) as error:
        return Failure(name, "error", f"it raised {first_line(error)}")
    if not isinstance(answer, Evaluation):
        return Failure(name, "error", f"it returned a {type(answer).__name__}, expected an Evaluation")
    partial = getattr(backend, "partial", False)
    failure = answer_failure(name, problem, problem_copy, answer, overflows=overflows, partial=partial)
    # copied, since the next call may write its answer into the same arrays
    return failure or Evaluation(
        answer.loss,
        copied_arrays(answer.gradients),
        None if answer.outputs is None else answer.outputs.copy(),
        copied_arrays(answer.adjoints),
    )


def copied_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Copies of arrays, by the same names."""
    return {name: array.copy() for name, array in arrays.items()}
