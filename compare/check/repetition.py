"""The second call of a function on the same numbers: whether it gives the same answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...backends import Evaluation, Problem
from ..answers import quantities
from ..answers.digits import digits_apart
from ..referee import Comparison
from ..referee.ask_backend import Refused, ask_backend
from .results import Asked, CheckVerdict
from .user_function import Derivation


def asked_twice(
    derivation: Derivation, problem: Problem, name: str, ask: Callable[[Problem], Comparison], *, is_ordinary: bool
) -> Asked:
    """Asks a derivation about a problem, twice.

    Args:
        derivation: who is asked.
        problem: what it is asked.
        name: of the problem, to be shown.
        ask: compares it on a problem.
        is_ordinary: whether the problem's numbers are drawn as they come, or someone's own.

    Returns:
        The first answer, judged; and how the second differs.
    """
    comparison = ask(problem)
    verdict: CheckVerdict = comparison.verdict_on(derivation.name)
    failures = comparison.failures_of(derivation.name)
    reason = "\n".join(failure.message for failure in failures)
    if any(failure.kind == "error" for failure in failures):
        verdict = "failed"
    if not derivation.stopped and (difference := second_call(derivation, comparison)):
        reason = difference.message
        verdict = verdict if difference.is_rounding else "not reproducible"
    return Asked(name, comparison, verdict, reason, is_ordinary)


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
    before = comparison.failures_of(derivation.name)
    second = ask_backend(derivation.name, derivation, comparison.problem, overflows=comparison.overflows, trace=True)
    after = second.failures if isinstance(second, Refused) else ()
    of_first, of_second = ([(failure.kind, failure.name) for failure in failures] for failures in (before, after))
    if of_first != of_second:
        first, again = ("; ".join(failure.message for failure in one) or "it was answered" for one in (before, after))
        return Difference(f"a second call on the same numbers: {again} (the first: {first})")
    answer = comparison.answers.get(derivation.name)
    second_answer = second.fit if isinstance(second, Refused) else second
    if not isinstance(answer, Evaluation) or not isinstance(second_answer, Evaluation):
        return None
    return _difference(answer, second_answer, comparison)


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
    digits = digits_apart(np.array(value), np.array(other_value), 0.0)
    numbers = [f"{number:.{digits}g}" for number in (value, other_value)]
    is_rounding = share <= 1
    how = ", which rounding explains" if is_rounding else ""
    return Difference(
        f"a second call on the same numbers gave another {label} (first {numbers[0]}, second {numbers[1]}){how}",
        is_rounding,
    )
