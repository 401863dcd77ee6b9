"""What the localization says, computed once more, apart from the search that found it.

"dh should be dL/d(h), line 12. With this value put there, the way back as it stands gives the right dU" says what is
right with the value put there: that is carried out again, and compared with the program without the slip. It says which
derivative of the loss the value is, too: that is compared with a slope of the loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ...backends.tracing.primitives import PRIMITIVES
from ..localization import Localization, WrittenProgram
from ..localization.derivatives import Candidate, Derivative
from ..localization.findings import Search, Stopped, is_near

SAME = 1e-8  # of the largest number of a gradient: far above the roundings of these programs, far below a slip
STEP = 1e-5  # of the central difference, whose error is its square
NEAR = 1e-6  # of the length of a derivative: how exact its slope is
ROUNDING = 1e-9  # of the loss: what a rounding of it becomes, divided by a step
SEED = 0  # of the direction


def contradicted(
    found: Search, program: WrittenProgram, said: Localization, right: Mapping[str, np.ndarray]
) -> tuple[str, ...]:
    """What is said of a program, and is not so.

    Args:
        found: what the search found.
        program: the whole run.
        said: the same in words.
        right: by the names of the program's outputs, the gradients of the program without a slip.

    Returns:
        A sentence for each contradiction.
    """
    return (*_of_what_is_returned(found, program, said, right), *_of_derivatives(found))


def _of_what_is_returned(
    found: Search, program: WrittenProgram, said: Localization, right: Mapping[str, np.ndarray]
) -> Iterator[str]:
    """Of what is right with the values put there: before what is done in the end, if something is."""
    if not said:
        return
    expected = found.program.right if found.afterwards or found.mean else right
    lacking: dict[str, list[Stopped]] = {}
    for stop in found.stopped:
        lacking.setdefault(stop.name, []).append(stop)
    wrong = {*found.left, *found.carried_to_missing}
    for name, array in found.returned_by(found.program).items():
        is_right = is_near(array, expected[name], SAME)
        if name in lacking:
            if not _is_lacking(found, lacking[name], expected[name] - array):
                yield f"the parts of some steps are said to be missing of {name}, and it lacks something else"
        elif name in wrong and is_right:
            yield f"{name} is said to be still wrong, and is right"
        elif name not in wrong and not is_right:
            yield f"{name} is said to be right, and is wrong"
    if found.mean and not found.afterwards:
        units = found.units.factor if found.units else 1.0  # of the gradients of another loss
        for name, array in found.returned_by(program).items():
            if name not in {*lacking, *wrong} and not is_near(units * array, right[name], SAME):
                yield f"{name} is said to be right in the end, and is wrong"


def _is_lacking(found: Search, stops: Sequence[Stopped], lacks: np.ndarray) -> bool:
    """Whether what an array lacks is made up of the parts of the steps that are said to be missing.

    Args:
        found: what the search found.
        stops: the sums that lack steps; a flat buffer holds several of them, one behind the other.
        lacks: of all of it.
    """
    rest = lacks.reshape(-1).copy()
    for stop in stops:
        for derivative, part in _of_steps(found, stop.expected.left_out):
            places = [
                place
                for place in range(rest.size - part.size + 1)
                if is_near(rest[place : place + part.size], part, SAME)
            ]
            if part.any() and places and is_derivative(found.program, derivative):
                rest[places[0] : places[0] + part.size] = 0
                break
    return bool((np.abs(rest) <= SAME * np.abs(lacks).max(initial=0.0)).all())


def _of_steps(found: Search, steps: Sequence[int]) -> Iterator[tuple[Derivative, np.ndarray]]:
    """The derivatives, and what each has of some steps, in a row."""
    for derivative in found.derivatives:
        if len(derivative.values) > max(steps):
            part = derivative.values[list(steps)].sum(axis=0)
            yield derivative, part.reshape(-1)
            yield derivative, part.T.reshape(-1)


def _of_derivatives(found: Search) -> Iterator[str]:
    """Of what the values are said to be the derivatives with respect to."""
    for expected in (one.expected for one in found.findings):
        derivative = expected.derivative
        if derivative.place is None and derivative.path not in found.program.arguments:
            continue  # a part of an array, or several of them: what is returned tells
        of = derivative.path or f"line {derivative.place.line if derivative.place else 0}"
        if not _is_made_of(found.program, expected):
            yield f"what should be a derivative with respect to {of} is none of its values"
        elif not is_derivative(found.program, derivative):
            yield f"what is said to be a derivative with respect to {of} is no slope of the loss"


def _is_made_of(program: WrittenProgram, expected: Candidate) -> bool:
    """Whether the value of each run is that of a step of the derivative, or their sum so far; 0 beside no step."""
    values = expected.values
    parts = np.diff(values, axis=0, prepend=0 * values[:1]) if expected.derivative.is_sum else values
    steps = [
        expected.derivative.values[step] if step >= 0 else 0 * expected.derivative.values[0] for step in expected.order
    ]
    turned = [(step.T if expected.is_transposed else step).reshape(parts.shape[1:]) for step in steps]
    if expected.last:  # what the last run gives is returned
        turned[-1] = values[-1]
        if not is_derivative(program, Derivative(None, None, expected.last, values[-1:])):
            return False
    return is_near(parts, np.stack(turned), SAME)


def is_derivative(program: WrittenProgram, derivative: Derivative) -> bool:
    """Whether the loss changes as a derivative says, where what is on its line is moved in a direction, in all runs.

    Args:
        program: the run.
        derivative: what is said.
    """
    if any(program.operation(number).place != derivative.place for number in derivative.numbers):
        return False
    directions = np.random.default_rng(SEED).normal(size=derivative.values.shape)
    ahead, behind = (_loss_at(program, derivative, step * directions) for step in (STEP, -STEP))
    said = float((derivative.values * directions).sum())
    lengths = float(np.linalg.norm(derivative.values) * np.linalg.norm(directions))
    return abs((ahead - behind) / (2 * STEP) - said) <= NEAR * lengths + ROUNDING * max(1.0, abs(ahead))


def _loss_at(program: WrittenProgram, derivative: Derivative, moves: np.ndarray) -> float:
    """The loss where what it is differentiated by is moved.

    Args:
        program: the run.
        derivative: tells what that is: an argument, results, or operands as single expressions take them.
        moves: (runs, …), how far.
    """
    rows = {dtype: row[None].copy() for dtype, row in program.values.items()}
    moved = dict(zip(derivative.numbers, moves, strict=False))  # no results are moved for an argument
    makers = {(program.operation(one).dtype, program.operation(one).start): one for one in moved}
    if derivative.place is None:
        argument = program.arguments[derivative.path]
        rows[argument.values.dtype][0, argument.origin] += moves[0]
    for number in program.of_loss:
        operation = program.operation(number)
        taken = [program.taken(operand, rows) for operand in operation.operands]
        if derivative.without is not None and operation.place == derivative.without:
            for index, operand in enumerate(operation.operands):
                maker = makers.get((operand.dtype, operand.start or 0))
                if maker is not None and program.operation(maker).shape == operand.shape:
                    taken[index] = taken[index] - moved[maker]
        if number in moved and derivative.operand is not None:
            taken[derivative.operand] = taken[derivative.operand] + moved[number]
        result = PRIMITIVES[operation.primitive].compute(program.beside(), *taken, **operation.parameters)
        if number in moved and derivative.operand is None:
            result = result + moved[number]
        rows[operation.dtype][0, operation.start : operation.stop] = np.reshape(result, -1)
    loss = program.model.loss
    return float(rows[loss.dtype][0, loss.number])
