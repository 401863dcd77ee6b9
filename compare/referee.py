"""The referee: puts one question to every backend and judges the answers."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..backends import (
    Backend,
    Evaluation,
    Problem,
    RequestError,
    UnsupportedProblemError,
    get_backend,
    installed_backends,
)
from ..backends.errors import first_line
from .explanation import explain
from .judgement import bitwise_equal, judge_values, refusal
from .results import Comparison, Failure, Verdict
from .tolerance import measure_tolerance


class DisagreementError(AssertionError):
    """The answers were not shown to agree. The message tells the whole story.

    Attributes:
        comparison: what was found.
    """

    def __init__(self, comparison: Comparison, case: Path | None = None) -> None:
        super().__init__(explain(comparison, case))
        self.comparison = comparison


def compare(problem: Problem, backends: Iterable[str | Backend] | None = None, *, trace: bool = True) -> Comparison:
    """Asks every backend for the loss and the gradients of a problem, and judges the answers.

    Args:
        problem: the question.
        backends: names, `module:object`, or Backend objects; None means all that are installed. A single
            one is compared with the hand derivation.
        trace: whether the adjoints of every step are asked for and compared too.

    Returns:
        The comparison. It never raises for an answer that is wrong, nor for a backend that fails.

    Raises:
        RequestError: a backend does not exist, is not installed or is broken, or none can compute the model.
    """
    if not isinstance(problem, Problem):
        raise RequestError(f"problem is a {type(problem).__name__}, expected a Problem")
    entrants = resolve(backends)
    tolerance = measure_tolerance(problem)
    answers: dict[str, Evaluation] = {}
    failures: list[Failure] = []
    skipped: dict[str, str] = {}
    for name, backend in entrants.items():
        given = problem.writable_copy()
        try:
            answer = _ask(backend, given, trace=trace)
        except UnsupportedProblemError as error:
            skipped[name] = str(error)
            continue
        except Exception as error:
            failures.append(Failure(name, "error", f"it raised {first_line(error)}"))
            continue
        if not isinstance(answer, Evaluation):
            failures.append(Failure(name, "error", f"it returned a {type(answer).__name__}, expected an Evaluation"))
            continue
        answers[name] = answer
        failure = refusal(name, problem, given, answer, overflows=tolerance.overflows)
        if failure:
            failures.append(failure)
    if len(skipped) == len(entrants):
        raise RequestError("no backend can compute this: " + "; ".join(f"{n}: {r}" for n, r in skipped.items()))

    refused = {failure.backend for failure in failures}
    fit = {name: answer for name, answer in answers.items() if name not in refused}
    blocks = judge_values(fit, tolerance)
    found = {block.verdict for block in blocks}
    verdict: Verdict = "agree"
    if failures or "disagree" in found:
        verdict = "disagree"
    elif "undecidable" in found or tolerance.overflows:
        verdict = "undecidable"
    return Comparison(problem, verdict, answers, tuple(failures), blocks, skipped, bitwise_equal(fit.values()))


def _ask(backend: Backend, problem: Problem, *, trace: bool) -> Evaluation:
    reason = backend.supports(problem.model, problem.dtype.name)
    if reason:
        raise UnsupportedProblemError(reason)
    return backend.evaluate(problem, trace=trace)


def assert_agree(
    problem: Problem, backends: Iterable[str | Backend] | None = None, *, save_case: str | Path | None = None
) -> Comparison:
    """Passes if at least two backends answer the problem and all answers agree.

    Args:
        problem: the question.
        backends: as for `compare`.
        save_case: a folder in which the problem is saved if the assertion fails.

    Raises:
        DisagreementError: something disagrees, or cannot be decided in this dtype.
        RequestError: the request was wrong, or there is nobody to compare with.
    """
    comparison = compare(problem, backends)
    if comparison.verdict != "agree":
        raise DisagreementError(comparison, problem.save_in(Path(save_case)) if save_case else None)
    if comparison.strength == "alone":
        (name,) = comparison.answers
        raise RequestError(f"only {name} could answer: an agreement needs at least two backends")
    return comparison


def resolve(backends: Iterable[str | Backend] | None) -> dict[str, Backend]:
    """The backends by the names under which they are shown."""
    if backends is None:
        return installed_backends()
    if isinstance(backends, str):
        raise RequestError(f"backends = {backends!r}, expected a list of names such as [{backends!r}]")
    found: dict[str, Backend] = {}
    for each in backends:
        backend = get_backend(each) if isinstance(each, str) else each
        if not isinstance(backend, Backend):
            raise RequestError(f"{each!r} is neither a backend's name nor a Backend object")
        if backend.name in found:
            raise RequestError(f"two backends are called {backend.name!r}: each needs a name of its own")
        found[backend.name] = backend
    if not found:
        raise RequestError("no backend was named, expected at least one")
    if len(found) == 1 and "manual" not in found:
        found["manual"] = get_backend("manual")
    return found
