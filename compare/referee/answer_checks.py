"""Whether an answer is fit to be compared: names, shapes, dtype, finite numbers, untouched inputs, in this order.

It fails closed: the first check that is not met is the reason why an answer is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...backends import Evaluation, Problem
from ..answers import expected_shapes
from .results import Failure


def answer_failure(
    backend: str,
    problem: Problem,
    problem_after: Problem,
    answer: Evaluation,
    *,
    overflows: bool = False,
    partial: bool = False,
) -> Failure | None:
    """The first reason to refuse an answer before its values are compared, if there is one.

    Args:
        backend: who answered.
        problem: what was asked.
        problem_after: the copy of the problem that the backend got, as it is after the call.
        answer: what the backend returned.
        overflows: the problem's numbers leave the dtype's range, so that infinities are no mistake.
        partial: gradients and outputs may be left out.

    Returns:
        The first check that failed, in the order of `Kind`; None if the answer is fit.
    """
    outputs = {} if partial and answer.outputs is None else {"outputs": answer.outputs}
    answered: dict[str, Any] = {"gradients": answer.gradients, "outputs": outputs, "adjoints": answer.adjoints}
    optional = ("gradients", "outputs", "adjoints") if partial else ("adjoints",)
    expected = expected_shapes(problem)
    for field, values in answered.items():
        if not isinstance(values, Mapping):
            return Failure(backend, "names", f"{field} is a {type(values).__name__}, expected a dict of arrays by name")

    for field, shapes in expected.items():
        missing = [name for name in shapes if name not in answered[field] and field not in optional]
        unknown = [name for name in answered[field] if name not in shapes]
        if missing or unknown:
            what = f"no {', '.join(map(repr, missing))}" if missing else f"an unknown {unknown[0]!r}"
            return Failure(backend, "names", f"{field} has {what}, expected {', '.join(shapes)}")

    arrays = {
        name if field == "outputs" else f"{field}[{name!r}]": (array, expected[field][name])
        for field in answered
        for name, array in answered[field].items()
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

    changed = _changed(problem, problem_after)
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


def _changed(problem: Problem, problem_after: Problem) -> str:
    """The first array that is no longer what it was, or anything else if there is none such."""
    try:
        before, after = problem.arrays(), problem_after.arrays()
        for name in {**before, **after}:
            if name not in before or name not in after or not _same(before[name], after[name]):
                return name
    except Exception:
        return "the problem"
    return "" if problem_after.model == problem.model else "the model"


def _same(before: np.ndarray, after: np.ndarray) -> bool:
    """Equal, where numbers that diverged along a trajectory are equal too if both are NaN."""
    return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
