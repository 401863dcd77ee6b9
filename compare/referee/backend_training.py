"""Lets a backend learn, by the gradients that it computes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...backends import Backend, Evaluation, Problem, UnsupportedProblemError
from ...backends.errors import describe_error
from ...backends.references.manual_backend import ManualBackend
from ..answers import Training, accuracy, follow
from .answer_checks import update_failure
from .ask_backend import Answered, Refused, ask_backend, copied_arrays
from .results import Failure


class _Stopped(Exception):  # noqa: N818 # not an error: it carries the reason why a trajectory ended early
    def __init__(self, outcome: Refused | UnsupportedProblemError) -> None:
        self.outcome = outcome


def train_backend(name: str, backend: Backend, problem: Problem, training: Training, *, overflows: bool) -> Answered:
    """A backend's trajectory, by its `descend` if it has one; or why there is no trajectory."""
    at_step = 0

    def evaluate(at: Problem, step: int) -> Evaluation:
        nonlocal at_step
        at_step = step
        outcome = ask_backend(name, backend, at, overflows=overflows, trace=False)
        if isinstance(outcome, Refused):
            place = f"step {step}" if step <= training.steps else "the end"
            raise _Stopped(Refused(tuple(_at(place, failure) for failure in outcome.failures)))
        if not isinstance(outcome, Evaluation):
            raise _Stopped(outcome)
        if not at.params.keys() <= outcome.gradients.keys():
            raise _Stopped(UnsupportedProblemError("it does not give all gradients, and so it cannot learn"))
        return outcome

    backend_descend = getattr(backend, "descend", None)

    def descend(
        params: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], learning_rate: float
    ) -> dict[str, np.ndarray]:
        if backend_descend is None:
            return ManualBackend().descend(params, gradients, learning_rate)
        try:
            returned = backend_descend(copied_arrays(params), copied_arrays(gradients), learning_rate)
        except (Exception, SystemExit) as error:
            failure = Failure(name, "error", f"its descend raised {describe_error(error)}", error=error)
            raise _Stopped(Refused((_at(f"step {at_step}", failure),))) from error
        refusal = update_failure(name, params, returned)
        if refusal:
            raise _Stopped(Refused((_at(f"step {at_step}", refusal),)))
        return copied_arrays(returned)

    try:
        trajectory = follow(problem, training, evaluate, descend)
        learned = {parameter: path[-1] for parameter, path in trajectory.params.items()}
        outputs = evaluate(problem.with_unchecked(params=learned), training.steps + 1).outputs
    except _Stopped as stopped:
        return stopped.outcome
    return replace(trajectory, accuracy=accuracy(problem, outputs))


def _at(place: str, failure: Failure) -> Failure:
    return replace(failure, message=f"at {place}: {failure.message}")
