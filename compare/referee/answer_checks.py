"""Whether an answer is fit to be compared: names, shapes, dtype, finite numbers, untouched inputs, in this order.

It fails closed: each part of an answer is refused for the first check that it does not meet. The rest of the answer is
fit to be compared nevertheless.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ...backends import Evaluation, Problem
from ..answers import expected_shapes
from .results import Failure, FailureKind

IN_ORDER: tuple[FailureKind, ...] = ("error", "names", "shape", "dtype", "non-finite", "mutation")


class Examined(NamedTuple):
    """An answer in two parts.

    Attributes:
        fit: what is fit to be compared; a loss that is not is NaN.
        failures: why the rest was refused, in the order of the checks.
    """

    fit: Evaluation
    failures: tuple[Failure, ...]


def examine(
    backend: str,
    problem: Problem,
    problem_after: Problem,
    answer: Evaluation,
    *,
    overflows: bool = False,
    partial: bool = False,
) -> Examined:
    """Parts an answer into what is fit to be compared, and the reasons to refuse the rest.

    Args:
        backend: who answered.
        problem: what was asked.
        problem_after: the copy of the problem that the backend got, as it is after the call.
        answer: what the backend returned.
        overflows: the problem's numbers leave the dtype's range, so that infinities are no mistake.
        partial: gradients and outputs may be left out.

    Returns:
        Copies of the arrays that are fit, and for each of the others the first check that it failed.
    """
    failures: list[Failure] = []

    def refuse(kind: FailureKind, message: str, name: str = "") -> None:
        failures.append(Failure(backend, kind, message, name))

    has_none = problem.model.output_spec(*problem.leading) is None
    outputs = {} if (partial or has_none) and answer.outputs is None else {"outputs": answer.outputs}
    answered: dict[str, Any] = {"gradients": answer.gradients, "outputs": outputs, "adjoints": answer.adjoints}
    optional = ("gradients", "outputs", "adjoints") if partial else ("adjoints",)
    fit: dict[str, dict[str, np.ndarray]] = {field: {} for field in answered}
    for field, shapes in expected_shapes(problem).items():
        arrays = answered[field]
        if not isinstance(arrays, Mapping):
            refuse("names", f"{field} is a {type(arrays).__name__}, expected a dict of arrays by name")
            continue
        wrong_names = _wrong_names(arrays, shapes, must_be_complete=field not in optional)
        if wrong_names:
            refuse("names", f"{field} has {wrong_names}, expected {', '.join(shapes) or 'none'}")
        for name, shape in shapes.items():
            if name not in arrays:
                continue
            label = name if field == "outputs" else f"{field}[{name!r}]"
            dtype = problem.differentiable[name].dtype if field == "gradients" else problem.dtype
            fault = _fault_of_array(label, arrays[name], shape, dtype, overflows=overflows)
            if fault:
                refuse(*fault, name if field == "gradients" else "")
            else:
                fit[field][name] = arrays[name].copy()  # the next call may write its answer into the same arrays
    fault = _fault_of_loss(answer.loss, overflows=overflows)
    if fault:
        refuse(*fault, "loss")
    changed = _changed(problem, problem_after)
    if changed:
        refuse("mutation", f"it changed {changed}, which it was given")
    loss = float("nan") if fault else answer.loss
    evaluation = Evaluation(loss, fit["gradients"], fit["outputs"].get("outputs"), fit["adjoints"])
    return Examined(evaluation, tuple(sorted(failures, key=lambda failure: IN_ORDER.index(failure.kind))))


def _wrong_names(arrays: Mapping[Any, Any], shapes: Mapping[str, Any], *, must_be_complete: bool) -> str:
    """Which names are missing, or which are unknown."""
    missing = [repr(name) for name in shapes if name not in arrays] if must_be_complete else []
    unknown = [repr(name) for name in arrays if name not in shapes]
    what = [f"no {', '.join(missing)}"] if missing else []
    what += [f"an unknown {', '.join(unknown)}"] if unknown else []
    return " and ".join(what)


def _fault_of_array(
    label: str, array: object, shape: tuple[int, ...], dtype: np.dtype, *, overflows: bool
) -> tuple[FailureKind, str] | None:
    """The first check that an array fails, and what is wrong with it."""
    if type(array) is not np.ndarray:  # a masked array, say, would hide entries from the comparison
        return "dtype", f"{label} is a {type(array).__name__}, expected a NumPy array"
    if array.shape != shape:
        hint = ": the shape of its transpose" if array.shape == shape[::-1] else ""
        return "shape", f"{label} has shape {array.shape}, expected {shape}{hint}"
    if array.dtype != dtype:
        return "dtype", f"{label} is {array.dtype}, expected {dtype}"
    return _fault_of_numbers(label, array, overflows=overflows)


def _fault_of_loss(loss: object, *, overflows: bool) -> tuple[FailureKind, str] | None:
    if not isinstance(loss, float):
        return "dtype", f"loss is a {type(loss).__name__}, expected a float"
    return _fault_of_numbers("loss", np.asarray(loss), overflows=overflows)


def _fault_of_numbers(label: str, array: np.ndarray, *, overflows: bool) -> tuple[FailureKind, str] | None:
    infinite = ~np.isfinite(array)
    if overflows or not infinite.any():
        return None
    index = tuple(int(i) for i in np.argwhere(infinite)[0])
    return "non-finite", f"{label}{list(index) or ''} is {array[index]}"


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


def _same(before: np.ndarray, after: object) -> bool:
    """Equal, where numbers that diverged along a trajectory are equal too if both are NaN."""
    if type(after) is not np.ndarray or after.dtype != before.dtype:  # such as a value that JAX or PyTorch traces
        return False
    return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
