"""Who is right: before anything is timed, by the recording of a function in NumPy, or by all functions together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backends import Evaluation, Model, Problem, RequestError, get_backend
from ...backends.errors import DerivationError, first_line
from ..answers import Quantity, QuantityName
from ..answers.blocks import whole
from ..functions.recorded_function import Recorded
from ..functions.returned import Returned
from ..referee import Comparison, compare_certified_if_possible
from ..referee.block_result import BlockResult
from ..referee.judgement import agreeing_groups, judge_values
from .alignment import DISAGREES, UNDECIDABLE, Aligned, Refused, shown
from .float_rounding import LOSS, pairwise_tolerance

TAPE = "tape"
NOBODY_SAYS = ", and which is right nobody says"
Record = Callable[[str], Recorded | str]
Spreads = Callable[[], Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class Verification:
    """Who was accepted, and how that is known.

    Attributes:
        refused: by function, the verdict and the reason.
        how: in a sentence.
        is_certified: whether the exact answer was enclosed.
        notes: what is to be said beside.
    """

    refused: Mapping[str, Refused]
    how: str
    is_certified: bool = False
    notes: tuple[str, ...] = ()


class GivenAnswer:
    """An answer that is there already, behind the interface of a backend."""

    partial = True

    def __init__(self, name: str, evaluation: Evaluation) -> None:
        self.name = name
        self._evaluation = evaluation

    def supports(self, model: Model, dtype: str) -> str:
        return ""

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        return self._evaluation

    def prepare(self, problem: Problem) -> Callable[[], Evaluation]:
        return lambda: self._evaluation


def verify(aligned: Aligned, recordable: Sequence[str], record: Record, spreads: Spreads) -> Verification:
    """Judges the answers of all functions to the same arguments.

    The loss of a function in NumPy that was recorded defines the right gradients, if more than half of all functions
    return this loss; where no loss has more than half, nobody says which is right. Where nothing was recorded,
    functions are compared with each other, up to the rounding that each shows between float32 and float64.

    Args:
        aligned: the answers.
        recordable: the functions in NumPy, by their names.
        record: records one of them, if that is asked for; or says why it cannot.
        spreads: measures how far the functions round, by function and quantity, if that is asked for.

    Returns:
        Who is refused, and how the others were verified.
    """
    answers, refused = dict(aligned.answers), dict(aligned.refused)
    notes = list(aligned.notes)
    for name in recordable:
        if name not in answers:
            continue
        recording = record(name)
        if isinstance(recording, str):
            notes.append(f"{name} was not recorded: {recording}")
            continue
        comparison = _compared(name, recording, answers, aligned)
        if isinstance(comparison, str):
            notes.append(comparison)
            break
        loss = next(block for block in comparison.blocks if block.name == LOSS)
        groups = [[one for one in group if one in answers] for group in loss.groups]
        largest = max(groups, key=len)
        if 2 * len(largest) <= len(answers):
            for one in answers:
                other = next(other for other in answers if not any({one, other} <= set(group) for group in groups))
                refused[one] = DISAGREES, _loss_difference(answers, one, other, loss.allowed, NOBODY_SAYS)
            return Verification(refused, "by their losses", notes=tuple(notes))
        if name in largest:
            return _by_recording(name, comparison, answers, refused, notes)
        refused[name] = DISAGREES, _loss_difference(answers, name, largest[0], loss.allowed)
        del answers[name]
    return _pairwise(answers, refused, spreads, notes)


def _loss_difference(answers: Mapping[str, Returned], name: str, other: str, allowed: float, more: str = "") -> str:
    """How the loss of a function differs from that of another."""
    own, expected = (np.asarray(answers[one].loss, "float64") for one in (name, other))
    return _difference(LOSS, own, expected, allowed, f"as {other} returns{more}")


def _compared(name: str, recording: Recorded, answers: Mapping[str, Returned], aligned: Aligned) -> Comparison | str:
    """The comparison of all answers with a recording; or why there is none."""
    common = {one: aligned.names[name][own] for one, own in recording.returned_as.items()}
    params = recording.problem.params

    def gradient(answer: Returned, one: str) -> np.ndarray:
        """In the dtype of its parameter if that is a number of Python's, which has none that functions know."""
        array = answer.gradients[common[one]]
        return array if params[one].ndim else array.astype(params[one].dtype)

    backends: dict[str, Any] = {
        other: GivenAnswer(other, Evaluation(float(answer.loss), {one: gradient(answer, one) for one in common}, None))
        for other, answer in answers.items()
    }
    try:
        return compare_certified_if_possible(recording.problem, backends | {TAPE: get_backend(TAPE)})
    except (RequestError, DerivationError) as error:
        return f"the recording of {name} was not used: {first_line(error).partition(': ')[2]}"


def _by_recording(
    name: str,
    comparison: Comparison,
    answers: Mapping[str, Returned],
    refused: dict[str, Refused],
    notes: Sequence[str],
) -> Verification:
    right = comparison.answers.get(TAPE)
    is_certified = comparison.bits is not None
    basis = f"the {'exact' if is_certified else 'recorded'} gradient of the loss of {name}"
    unsure = [block.label for block in comparison.blocks if block.verdict == "undecidable"]
    for one in answers:
        wrong = [block for block in comparison.blocks if _is_wrong(block, one)]
        given, failures = comparison.answers.get(one), comparison.failures_of(one)
        if wrong and isinstance(given, Evaluation) and isinstance(right, Evaluation):
            block = wrong[0]  # the loss stands first
            own, expected = (_value(answer, block.label) for answer in (given, right))
            refused[one] = DISAGREES, _difference(block.label, own, expected, block.allowed, basis)
        elif failures:
            refused[one] = DISAGREES, "; ".join(failure.message for failure in failures)
        elif unsure or comparison.overflows:
            which = unsure[0] if unsure else "the result"
            refused[one] = UNDECIDABLE, f"rounding alone can change {which} in this dtype"
    how = f"by the recording of {name}, {'certified' if is_certified else 'to rounding'}"
    if comparison.uncertified:
        how += f" (no certificate: {comparison.uncertified})"
    return Verification(refused, how, is_certified, tuple(notes))


def _is_wrong(block: BlockResult, name: str) -> bool:
    """Whether an answer is not that of the recording: not the exact one, or, without a certificate, not the tape's."""
    if block.truth:
        return block.is_wrong(name)
    return block.verdict == "disagree" and not any({name, TAPE} <= set(group) for group in block.groups)


def _value(answer: Evaluation, label: str) -> np.ndarray:
    """The array of a block."""
    if label == LOSS:
        return np.asarray(answer.loss)
    return next(array for name, array in answer.gradients.items() if label == f"d{name}")


def _difference(name: str, own: np.ndarray, expected: np.ndarray, allowed: float, basis: str) -> str:
    """What is wrong, where, and by how much."""
    with np.errstate(all="ignore"):
        distance = np.abs(own.astype("float64") - expected.astype("float64"))
    place = tuple(int(index) for index in np.unravel_index(int(np.argmax(distance)), distance.shape))
    where, away = f"{name}{list(place) if place else ''}", float(distance[place])
    return (
        f"{where} is {own[place]:.6g}, {away:.1e} away from {expected[place]:.6g} ({basis}): "
        f"{away / allowed:.0e} times what rounding allows"
    )


def _pairwise(
    answers: Mapping[str, Returned], refused: dict[str, Refused], spreads: Spreads, notes: Sequence[str]
) -> Verification:
    """Compares functions with each other."""
    how = "pairwise, up to what each function rounds in float32, scaled"
    if len(answers) < 2:
        reason = "nothing verifies it: it is compared with no other function, and was not recorded"
        return Verification(refused | dict.fromkeys(answers, (UNDECIDABLE, reason)), how, notes=tuple(notes))
    measured = {name: spread for name, spread in spreads().items() if name in answers}
    if not measured:
        reason = "how far it rounds is not known: none was recorded, and none computes in both float32 and float64"
        return Verification(refused | dict.fromkeys(answers, (UNDECIDABLE, reason)), how, notes=tuple(notes))
    quantities = {name: _quantities(answer) for name, answer in answers.items()}
    dtypes = [array.dtype for answer in answers.values() for array in answer.gradients.values()]
    dtype = min(dtypes, key=lambda one: one.itemsize)
    tolerance = pairwise_tolerance(list(quantities.values()), list(measured.values()), dtype)
    blocks = judge_values(quantities, tolerance)
    if unsure := [block.label for block in blocks if block.verdict == "undecidable"]:
        reason = f"rounding alone can change {unsure[0]} in this dtype"
        return Verification(refused | dict.fromkeys(answers, (UNDECIDABLE, reason)), how, notes=tuple(notes))
    apart: dict[frozenset[str], Any] = {}
    for block in blocks:
        for number, group in enumerate(block.groups):
            for one in group:
                for later in block.groups[number + 1 :]:
                    for other in later:
                        apart.setdefault(frozenset((one, other)), block)
    groups = agreeing_groups(list(answers), [tuple(sorted(pair)) for pair in apart])  # type: ignore[misc]
    best = groups[0]
    is_tie = len(best) < 2 or (len(groups) > 1 and len(groups[1]) == len(best))
    for name in answers:
        if name in best and not is_tie:
            continue
        others = [one for one in (answers if is_tie else best) if frozenset((name, one)) in apart]
        block, other = apart[frozenset((name, others[0]))], others[0]
        own, expected = (quantities[one][block.label].values for one in (name, other))
        basis = f"as {other} returns{NOBODY_SAYS if is_tie else ''}"
        refused[name] = DISAGREES, _difference(shown(block.label), own, expected, block.allowed, basis)
    unmeasured = [name for name in answers if name not in measured]
    if unmeasured:
        notes = (
            *notes,
            f"{', '.join(unmeasured)}: how far it rounds was not measured, and the others' was taken for it",
        )
    return Verification(refused, how, notes=tuple(notes))


def _quantities(answer: Returned) -> dict[str, Quantity]:
    """The loss and the gradients, each in one block."""
    arrays = {LOSS: np.asarray(answer.loss, "float64"), **answer.gradients}
    return {name: whole(QuantityName(name), array) for name, array in arrays.items()}
