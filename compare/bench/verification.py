"""Which answers to a workload are accepted: what the timed call itself returned, judged as in `compare`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from ...backends import Evaluation, Problem
from ...backends.interface import PreparedAnswer
from ..answers import Quantity, quantities
from ..definitions import Floats, differentiate
from ..referee import agreeing_groups, examine, judge_values
from ..tolerance import measure_definition

PROBES_OF_A_WRITING = 1  # a spread over thousands of entries needs few, and one of the largest workloads takes seconds

Refused = tuple[str, str]  # a verdict, and the reason


def verify(problem: Problem, answers: Mapping[str, PreparedAnswer]) -> dict[str, Refused]:
    """The backends that are not accepted, and why.

    Accepted are those that agree with each other in every block, if they are at least two and more than any others
    that agree among themselves.

    Args:
        problem: the workload's model with its numbers.
        answers: the loss and the parameters' gradients, by the backends' names.

    Returns:
        By the names of those that are not accepted: `disagrees` or `undecidable`, and the reason.
    """
    tolerance = measure_definition(problem.dtype, partial(_computed, problem), probes=PROBES_OF_A_WRITING)
    refused: dict[str, Refused] = {}
    compared = {}
    for name, (loss, gradients) in answers.items():
        evaluation = _evaluation(loss, gradients)
        missing = [parameter for parameter in problem.params if parameter not in gradients]
        failures = examine(name, problem, problem, evaluation, overflows=tolerance.overflows, partial=True).failures
        reasons_to_refuse = [failure.message for failure in failures]
        reasons_to_refuse += [f"its run returned no gradient of {parameter}" for parameter in missing]
        if reasons_to_refuse:
            refused[name] = ("disagrees", "; ".join(reasons_to_refuse))
        else:
            compared[name] = quantities(evaluation, problem)
    blocks = judge_values(compared, tolerance)
    if any(block.verdict == "undecidable" for block in blocks):
        return refused | dict.fromkeys(compared, ("undecidable", "rounding alone can change the result in this dtype"))
    reasons: dict[frozenset[str], str] = {}
    for block in blocks:
        for pair in _disagreeing_pairs(block.groups):
            times = block.difference / block.allowed
            reasons.setdefault(pair, f"{block.label} differs, by up to {times:.0e} times what rounding explains")
    groups = agreeing_groups(list(compared), [tuple(sorted(pair)) for pair in reasons])  # type: ignore[misc]
    best = groups[0] if groups else ()
    if len(best) < 2:
        return refused | dict.fromkeys(compared, ("disagrees", "no two backends agree"))
    if len(groups) > 1 and len(groups[1]) == len(best):
        return refused | dict.fromkeys(compared, ("disagrees", "groups of equal size disagree with each other"))
    for name in compared:
        if name not in best:
            other = next(member for member in best if frozenset((name, member)) in reasons)
            refused[name] = ("disagrees", f"{reasons[frozenset((name, other))]} from {other}")
    return refused


def _computed(problem: Problem, floats: Floats) -> list[dict[str, Quantity]]:
    """What a run returns, by the definition, of every computation that runs in these numbers."""
    derived = differentiate(problem, floats)
    losses = np.atleast_1d(derived.loss)
    gradients = {name: derived.gradients[name].reshape(-1, *array.shape) for name, array in problem.params.items()}
    return [
        quantities(_evaluation(float(loss), {name: array[i] for name, array in gradients.items()}), problem)
        for i, loss in enumerate(losses)
    ]


def _evaluation(loss: float, gradients: dict[str, np.ndarray]) -> Evaluation:
    return Evaluation(loss, gradients, outputs=None)


def _disagreeing_pairs(groups: tuple[tuple[str, ...], ...]) -> list[frozenset[str]]:
    """All pairs of two backends in different groups."""
    return [
        frozenset((one, other))
        for number, group in enumerate(groups)
        for later in groups[number + 1 :]
        for one in group
        for other in later
    ]
