"""Gathers answers: asks every backend the same problem, before anything is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ...backends import Backend, Evaluation, Problem, UnsupportedProblemError, get_backend
from ...backends.errors import printable
from ...backends.models import Traced
from ..answers import Training, Trajectory
from .ask_backend import Answered, Refused, ask_backend
from .backend_training import train_backend
from .results import Failure


@dataclass(frozen=True, eq=False)
class Gathered:
    """What every backend answered to one problem.

    Attributes:
        answers: what is fit to be compared, by backend.
        failures: why the rest was refused; a backend may have given both.
        skipped: why a backend cannot compute the problem.
    """

    answers: dict[str, Evaluation | Trajectory]
    failures: tuple[Failure, ...]
    skipped: dict[str, str]

    @classmethod
    def sorted_from(cls, answered: Mapping[str, Answered]) -> Gathered:
        """Sorts what the backends answered into answers, failures and reasons."""
        fit = {name: answer.fit if isinstance(answer, Refused) else answer for name, answer in answered.items()}
        return cls(
            {name: answer for name, answer in fit.items() if isinstance(answer, Evaluation | Trajectory)},
            tuple(
                failure for answer in answered.values() if isinstance(answer, Refused) for failure in answer.failures
            ),
            {
                name: printable(str(answer))
                for name, answer in answered.items()
                if isinstance(answer, UnsupportedProblemError)
            },
        )


def gather(
    problem: Problem,
    backends: Mapping[str, Backend],
    training: Training | None = None,
    *,
    overflows: bool = False,
    trace: bool = True,
    alone_is_enough: bool = False,
    progress: Callable[[int], None] = lambda backends: None,
) -> Gathered:
    """Asks every backend. Where only one can answer, `manual` is asked too; of a recorded program, `tape`.

    Args:
        problem: what is computed.
        backends: those that are asked, by their names.
        training: let every backend learn by the gradients that it computes, and gather the trajectories.
        overflows: the problem's numbers leave the dtype's range, so that infinities are no mistake.
        trace: whether the adjoints of every step are asked for.
        alone_is_enough: whether one answer is enough, since it is compared with the exact one.
        progress: is called with the number of backends that have answered.

    Returns:
        The answers, the failures, and who was skipped.

    Raises:
        UnsupportedProblemError: there are no two backends that can compute the problem.
    """

    def ask(name: str, backend: Backend) -> Answered:
        if training:
            return train_backend(name, backend, problem, training, overflows=overflows)
        return ask_backend(name, backend, problem, overflows=overflows, trace=trace)

    answered: dict[str, Answered] = {}
    for name, backend in backends.items():
        answered[name] = ask(name, backend)
        progress(len(answered))
    able = [name for name, answer in answered.items() if not isinstance(answer, UnsupportedProblemError)]
    ours = "tape" if isinstance(problem.model, Traced) else "manual"
    if len(able) == 1 and ours not in answered:
        answered[ours] = ask(ours, get_backend(ours))
        able.append(ours)
    gathered = Gathered.sorted_from(answered)
    if len(able) < (1 if alone_is_enough else 2) and list(answered) != [ours]:
        raise UnsupportedProblemError(f"no two backends can compute this: {reasons_in_one_line(gathered.skipped)}")
    return gathered


def reasons_in_one_line(skipped: Mapping[str, str]) -> str:
    """Why backends were skipped, in one line."""
    return "; ".join(f"{name}: {reason}" for name, reason in skipped.items())
