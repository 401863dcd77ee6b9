"""What follows from steps that a way back leaves out, and is no fault of the lines where it shows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .derivatives import fitted
from .findings import Finding, Search, Stopped, is_near


def with_consequences(found: Search) -> Search:
    """The same findings, where what is wrong only because steps are left out is set apart.

    Another sum may lack the parts of the same steps; the run behind a missing step lacks what that one carries on; and
    what is returned after the last run is only carried up to a missing first step.

    Args:
        found: what is wrong.

    Returns:
        The findings, the sums and the arrays, each where it belongs.
    """
    left_out = dict.fromkeys(one.expected.left_out for one in found.stopped)
    given = found.program.returned(found.rows, (1,))
    stopped = list(found.stopped)
    carried_to: list[str] = []
    for name in found.left:
        same = [one for one in found.stopped if _lacks(found, given[name][0], name, one.expected.left_out)]
        if same:
            stopped.append(Stopped(name, same[0].written, same[0].expected))
        elif any(_is_of_step(found, given[name][0], steps) for steps in left_out):
            carried_to.append(name)
    behind = [one for one in found.findings if any(_is_behind(one, steps) for steps in left_out)]
    return found._replace(
        findings=tuple(one for one in found.findings if one not in behind),
        behind_missing=tuple(behind),
        left=tuple(name for name in found.left if name not in [*carried_to, *(one.name for one in stopped)]),
        stopped=tuple(stopped),
        carried_to_missing=tuple(carried_to),
    )


def _lacks(found: Search, given: np.ndarray, name: str, steps: tuple[int, ...]) -> bool:
    """Whether an array is right but for the parts of some steps."""
    right, tolerance = found.program.right[name], found.program.tolerance
    return any(
        is_near(values.sum(axis=0), right, tolerance)
        and is_near(given + values[list(steps)].sum(axis=0), right, tolerance)
        for values in _of_steps(found, given.shape, steps)
    )


def _is_of_step(found: Search, given: np.ndarray, steps: tuple[int, ...]) -> bool:
    """Whether an array is what is carried to the last one of the first steps, all of which are left out."""
    last = len(steps) - 1
    return steps == tuple(range(len(steps))) and any(
        is_near(given, values[step], found.program.tolerance)
        for values in _of_steps(found, given.shape, steps)
        for step in (last, last + 1)
        if step < len(values)
    )


def _of_steps(found: Search, shape: tuple[int, ...], steps: tuple[int, ...]) -> Iterator[np.ndarray]:
    """The derivatives of a shape, of each step."""
    for derivative in found.derivatives:
        for _, values in fitted(derivative.values, shape) if len(derivative.values) > max(1, *steps) else ():
            yield values


def _is_behind(finding: Finding, steps: tuple[int, ...]) -> bool:
    """Whether an expression is wrong only in the runs that follow those of missing steps on the way back."""
    order = finding.expected.order
    wrong = [step for step, differs in zip(order, finding.differs, strict=True) if differs]
    return (
        bool(wrong)
        and all(step >= 0 and step + 1 in steps for step in wrong)
        and not finding.expected.derivative.is_sum
    )
