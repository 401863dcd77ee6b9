"""A function that is wrong about a network: what tells its loss from the network's, and what is wrong beside that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...backends import RequestError
from ...backends.errors import DerivationError, first_line
from ..check.loss_convention import loss_convention
from ..check.results import Check
from ..jobs import StageProgress
from ..localization import Localization, LossRepairs
from .checking import AS_GIVEN, ITS_OWN_LOSS, check_own, located_after
from .separate_function import SeparateFunction
from .wrong_answers import by_recorded_names, common_repairs, is_loss_wrong, wrong_answers


def with_own_loss(check: Check, target: str, *, timeout: float, progress: StageProgress) -> Check:
    """Of a function that is wrong about a network: whether its gradients are those of the loss that it returns.

    Args:
        check: the judgement about the network.
        target: where the function is.
        timeout: seconds for one answer.
        progress: is called with what is being done.

    Returns:
        The judgement, with a note that tells an error of the forward pass from one of the way back, and with the line
        of that where it was found.
    """
    if check.verdict != "disagree" or check.worst is None:
        return check
    comparison = check.worst.comparison
    if not comparison.has_wrong_numbers(check.name):
        return check
    has_wrong_loss = is_loss_wrong(comparison, check.name)
    by = loss_convention(check.comparisons, check.name) if has_wrong_loss else ""
    localization, notes = Localization(), list(check.notes)
    try:
        with SeparateFunction(target, problem=comparison.problem, timeout=timeout) as own:
            alone = check_own(
                own, [AS_GIVEN], loss=ITS_OWN_LOSS, ordinary_only=True, diagnosis=False, progress=progress
            )
            if check.is_diagnosed:
                is_forward = not by and (has_wrong_loss or alone.verdict == "agree")
                repairs = _loss_repairs(check, target, timeout, progress) if is_forward else LossRepairs()
                localization = located_after(own, AS_GIVEN, repairs, f"the loss of {check.network}", progress)
    except (DerivationError, RequestError) as error:
        notes.append(f"whether its gradients are those of the loss that it returns was not judged: {first_line(error)}")
        return replace(check, notes=tuple(notes))
    changes = localization.loss_repairs.changes
    if by:
        notes.append(f"convention: its loss is the one of {check.network} {by}, on all problems; {_gradients(alone)}")
    else:
        is_enough = bool(changes) and localization.is_whole and not localization.located
        where = "forward" if is_enough else _where(alone, has_wrong_loss, check)
        notes.append(_two_parts(alone, has_wrong_loss, check.network, where))
    is_explained = bool(not has_wrong_loss or by or localization.loss_repairs) and (
        (alone.verdict == "agree" and not changes) or localization.is_whole
    )
    return replace(check, notes=tuple(notes), localization=localization, is_explained=is_explained)


def _loss_repairs(check: Check, target: str, timeout: float, progress: StageProgress) -> LossRepairs:
    """What gives the network's loss on every problem that is tried."""

    def found() -> Iterator[LossRepairs]:
        for wrong in wrong_answers(check.comparisons, check.name):
            progress("looking for what tells its loss from the right one")
            try:
                with SeparateFunction(target, problem=wrong.problem, timeout=timeout) as own:
                    recorded = own.record(AS_GIVEN)
                    yield own.loss_repairs(AS_GIVEN, by_recorded_names(wrong.right, recorded))
            except (DerivationError, RequestError):
                yield LossRepairs()

    return common_repairs(found())


def _gradients(alone: Check) -> str:
    """Whether its gradients are those of the loss that it returns."""
    if alone.verdict in ("agree", "disagree"):
        return f"its gradients are {'' if alone.verdict == 'agree' else 'not '}those of the loss that it returns"
    return f"of the loss that it returns, its gradients are {alone.verdict}"


def _where(alone: Check, has_wrong_loss: bool, check: Check) -> str:
    """In which pass the error is, by what is right about the function's own loss and about the network's."""
    if alone.verdict == "agree":
        is_truncated = bool(getattr(check.comparisons[0].problem.model, "truncation", None))
        return "definition" if is_truncated and not has_wrong_loss else "forward"
    return "both" if has_wrong_loss else "back"


def _two_parts(alone: Check, has_wrong_loss: bool, network: str, where: str) -> str:
    """What is right about the function's own loss and about the network's, and in which pass the error is."""
    if alone.verdict not in ("agree", "disagree"):
        return _gradients(alone)
    loss = f"that loss is {'not ' if has_wrong_loss else ''}the one of {network}"
    if where == "forward" and not has_wrong_loss:
        loss += " up to rounding, but its derivatives are others"
    says = {
        "forward": "the error is in the forward pass",
        "back": "the error is on the way back",
        "both": "the errors are in both passes",
        "definition": f"{network} defines other gradients",
    }
    return f"{_gradients(alone)}, and {loss}: {says[where]}"
