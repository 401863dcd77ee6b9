"""Asks one backend to compute one problem, and copies its answer; or says why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...backends import Backend, Evaluation, Problem, UnsupportedProblemError
from ...backends.errors import DerivationError, describe_error
from ...backends.frameworks import require_no_transform
from ..answers import Trajectory
from .answer_checks import examine
from .results import Failure


@dataclass(frozen=True, eq=False)
class Refused:
    """An answer that is not fit to be compared, or not all of it.

    Attributes:
        failures: why; at least one.
        fit: what of the answer is fit nevertheless, if there is one.
    """

    failures: tuple[Failure, ...]
    fit: Evaluation | None = None


Answered = Evaluation | Trajectory | Refused | UnsupportedProblemError


def ask_backend(
    name: str, backend: Backend, problem: Problem, *, overflows: bool, trace: bool
) -> Evaluation | Refused | UnsupportedProblemError:
    """A copy of a backend's answer; or why it, or a part of it, is not fit to be compared; or why there is none.

    Raises:
        InsideTransformError: the backend raised, since the call came from inside a transformation of JAX or PyTorch.
    """
    problem_copy = problem.writable_copy()
    try:
        reason = backend.supports(problem.model, problem.dtype.name)
        if not isinstance(reason, str):
            kind = type(reason).__name__
            return _failed(name, f"supports returned a {kind}, expected a str, empty or with a reason")
        if reason:
            return UnsupportedProblemError(reason)
        answer = backend.evaluate(problem_copy, trace=trace)
    except UnsupportedProblemError as error:
        return error
    except DerivationError as error:
        return _failed(name, str(error), error.__cause__)
    except (Exception, SystemExit) as error:
        require_no_transform(name, error)
        return _failed(name, f"it raised {describe_error(error)}", error)
    if not isinstance(answer, Evaluation):
        return _failed(name, f"it returned a {type(answer).__name__}, expected an Evaluation")
    partial = getattr(backend, "partial", False)
    fit, failures = examine(name, problem, problem_copy, answer, overflows=overflows, partial=partial)
    return Refused(failures, fit) if failures else fit


def _failed(name: str, message: str, error: BaseException | None = None) -> Refused:
    return Refused((Failure(name, "error", message, error=error),))


def copied_arrays(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Copies of arrays, by the same names."""
    return {name: array.copy() for name, array in arrays.items()}
