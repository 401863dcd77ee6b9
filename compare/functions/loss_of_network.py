"""A function that is wrong about a network: what tells its loss from the network's, and what is wrong beside that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ...backends import RequestError
from ...backends.errors import DerivationError, first_line
from ..check.loss_convention import loss_convention
from ..check.results import Check
from ..jobs import StageProgress
from ..localization import LossRepairs, Precision
from .checking import AS_GIVEN, ITS_OWN_LOSS, check_own
from .separate_function import SeparateFunction
from .wrong_losses import common_repairs, wrong_losses


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
    is_loss_wrong = any(block.name == "loss" and block.is_wrong(check.name) for block in comparison.blocks)
    try:
        with SeparateFunction(target, problem=comparison.problem, timeout=timeout) as own:
            alone = check_own(
                own,
                [AS_GIVEN],
                loss=ITS_OWN_LOSS,
                ordinary_only=True,
                diagnosis=check.is_diagnosed,
                progress=progress,
            )
    except (DerivationError, RequestError) as error:
        note = f"whether its gradients are those of the loss that it returns was not judged: {first_line(error)}"
        return replace(check, notes=(*check.notes, note))
    localization, by = alone.localization, ""
    if is_loss_wrong:
        by = loss_convention(check.comparisons, check.name)
        if not by and check.is_diagnosed:
            progress("looking for what tells its loss from the right one")
            repairs = _loss_repairs(check, target, timeout)
            precision = localization.precision
            if repairs.rounded and not precision.located:
                precision = Precision(repairs.rounded)
            right_loss = f"the loss of {check.network}"
            localization = replace(localization, loss_repairs=repairs, right_loss=right_loss, precision=precision)
    notes = (*check.notes, _two_parts(alone.verdict, is_loss_wrong, check.network, by))
    is_explained = bool(not is_loss_wrong or by or localization.loss_repairs) and (
        alone.verdict == "agree" or localization.is_whole
    )
    return replace(check, notes=notes, localization=localization, is_explained=is_explained)


def _loss_repairs(check: Check, target: str, timeout: float) -> LossRepairs:
    """What gives the network's loss on every problem that is tried."""

    def found() -> Iterator[LossRepairs]:
        for wrong in wrong_losses(check.comparisons, check.name):
            try:
                with SeparateFunction(target, problem=wrong.problem, timeout=timeout) as own:
                    yield own.loss_repairs(AS_GIVEN, wrong.right, wrong.allowed)
            except (DerivationError, RequestError):
                yield LossRepairs()

    return common_repairs(found())


def _two_parts(verdict: str, is_loss_wrong: bool, network: str, convention: str) -> str:
    """Where the error is, by what is right about the function's own loss and about the network's."""
    if verdict == "agree":
        gradients = "its gradients are those of the loss that it returns"
    elif verdict == "disagree":
        gradients = "its gradients are not those of the loss that it returns"
    else:
        return f"of the loss that it returns, its gradients are {verdict}"
    if convention:
        loss = f"that loss is the one of {network} {convention} (on all problems)"
        return f"convention: {loss}; {gradients}"
    loss = f"that loss is {'not ' if is_loss_wrong else ''}the one of {network}"
    if verdict == "agree":
        where = "the error is in the forward pass" if is_loss_wrong else f"{network} defines other gradients"
    else:
        where = "the errors are in both passes" if is_loss_wrong else "the error is on the way back"
    return f"{gradients}, and {loss}: {where}"
