"""Compares backends on a problem: gathers their answers, then judges them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from ...backends import (
    Backend,
    BrokenBackendError,
    MissingFrameworkError,
    Problem,
    RequestError,
    UnsupportedProblemError,
)
from ...backends.models import Traced
from ...backends.registry import ENGINES, BackendSelection, is_reference, load_backends, resolve
from ..answers import Training, require_trainable
from ..certificate import UncertifiableError
from ..certificate import certify as certify_problem
from ..jobs import ShareProgress
from ..tolerance import NUMBER_OF_PROBES, measure_tolerance, steps_to_settle
from .cost_estimate import require_affordable
from .explanation import explain
from .gathering import gather, reasons_in_one_line
from .judgement import judge
from .results import Comparison

CERTIFICATE_COST = 40.0  # the work of a certificate, in that of a probe


class DisagreementError(AssertionError):
    """The answers were not shown to agree. The message is the whole report.

    Attributes:
        comparison: the answers, and the judgement on them.

    Examples:
        >>> from dataclasses import replace
        >>> from gradparity.backends import get_backend
        >>> from gradparity.compare import SYSTEMS, DisagreementError, assert_agree
        >>> class Negated(type(get_backend("manual"))):
        ...     name = "mine"
        ...
        ...     def evaluate(self, problem, *, trace=False):
        ...         answer = super().evaluate(problem)
        ...         return replace(answer, gradients=answer.gradients | {"V": -answer.gradients["V"]})
        >>> try:
        ...     assert_agree(SYSTEMS["elman-softmax"].problem(seed=0), [Negated(), "manual", "torch"])
        ... except DisagreementError as error:
        ...     print([(b.label, b.outliers, b.likely_cause) for b in error.comparison.blocks if b.verdict != "agree"])
        [('dV', ('mine',), 'opposite sign')]
    """

    __module__ = "gradparity.compare"  # pytest shows it, and users import it from there

    def __init__(
        self, comparison: Comparison, case: Path | None = None, *, next_step: str = "", report: str = ""
    ) -> None:
        super().__init__(report or explain(comparison, case, next_step=next_step))
        self.comparison = comparison
        self.__cause__ = next((failure.error for failure in comparison.failures if failure.error), None)


def compare(
    problem: Problem,
    backends: BackendSelection = None,
    *,
    trace: bool = True,
    training: Training | None = None,
    certify: bool = False,
    own_spread: Callable[[], Mapping[str, float]] | None = None,
    progress: ShareProgress = lambda part: None,
) -> Comparison:
    """Asks every backend for the loss and the gradients of a problem, and judges the answers.

    Args:
        problem: a model and its numbers: sequences as (T, B, D), weights as (outputs, inputs); in float64 or float32.
        backends: names, `module:object`, or Backend objects; or a dict of Backend objects by their names; None means
            all that are installed. Where only one can answer, it is compared with the hand derivation; where several
            of one's own can, with each other, and `reservation` says so.
        trace: whether the adjoints of every step are asked for and compared too.
        training: let every backend learn by the gradients that it computes, and compare the trajectories instead.
        certify: enclose the exact answer by ball arithmetic, and measure every backend against it.
        own_spread: by quantity, how far rounding moves it in the formulas of a backend of one's own; it is asked, and
            allowed for, where an answer is wrong without it.
        progress: is called now and then with the share of the work that is done, from 0 to 1.

    Returns:
        The comparison: its `verdict`, `blocks` and `rows()`. It never raises for an answer that is wrong, nor for a
        backend that fails. Distances are in units in the last place (ulp) of a block's largest entry.

    Raises:
        UnsupportedProblemError: there are no two backends that can compute the problem (but `manual` may be asked
            alone: then the form of its answer is checked; and with `certify` one backend is enough).
        RequestError: a backend does not exist, is not installed or is broken.
        UncertifiableError: the enclosure would take too long, or no precision is enough for it.
        TooLargeError: it would take more memory than there is, or than `GRADPARITY_MEMORY` (4 GiB) allows.

    Examples:
        >>> from gradparity.compare import SYSTEMS, compare
        >>> comparison = compare(SYSTEMS["elman-softmax"].problem(seed=0), ["manual", "torch"])
        >>> comparison.verdict, list(comparison.answers), comparison.failures
        ('agree', ['manual', 'torch'], ())
        >>> comparison.answers["torch"].gradients["W"].shape  # (H, H)
        (8, 8)
        >>> comparison.closest.ratio < 1  # the largest difference, as a share of what rounding explains
        True
    """
    if not isinstance(problem, Problem):
        raise RequestError(f"problem is a {type(problem).__name__}, expected a Problem")
    asked = asked_backends(problem, backends)
    if training:
        require_trainable(problem)
    require_affordable(problem, len(asked), training)
    if training and training.until is not None:  # all go as far as the definition's loss takes to settle
        training = replace(training, steps=steps_to_settle(problem, training), until=None)
    certificate_cost = CERTIFICATE_COST if certify else 0.0
    work = certificate_cost + NUMBER_OF_PROBES + len(asked)
    certificate = None
    if certify:
        certificate = certify_problem(problem, training, lambda share: progress(share * certificate_cost / work))
    measured = measure_tolerance(problem, training, lambda probes: progress((certificate_cost + probes) / work))
    scales = {name: certificate.scale(name) for name in certificate.exact} if certificate else {}
    tolerance = measured.at_scale(scales)
    gathered = gather(
        problem,
        asked,
        training,
        overflows=tolerance.overflows,
        trace=trace,
        alone_is_enough=certify,
        progress=lambda backends: progress((certificate_cost + NUMBER_OF_PROBES + backends) / work),
    )
    comparison = judge(problem, gathered, tolerance, certificate, training)
    if own_spread and any(block.verdict == "disagree" for block in comparison.blocks) and (spread := own_spread()):
        before = {block.label for block in comparison.blocks if block.verdict == "disagree"}
        comparison = judge(problem, gathered, measured.widened(spread).at_scale(scales), certificate, training)
        saved = [block.label for block in comparison.blocks if block.verdict == "agree" and block.label in before]
        comparison = replace(comparison, within_own_rounding=tuple(saved))
    # `gather` asks manual or tape where one alone can answer
    references = [name for name in gathered.answers if name not in asked or is_reference(asked[name])]
    return replace(comparison, without_reference=not references and certificate is None)


def compare_certified_if_possible(
    problem: Problem,
    backends: BackendSelection = None,
    *,
    training: Training | None = None,
    own_spread: Callable[[], Mapping[str, float]] | None = None,
    progress: ShareProgress = lambda share: None,
) -> Comparison:
    """Compares with a certificate if there can be one; if not, without, and `uncertified` says why.

    Args:
        problem: as for `compare`.
        backends: as for `compare`.
        training: as for `compare`.
        own_spread: as for `compare`.
        progress: as for `compare`.

    Returns:
        The comparison.

    Raises:
        UnsupportedProblemError: as `compare` does.
        RequestError: as `compare` does.
    """
    asked = asked_backends(problem, backends)
    try:
        return compare(problem, asked, training=training, certify=True, own_spread=own_spread, progress=progress)
    except (MissingFrameworkError, BrokenBackendError, UncertifiableError) as error:
        comparison = compare(problem, asked, training=training, own_spread=own_spread, progress=progress)
        return replace(comparison, uncertified=str(error))


def asked_backends(problem: Problem, backends: BackendSelection) -> dict[str, Backend]:
    """The backends that are asked: where none is named, those that are installed, of a recorded program its engines."""
    if backends is None and isinstance(problem.model, Traced):
        return load_backends(ENGINES)[0]
    return resolve(backends)


def assert_agree(
    problem: Problem,
    backends: BackendSelection = None,
    *,
    training: Training | None = None,
    certify: bool = False,
    save_case: str | Path | None = None,
) -> Comparison:
    """Passes if at least two backends answer the problem, and all answers agree.

    Every backend that is named has to answer. With `certify`, one is enough: it agrees with the exact answer.

    Args:
        problem: as for `compare`.
        backends: as for `compare`.
        training: as for `compare`.
        certify: as for `compare`.
        save_case: a folder in which the problem is saved if the assertion fails.

    Returns:
        The comparison, whose verdict is `agree`.

    Raises:
        DisagreementError: something disagrees, or cannot be decided in this dtype.
        UnsupportedProblemError: a backend that was named cannot compute the problem, or there are no two that can.
        RequestError: as `compare` does.
        UncertifiableError: as `compare` does.

    Examples:
        >>> from gradparity.compare import SYSTEMS, assert_agree
        >>> assert_agree(SYSTEMS["elman-softmax"].problem(seed=0), ["manual", "torch"]).verdict
        'agree'
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


def require_answered(comparison: Comparison, required: Collection[str]) -> None:
    """Raises UnsupportedProblemError unless at least two backends answered, among them all that are required."""
    if comparison.strength == "alone":
        raise UnsupportedProblemError("only manual was asked: an agreement needs at least two backends")
    skipped = {name: reason for name, reason in comparison.skipped.items() if name in required}
    if skipped:
        raise UnsupportedProblemError(
            f"not every backend that was named can compute this: {reasons_in_one_line(skipped)}"
        )
