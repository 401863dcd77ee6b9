"""The second call of a function on the same numbers: whether it gives the same answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...backends import Evaluation
from ..answers import quantities
from ..referee import Comparison
from ..referee.ask_backend import ask_backend
from ..referee.results import Failure
from .user_function import Derivation


@dataclass(frozen=True)
class Difference:
    """How a second answer to the same numbers differs from the first.

    Attributes:
        message: what differs, and how.
        is_rounding: whether the difference is no larger than what rounding explains.
    """

    message: str
    is_rounding: bool = False


def second_call(derivation: Derivation, comparison: Comparison) -> Difference | None:
    """Asks a derivation once more what it was asked.

    Args:
        derivation: who answered.
        comparison: its first answer, and what was asked.

    Returns:
        How the second answer differs; None if it is the same to the last bit.
    """
    first = next((failure for failure in comparison.failures if failure.backend == derivation.name), None)
    second = ask_backend(derivation.name, derivation, comparison.problem, overflows=comparison.overflows, trace=True)
    if isinstance(second, Failure):
        if first and first.kind == second.kind:
            return None
        earlier = f"the first: {first.message}" if first else "the first was answered"
        return Difference(f"a second call on the same numbers: {second.message} ({earlier})")
    if first:
        return Difference(f"a second call on the same numbers was answered, but not the first: {first.message}")
    answer = comparison.answers[derivation.name]
    assert isinstance(answer, Evaluation)
    assert isinstance(second, Evaluation)
    return _difference(answer, second, comparison)


def _difference(first: Evaluation, second: Evaluation, comparison: Comparison) -> Difference | None:
    """The difference that is the largest beside what rounding explains."""
    before, after = (quantities(answer, comparison.problem) for answer in (first, second))
    if before.keys() != after.keys():
        apart = next(name for name in {**before, **after} if name not in before or name not in after)
        which = "only the first" if apart in before else "only the second"
        return Difference(f"of two calls on the same numbers, {which} gave {apart}")
    blocks = {block.label: block for block in comparison.blocks}
    largest, share = None, 0.0
    for name, quantity in before.items():
        for number, label in enumerate(map(str, quantity.block_names)):
            one, other = (np.ravel(answered[name].blocks[number]).astype("f8") for answered in (before, after))
            if np.array_equal(one, other, equal_nan=True):
                continue
            with np.errstate(all="ignore"):
                apart_by = np.abs(other - one)
            at = int(np.argmax(np.where(np.isnan(apart_by), np.inf, apart_by)))
            allowed = blocks[label].allowed if label in blocks else 0.0
            reached = float(apart_by[at]) / allowed if allowed else np.inf
            if largest is None or not reached <= share:
                largest, share = (label, float(one[at]), float(other[at])), reached
    if largest is None:
        return None
    label, value, other_value = largest
    numbers = _told_apart(value, other_value)
    is_rounding = share <= 1
    how = ", which rounding explains" if is_rounding else ""
    return Difference(
        f"a second call on the same numbers gave another {label} (first {numbers[0]}, second {numbers[1]}){how}",
        is_rounding,
    )


def _told_apart(one: float, other: float) -> tuple[str, str]:
    """Two different numbers in as many digits as tell them apart."""
    for digits in range(6, 17):
        texts = f"{one:.{digits}g}", f"{other:.{digits}g}"
        if texts[0] != texts[1]:
            return texts
    return repr(one), repr(other)
