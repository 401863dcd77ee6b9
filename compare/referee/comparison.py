"""The referee: puts one question to every backend and judges the answers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ...backends import Backend, Evaluation, Problem, RequestError, UnsupportedProblemError, get_backend
from ...backends.registry import resolve
from ..answers import Quantity, Training, Trajectory, quantities, require_trainable, training_quantities
from ..certificate import certify as certify_problem
from ..jobs import ShareProgress
from ..tolerance import PROBES, hand_trajectory, measure_tolerance
from .asking import Answered, ask_backend
from .explanation import explain
from .judgement import bitwise_equal, judge_values
from .learning import train_backend
from .results import Comparison, Failure, Verdict

CERTIFICATE_COST = 40.0  # the work of a certificate, in that of a probe


class DisagreementError(AssertionError):
    """The answers were not shown to agree. The message tells the whole report.

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
    progress: ShareProgress = lambda part: None,
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
    candidates = resolve(backends)
    if training:
        require_trainable(problem)
        if training.until is not None:  # the hand derivation says when the loss has settled; all go as far
            training = replace(training, steps=len(hand_trajectory(problem, training).losses), until=None)
    enclosing = CERTIFICATE_COST if certify else 0.0
    work = enclosing + PROBES + len(candidates)
    certificate = None
    if certify:
        certificate = certify_problem(problem, training, lambda part: progress(part * enclosing / work))
    tolerance = measure_tolerance(problem, training, lambda probes: progress((enclosing + probes) / work))

    def ask(name: str, backend: Backend) -> Answered:
        if training:
            return train_backend(name, backend, problem, training, overflows=tolerance.overflows)
        return ask_backend(name, backend, problem, overflows=tolerance.overflows, trace=trace)

    found: dict[str, Answered] = {}
    for name, backend in candidates.items():
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


def _reasons(skipped: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in skipped.items())


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
