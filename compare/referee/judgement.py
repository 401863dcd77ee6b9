"""The judgement, in its order: names, shape, dtype, finite, inputs untouched; then the values.

It fails closed: what was not shown to be right is not called right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from ...backends import Evaluation, Problem
from ..answers import Quantity, expected_shapes
from ..certificate import Certificate
from ..tolerance import FLOOR_ULP, MAX_RELATIVE_TOLERANCE, Tolerance, units_in_the_last_place
from .results import BlockResult, Failure, Pair, Truth, Verdict


def answer_failure(
    backend: str,
    problem: Problem,
    given: Problem,
    answer: Evaluation,
    *,
    overflows: bool = False,
    partial: bool = False,
) -> Failure | None:
    """The first reason to refuse an answer before its values are compared, if there is one.

    Args:
        backend: who answered.
        problem: the question.
        given: the copy of the question that the backend was given, as it left it.
        answer: the answer.
        overflows: the problem's numbers leave the dtype's range, so that infinities are no mistake.
        partial: gradients and outputs may be left out.
    """
    outputs = {} if partial and answer.outputs is None else {"outputs": answer.outputs}
    found: dict[str, Any] = {"gradients": answer.gradients, "outputs": outputs, "adjoints": answer.adjoints}
    optional = ("gradients", "outputs", "adjoints") if partial else ("adjoints",)
    expected = expected_shapes(problem)
    for field, values in found.items():
        if not isinstance(values, Mapping):
            return Failure(backend, "names", f"{field} is a {type(values).__name__}, expected a dict of arrays by name")

    for field, shapes in expected.items():
        missing = [name for name in shapes if name not in found[field] and field not in optional]
        unknown = [name for name in found[field] if name not in shapes]
        if missing or unknown:
            what = f"no {', '.join(map(repr, missing))}" if missing else f"an unknown {unknown[0]!r}"
            return Failure(backend, "names", f"{field} has {what}, expected {', '.join(shapes)}")

    arrays = {
        name if field == "outputs" else f"{field}[{name!r}]": (array, expected[field][name])
        for field in found
        for name, array in found[field].items()
    }
    for label, (array, shape) in arrays.items():
        if type(array) is not np.ndarray:  # a masked array, say, would hide entries from the comparison
            return Failure(backend, "dtype", f"{label} is a {type(array).__name__}, expected a NumPy array")
        if array.shape != shape:
            hint = ": it is transposed" if array.shape == shape[::-1] else ""
            return Failure(backend, "shape", f"{label} has shape {array.shape}, expected {shape}{hint}")

    for label, (array, _) in arrays.items():
        if array.dtype != problem.dtype:
            return Failure(backend, "dtype", f"{label} is {array.dtype}, expected {problem.dtype}")
    if not isinstance(answer.loss, float):
        return Failure(backend, "dtype", f"loss is a {type(answer.loss).__name__}, expected a float")

    values = {"loss": np.asarray(answer.loss)} | {label: array for label, (array, _) in arrays.items()}
    for label, array in values.items():
        infinite = ~np.isfinite(array)
        if infinite.any() and not overflows:
            index = tuple(int(i) for i in np.argwhere(infinite)[0])
            return Failure(backend, "non-finite", f"{label}{list(index) or ''} is {array[index]}")

    changed = _changed(problem, given)
    return Failure(backend, "mutation", f"it changed {changed}, which it was given") if changed else None


def update_failure(backend: str, params: Mapping[str, np.ndarray], updated: object) -> Failure | None:
    """The first reason to refuse what a backend's `descend` returned."""
    if not isinstance(updated, Mapping) or set(updated) != set(params):
        what = f"the names {', '.join(map(str, updated))}" if isinstance(updated, Mapping) else type(updated).__name__
        return Failure(backend, "names", f"its descend returned {what}, expected {', '.join(params)}")
    for name, before in params.items():
        after = updated[name]
        if type(after) is not np.ndarray or after.dtype != before.dtype:
            kind = after.dtype if isinstance(after, np.ndarray) else type(after).__name__
            return Failure(backend, "dtype", f"its descend returned {name} as {kind}, expected {before.dtype}")
        if after.shape != before.shape:
            return Failure(backend, "shape", f"its descend returned {name} in {after.shape}, expected {before.shape}")
    return None


def _changed(problem: Problem, given: Problem) -> str:
    """The first array that is no longer what it was, or anything else if there is none such."""
    try:
        before, after = problem.arrays(), given.arrays()
        for name in {**before, **after}:
            if name not in before or name not in after or not _same(before[name], after[name]):
                return name
    except Exception:
        return "the problem"
    return "" if given.model == problem.model else "the model"


def _same(before: np.ndarray, after: np.ndarray) -> bool:
    """Equal, where numbers that diverged along a trajectory are equal too if both are NaN."""
    return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")


def judge_values(
    by_backend: Mapping[str, Mapping[str, Quantity]], tolerance: Tolerance, certificate: Certificate | None = None
) -> tuple[BlockResult, ...]:
    """Compares the quantities of every pair of backends, block by block; with a certificate, each with the truth.

    A quantity that only some backends answer (an adjoint that one cannot see) is compared among those.
    """
    results: list[BlockResult] = []
    for name in tolerance.scale:
        present = {backend: found[name] for backend, found in by_backend.items() if name in found}
        if len(present) < (1 if certificate else 2):
            continue
        quantity = next(iter(present.values()))
        blocks = {backend: each.blocks.astype("float64") for backend, each in present.items()}
        pairs = list(combinations(blocks, 2)) or [(only, only) for only in blocks]
        with np.errstate(all="ignore"):
            differences = np.stack([np.abs(blocks[one] - blocks[other]) for one, other in pairs])
            median = np.median(np.stack(list(blocks.values())), axis=0)
            ulp = units_in_the_last_place(tolerance.scale[name], tolerance.dtype)
            distances = {backend: np.abs(each - median).max(axis=1) / ulp for backend, each in blocks.items()}
        largest = differences.max(axis=2)  # (pairs, blocks)
        for i, allowed in enumerate(tolerance.allowed[name]):
            # not >, so that a NaN counts as apart
            apart = [pair for pair, reached in zip(pairs, largest[:, i], strict=True) if not reached <= allowed]
            undecidable = tolerance.overflows or tolerance.undecidable[name][i]
            worst = int(np.argmax(largest[:, i]))
            entry = i * differences.shape[2] + int(np.argmax(differences[worst, i]))
            results.append(
                BlockResult(
                    quantity=quantity.name,
                    block=quantity.block_names[i],
                    verdict="undecidable" if undecidable else "disagree" if apart else "agree",
                    scale=float(tolerance.scale[name][i]),
                    spread=float(tolerance.spread[name][i]),
                    allowed=float(allowed),
                    difference=float(largest[worst, i]),
                    between=pairs[worst],
                    index=tuple(int(j) for j in np.unravel_index(entry, quantity.values.shape)),
                    groups=agreeing_groups(list(present), apart),
                    distance_ulp={backend: float(distance[i]) for backend, distance in distances.items()},
                    likely_cause=_likely_cause(present, pairs[worst], i, allowed) if apart else "",
                )
            )
    return _by_the_truth(results, by_backend, tolerance, certificate) if certificate else tuple(results)


def _by_the_truth(
    results: Sequence[BlockResult],
    by_backend: Mapping[str, Mapping[str, Quantity]],
    tolerance: Tolerance,
    certificate: Certificate,
) -> tuple[BlockResult, ...]:
    """The same blocks, decided by every backend's true error.

    An error that rounding does not explain is wrong. Where rounding may explain anything, an error that is a small
    part of the block becomes an agreement nevertheless, and only a larger one leaves the block undecidable.
    """
    errors = {
        name: {backend: certificate.errors(name, found[name]) for backend, found in by_backend.items() if name in found}
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
        error = {backend: float(of[i]) for backend, of in errors[block.name].items()}
        wrong = tuple(backend for backend, reached in error.items() if not reached <= block.allowed)
        small = max(MAX_RELATIVE_TOLERANCE * scale, FLOOR_ULP * (ulp + float(np.finfo(tolerance.dtype).tiny)))
        rounding_dominated = tolerance.overflows or tolerance.undecidable[block.name][i]
        spoilt = tuple(backend for backend, reached in error.items() if rounding_dominated and not reached <= small)
        in_ulp = {backend: reached / ulp for backend, reached in error.items()}
        verdict: Verdict = "agree"
        if tolerance.overflows or (spoilt and not wrong):
            verdict = "undecidable"
        elif wrong:
            verdict = "disagree"
        truth = Truth(scale, error, in_ulp, wrong, bool(rounding_dominated), spoilt)
        decided.append(replace(block, verdict=verdict, truth=truth))
    return tuple(decided)


def find_likely_cause(one: np.ndarray, other: np.ndarray, allowed: float) -> str:
    """The simple mistake that turns one of two differing blocks into the other, if there is one."""
    one, other = one.astype("float64"), other.astype("float64")
    if one.size == 1:
        return ""  # any number is another one, multiplied by something

    def same(changed: np.ndarray) -> bool:
        return changed.shape == other.shape and bool(np.abs(changed - other).max() <= 2 * allowed)

    with np.errstate(all="ignore"):
        if one.ndim > 1 and same(one.T):
            return "transposed"
        if same(-one):
            return "opposite sign"
        small, large = sorted((one, other), key=lambda block: np.abs(block).max())
        factor = float(np.vdot(small, large) / np.vdot(small, small))
        is_noise = np.abs(small).max() <= 100 * allowed  # which can be multiplied into anything
        if not is_noise and np.abs(large - factor * small).max() <= (1 + abs(factor)) * allowed:
            return f"a factor of {factor:.4g}"
    return ""


def _likely_cause(present: Mapping[str, Quantity], pair: Pair, i: int, allowed: float) -> str:
    one, other = pair
    return find_likely_cause(present[one].block(i), present[other].block(i), allowed)


def agreeing_groups(backends: Sequence[str], apart: Iterable[Pair]) -> tuple[tuple[str, ...], ...]:
    """The backends in groups whose members all agree with each other, the largest group first."""
    differ = {frozenset(pair) for pair in apart}
    rest, groups = list(backends), []
    while rest:
        candidates = (group for size in range(len(rest), 0, -1) for group in combinations(rest, size))
        groups.append(next(g for g in candidates if not any(frozenset(pair) in differ for pair in combinations(g, 2))))
        rest = [backend for backend in rest if backend not in groups[-1]]
    return tuple(groups)


def bitwise_equal(answers: Collection[Mapping[str, Quantity]]) -> bool:
    """Whether all answers are equal to the last bit in whatever they have in common."""
    return all(
        one[name].values.tobytes() == other[name].values.tobytes()
        for one, other in combinations(answers, 2)
        for name in one.keys() & other.keys()
    )
