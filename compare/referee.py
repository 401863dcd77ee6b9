"""The referee: puts one question to every backend and judges the answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..backends import (
    Backend,
    Evaluation,
    Problem,
    RequestError,
    UnsupportedProblemError,
    get_backend,
    load_backends,
)
from ..backends.errors import first_line
from ..backends.numpy_manual import ManualBackend
from ..backends.registry import as_backend
from .blocks import Quantity, quantities
from .certificate import certify as certify_problem
from .derivation import DerivationError
from .explanation import explain
from .judgement import bitwise_equal, judge_values, refusal, update_refusal
from .results import Comparison, Failure, Verdict
from .tolerance import PROBES, hand_trajectory, measure_tolerance
from .training import Training, Trajectory, accuracy, follow, require_trainable, training_quantities

Progress = Callable[[float], None]
ENCLOSING = 40.0  # the work of a certificate, in that of a probe
Answered = Evaluation | Trajectory | Failure | UnsupportedProblemError


class DisagreementError(AssertionError):
    """The answers were not shown to agree. The message tells the whole story.

    Attributes:
        comparison: what was found.
    """

    def __init__(self, comparison: Comparison, case: Path | None = None, *, next_step: str = "") -> None:
        super().__init__(explain(comparison, case, next_step=next_step))
        self.comparison = comparison


def compare(
    problem: Problem,
    backends: Iterable[str | Backend] | None = None,
    *,
    trace: bool = True,
    training: Training | None = None,
    certify: bool = False,
    progress: Progress = lambda part: None,
) -> Comparison:
    """Asks every backend for the loss and the gradients of a problem, and judges the answers.

    Args:
        problem: the question.
        backends: names, `module:object`, or Backend objects; None means all that are installed. Where only one
            can answer, it is compared with the hand derivation.
        trace: whether the adjoints of every step are asked for and compared too.
        training: let every backend learn by its own gradients, and compare the trajectories in their place.
        certify: enclose the exact answer by ball arithmetic, and measure every backend against it.
        progress: is called now and then with the part of the work that is done.

    Returns:
        The comparison. It never raises for an answer that is wrong, nor for a backend that fails.

    Raises:
        UnsupportedProblemError: there are no two backends that can compute the problem (but `manual` may be asked
            alone: then the form of its answer is checked; and with `certify` one backend is enough).
        RequestError: a backend does not exist, is not installed or is broken.
        UncertifiableError: the enclosure would take too long.
    """
    if not isinstance(problem, Problem):
        raise RequestError(f"problem is a {type(problem).__name__}, expected a Problem")
    entrants = resolve(backends)
    if training:
        require_trainable(problem)
        if training.until is not None:  # the hand derivation says when the loss has settled; all go as far
            training = replace(training, steps=len(hand_trajectory(problem, training).losses), until=None)
    enclosing = ENCLOSING if certify else 0.0
    work = enclosing + PROBES + len(entrants)
    certificate = None
    if certify:
        certificate = certify_problem(problem, training, lambda part: progress(part * enclosing / work))
    tolerance = measure_tolerance(problem, training, lambda probes: progress((enclosing + probes) / work))

    def ask(name: str, backend: Backend) -> Answered:
        if training:
            return _train(name, backend, problem, training, overflows=tolerance.overflows)
        return _ask(name, backend, problem, overflows=tolerance.overflows, trace=trace)

    found: dict[str, Answered] = {}
    for name, backend in entrants.items():
        found[name] = ask(name, backend)
        progress((enclosing + PROBES + len(found)) / work)
    able = [name for name, outcome in found.items() if not isinstance(outcome, UnsupportedProblemError)]
    if len(able) == 1 and "manual" not in found:
        found["manual"] = ask("manual", get_backend("manual"))
        able.append("manual")
    skipped = {name: str(outcome) for name, outcome in found.items() if isinstance(outcome, UnsupportedProblemError)}
    if len(able) < (1 if certificate else 2) and list(found) != ["manual"]:
        raise UnsupportedProblemError(f"no two backends can compute this: {_reasons(skipped)}")

    answers = {name: outcome for name, outcome in found.items() if isinstance(outcome, Evaluation | Trajectory)}
    failures = tuple(outcome for outcome in found.values() if isinstance(outcome, Failure))
    compared = {name: _quantities(answer, problem) for name, answer in answers.items()}
    blocks = judge_values(compared, tolerance, certificate)
    verdicts = {block.verdict for block in blocks}
    verdict: Verdict = "agree"
    if failures or "disagree" in verdicts:
        verdict = "disagree"
    elif "undecidable" in verdicts or tolerance.overflows:
        verdict = "undecidable"
    bitwise = bitwise_equal(compared.values())
    return Comparison(
        problem,
        verdict,
        answers,
        failures,
        blocks,
        skipped,
        bitwise,
        tolerance.overflows,
        training,
        certificate.bits if certificate else None,
    )


def _quantities(answer: Evaluation | Trajectory, problem: Problem) -> dict[str, Quantity]:
    return quantities(answer, problem) if isinstance(answer, Evaluation) else training_quantities(answer)


class _Stopped(Exception):  # noqa: N818 # not an error: it carries the reason why a trajectory ended early
    def __init__(self, outcome: Failure | UnsupportedProblemError) -> None:
        self.outcome = outcome


def _train(name: str, backend: Backend, problem: Problem, training: Training, *, overflows: bool) -> Answered:
    """A backend's trajectory, by its own update if it has one; or why there is none."""
    at_step = 0

    def evaluate(at: Problem, step: int) -> Evaluation:
        nonlocal at_step
        at_step = step
        outcome = _ask(name, backend, at, overflows=overflows, trace=False)
        if isinstance(outcome, Failure):
            place = f"at step {step}" if step <= training.steps else "at the end"
            outcome = replace(outcome, message=f"{place}: {outcome.message}")
        if not isinstance(outcome, Evaluation):
            raise _Stopped(outcome)
        if not at.params.keys() <= outcome.gradients.keys():
            raise _Stopped(UnsupportedProblemError("it does not give all gradients, and so it cannot learn"))
        return outcome

    own_descend = getattr(backend, "descend", None)

    def descend(
        params: Mapping[str, np.ndarray], gradients: Mapping[str, np.ndarray], learning_rate: float
    ) -> dict[str, np.ndarray]:
        if own_descend is None:
            return ManualBackend().descend(params, gradients, learning_rate)
        try:
            returned = own_descend(_copies(params), _copies(gradients), learning_rate)
        except (Exception, SystemExit) as error:
            message = f"at step {at_step}: its descend raised {first_line(error)}"
            raise _Stopped(Failure(name, "error", message)) from error
        failure = update_refusal(name, params, returned)
        if failure:
            raise _Stopped(replace(failure, message=f"at step {at_step}: {failure.message}"))
        return _copies(returned)

    try:
        trajectory = follow(problem, training, evaluate, descend)
        learned = {parameter: path[-1] for parameter, path in trajectory.params.items()}
        outputs = evaluate(problem.with_unchecked(params=learned), training.steps + 1).outputs
    except _Stopped as stopped:
        return stopped.outcome
    return replace(trajectory, accuracy=accuracy(problem, outputs))


def _ask(
    name: str, backend: Backend, problem: Problem, *, overflows: bool, trace: bool
) -> Evaluation | Failure | UnsupportedProblemError:
    """A backend's answer, in arrays of our own; or why it is not fit to be compared; or why there is none."""
    given = problem.writable_copy()
    try:
        reason = backend.supports(problem.model, problem.dtype.name)
        if not isinstance(reason, str):
            kind = type(reason).__name__
            return Failure(name, "error", f"supports returned a {kind}, expected a str, empty or with a reason")
        if reason:
            return UnsupportedProblemError(reason)
        answer = backend.evaluate(given, trace=trace)
    except UnsupportedProblemError as error:
        return error
    except DerivationError as error:
        return Failure(name, "error", str(error))
    except (Exception, SystemExit) as error:
        return Failure(name, "error", f"it raised {first_line(error)}")
    if not isinstance(answer, Evaluation):
        return Failure(name, "error", f"it returned a {type(answer).__name__}, expected an Evaluation")
    partial = getattr(backend, "partial", False)
    failure = refusal(name, problem, given, answer, overflows=overflows, partial=partial)
    # copied, since the next call may write its answer into the same arrays
    return failure or Evaluation(
        answer.loss,
        _copies(answer.gradients),
        None if answer.outputs is None else answer.outputs.copy(),
        _copies(answer.adjoints),
    )


def _reasons(skipped: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in skipped.items())


def _copies(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: array.copy() for name, array in arrays.items()}


def assert_agree(
    problem: Problem,
    backends: Iterable[str | Backend] | None = None,
    *,
    training: Training | None = None,
    certify: bool = False,
    save_case: str | Path | None = None,
) -> Comparison:
    """Passes if at least two backends answer the problem, among them all that are named, and all answers agree.

    With `certify`, one is enough: it agrees with the exact answer.

    Args:
        problem: the question.
        backends: as for `compare`.
        training: as for `compare`.
        certify: as for `compare`.
        save_case: a folder in which the problem is saved if the assertion fails.

    Raises:
        DisagreementError: something disagrees, or cannot be decided in this dtype.
        UnsupportedProblemError: a backend that was named cannot compute the problem, or there are no two that can.
        RequestError: the request was wrong.
    """
    comparison = compare(problem, backends, training=training, certify=certify)
    if comparison.verdict != "agree":
        try:
            case = problem.save_in(save_case) if save_case else None
        except RequestError as error:
            raise DisagreementError(comparison) from error
        raise DisagreementError(comparison, case)
    require_answered(comparison, () if backends is None else comparison.skipped)
    return comparison


def require_answered(comparison: Comparison, named: Collection[str]) -> None:
    """Raises UnsupportedProblemError unless at least two backends answered, among them all of these names."""
    if comparison.strength == "alone":
        raise UnsupportedProblemError("only manual was asked: an agreement needs at least two backends")
    skipped = {name: reason for name, reason in comparison.skipped.items() if name in named}
    if skipped:
        raise UnsupportedProblemError(f"not every backend that was named can compute this: {_reasons(skipped)}")


def resolve(backends: Iterable[str | Backend] | None) -> dict[str, Backend]:
    """The backends by the names under which they are shown."""
    if backends is None:
        return load_backends()[0]
    if isinstance(backends, str):
        raise RequestError(f"backends = {backends!r}, expected a list of names such as [{backends!r}]")
    found: dict[str, Backend] = {}
    for each in backends:
        backend = get_backend(each) if isinstance(each, str) else as_backend(repr(each), each)
        if backend.name in found:
            raise RequestError(f"two backends are called {backend.name!r}: each needs a name of its own")
        found[backend.name] = backend
    if not found:
        raise RequestError("no backend was named, expected at least one")
    return found
