"""The judgement on answers that are fit to be compared: their values, block by block.

It fails closed: what was not shown to be right is not called right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from ...backends import Evaluation, Problem
from ..answers import Quantity, Training, Trajectory, quantities, training_quantities
from ..certificate import Certificate
from ..tolerance import FLOOR_ULP, Choice, Format, Tolerance, format_of, units_in_the_last_place
from .block_result import BlockResult, Pair, Truth, Verdict
from .gathering import Gathered
from .likely_cause import find_likely_cause
from .results import Comparison


def judge(
    problem: Problem,
    gathered: Gathered,
    tolerance: Tolerance,
    certificate: Certificate | None = None,
    training: Training | None = None,
) -> Comparison:
    """Judges gathered answers.

    Args:
        problem: what was asked.
        gathered: what the backends answered.
        tolerance: what rounding can do to each block of the problem.
        certificate: the exact answer, if there is one.
        training: how the backends learned, if they did.

    Returns:
        The comparison: `disagree` if an answer was refused or a block disagrees, else `undecidable` if a block is, or
        if the numbers leave the dtype's range, else `agree`.
    """
    compared = {name: _quantities(answer, problem) for name, answer in gathered.answers.items()}
    for failure in gathered.failures:  # a refused loss is NaN; the other refused arrays are not in the answers
        if failure.name == "loss":
            compared.get(failure.backend, {}).pop("loss", None)
    blocks = judge_values(compared, tolerance, certificate)
    verdicts = {block.verdict for block in blocks}
    verdict: Verdict = "agree"
    if gathered.failures or "disagree" in verdicts:
        verdict = "disagree"
    elif "undecidable" in verdicts or tolerance.overflows:
        verdict = "undecidable"
    return Comparison(
        problem,
        verdict,
        gathered.answers,
        gathered.failures,
        blocks,
        gathered.skipped,
        bitwise_equal(compared.values()),
        tolerance.overflows,
        training,
        certificate.bits if certificate else None,
        precision=tolerance.dtype.name if isinstance(tolerance.dtype, Format) else "",
    )


def _quantities(answer: Evaluation | Trajectory, problem: Problem) -> dict[str, Quantity]:
    return quantities(answer, problem) if isinstance(answer, Evaluation) else training_quantities(answer)


def judge_values(
    by_backend: Mapping[str, Mapping[str, Quantity]], tolerance: Tolerance, certificate: Certificate | None = None
) -> tuple[BlockResult, ...]:
    """Compares the quantities of every pair of backends, block by block.

    With a certificate, each is compared with the exact answer too. A quantity that only some backends answer, such as
    an adjoint that one cannot see, is compared among those.

    Args:
        by_backend: for every backend its quantities, by their names.
        tolerance: what rounding can do to each block.
        certificate: the exact answer, if there is one.

    Returns:
        The judgement on every block, in the order of `tolerance.scale`.
    """
    results: list[BlockResult] = []
    for name in tolerance.scale:
        present = {backend: answered[name] for backend, answered in by_backend.items() if name in answered}
        if len(present) < (1 if certificate else 2):
            continue
        first = next(iter(present.values()))
        blocks = {backend: quantity.blocks.astype("float64") for backend, quantity in present.items()}
        pairs = list(combinations(blocks, 2)) or [(only, only) for only in blocks]
        with np.errstate(all="ignore"):
            differences = np.stack([np.abs(blocks[one] - blocks[other]) for one, other in pairs])
            median = np.median(np.stack(list(blocks.values())), axis=0)
            ulp = units_in_the_last_place(tolerance.scale[name], tolerance.dtype)
            distances = {backend: np.abs(block - median).max(axis=1) / ulp for backend, block in blocks.items()}
        for i, allowed in enumerate(tolerance.allowed[name]):
            differing, choice = differences[:, i], _choice(tolerance, name, i)
            beside = _is_wrong_beside(choice, differing)
            if choice and beside:
                differing, allowed = np.where(choice.entries, 0.0, differing), choice.allowed
            largest = differing.max(axis=1)  # of every pair
            # not >, so that a NaN counts as apart
            apart = [pair for pair, reached in zip(pairs, largest, strict=True) if not reached <= allowed]
            undecidable = not beside and (tolerance.overflows or tolerance.undecidable[name][i])
            worst = int(np.argmax(largest))
            entry = i * differences.shape[2] + int(np.argmax(differing[worst]))
            results.append(
                BlockResult(
                    quantity=first.name,
                    block=first.block_names[i],
                    verdict="undecidable" if undecidable else "disagree" if apart else "agree",
                    scale=float(tolerance.scale[name][i]),
                    spread=float(tolerance.spread[name][i]),
                    allowed=float(allowed),
                    difference=float(largest[worst]),
                    between=pairs[worst],
                    index=tuple(int(j) for j in np.unravel_index(entry, first.values.shape)),
                    groups=agreeing_groups(list(present), apart),
                    distance_ulp={backend: float(distance[i]) for backend, distance in distances.items()},
                    likely_cause=_likely_cause(present, pairs[worst], i, allowed) if apart and not beside else "",
                    reason=tolerance.reason(name, i),
                    choices=_numbers(choice),
                )
            )
    return _judged_by_certificate(results, by_backend, tolerance, certificate) if certificate else tuple(results)


def _choice(tolerance: Tolerance, name: str, i: int) -> Choice | None:
    return None if tolerance.overflows else tolerance.choice(name, i)


def _is_wrong_beside(choice: Choice | None, errors: np.ndarray) -> bool:
    """Whether errors, (…, entries), are larger than rounding explains in entries that are no choice."""
    return choice is not None and not (errors[..., ~choice.entries] <= choice.allowed).all()


def _numbers(choice: Choice | None) -> tuple[int, ...]:
    return tuple(np.flatnonzero(choice.entries).tolist()) if choice else ()


def _judged_by_certificate(
    results: Sequence[BlockResult],
    by_backend: Mapping[str, Mapping[str, Quantity]],
    tolerance: Tolerance,
    certificate: Certificate,
) -> tuple[BlockResult, ...]:
    """The same blocks, decided by every backend's true error.

    An error that rounding does not explain is wrong, also beside entries that are a choice at a kink. Where rounding
    may explain anything, or where the way back leaves the dtype's range, so that nobody knows what rounding does, an
    error that is a small part of the block becomes an agreement nevertheless, and only a larger one leaves the block
    undecidable.
    """
    errors = {
        name: {
            backend: certificate.errors(name, answered[name])
            for backend, answered in by_backend.items()
            if name in answered
        }
        for name in {block.name for block in results}
    }
    scales = {name: certificate.scale(name) for name in errors}
    decided = []
    numbers: Counter[str] = Counter()
    for block in results:
        i = numbers[block.name]
        numbers[block.name] += 1
        scale = float(scales[block.name][i])
        ulp = float(units_in_the_last_place(np.array(scale), tolerance.dtype))
        entries = {backend: bounds[i] for backend, bounds in errors[block.name].items()}
        allowed = float(tolerance.allowed[block.name][i])
        choice = _choice(tolerance, block.name, i)
        beside = _is_wrong_beside(choice, np.stack(list(entries.values())))
        if choice and beside:
            entries = {backend: np.where(choice.entries, 0.0, bounds) for backend, bounds in entries.items()}
            allowed = choice.allowed
        error = {backend: float(bounds.max()) for backend, bounds in entries.items()}
        known = format_of(tolerance.dtype)
        small = max(known.decided * scale, FLOOR_ULP * (ulp + known.tiny))
        is_measured = np.isfinite(allowed)
        wrong = tuple(backend for backend, reached in error.items() if is_measured and not reached <= allowed)
        rounding_dominated = not beside and (tolerance.overflows or tolerance.undecidable[block.name][i])
        beyond_limit = tuple(
            backend for backend, reached in error.items() if rounding_dominated and not reached <= small
        )
        in_ulp = {backend: reached / ulp for backend, reached in error.items()}
        verdict: Verdict = "agree"
        if tolerance.overflows or (beyond_limit and not wrong):
            verdict = "undecidable"
        elif wrong:
            verdict = "disagree"
        truth = Truth(scale, error, in_ulp, wrong, bool(rounding_dominated), beyond_limit)
        decided.append(replace(block, verdict=verdict, truth=truth, allowed=allowed if is_measured else small))
    return tuple(decided)


def _likely_cause(present: Mapping[str, Quantity], pair: Pair, i: int, allowed: float) -> str:
    one, other = pair
    return find_likely_cause(present[one].block(i), present[other].block(i), allowed)


def agreeing_groups(backends: Sequence[str], apart: Iterable[Pair]) -> tuple[tuple[str, ...], ...]:
    """The backends in groups whose members all agree with each other, the largest group first."""
    differ = {frozenset(pair) for pair in apart}
    ungrouped, groups = list(backends), []
    while ungrouped:
        candidates = (group for size in range(len(ungrouped), 0, -1) for group in combinations(ungrouped, size))
        groups.append(next(g for g in candidates if not any(frozenset(pair) in differ for pair in combinations(g, 2))))
        ungrouped = [backend for backend in ungrouped if backend not in groups[-1]]
    return tuple(groups)


def bitwise_equal(answers: Collection[Mapping[str, Quantity]]) -> bool:
    """Whether all answers are equal to the last bit in whatever they have in common."""
    return all(
        one[name].values.tobytes() == other[name].values.tobytes()
        for one, other in combinations(answers, 2)
        for name in one.keys() & other.keys()
    )
