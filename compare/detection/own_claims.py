"""What the localization says, computed once more, apart from the search that found it.

"dh should be dL/d(h), line 12. With this value put there, the way back as it stands gives the right dU" says what is
right with the value put there: that is carried out again, and compared with the program without the slip. It says which
derivative of the loss the value is, too: that is compared with a slope of the loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from ...backends.tracing.primitives import PRIMITIVES
from ...backends.tracing.replay import Floats
from ..localization import Localization, WrittenProgram
from ..localization.derivatives import Candidate, Derivative
from ..localization.search import Search, is_near

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
    """Of what is right with the values put there: before what is done in the end, if that is said to be wrong, too."""
    if not said:
        return
    run, expected = (found.program, found.program.right) if found.afterwards else (program, right)
    values = {
        number: value[None]
        for one in found.findings
        for number, value in zip(one.written.numbers, one.expected.values, strict=True)
    }
    made = {name: array[0] for name, array in run.with_results(values, 1).items()}
    for stop in found.stopped:
        made[stop.name] = made[stop.name] + stop.expected.sum_left_out().reshape(made[stop.name].shape)
    repaired = {name for one in found.findings for name in one.repairs} | {stop.name for stop in found.stopped}
    for name, array in made.items():
        is_right = is_near(array, expected[name], SAME)
        if name in found.left and is_right:
            yield f"{name} is said to be still wrong, and is right"
        if name not in found.left and not is_right:
            yield f"{name} is said to be {'put right' if name in repaired else 'right'}, and is wrong"


def _of_derivatives(found: Search) -> Iterator[str]:
    """Of what the values are said to be the derivatives with respect to."""
    for expected in [*(one.expected for one in found.findings), *(stop.expected for stop in found.stopped)]:
        derivative = expected.derivative
        if derivative.place is None and derivative.path not in found.program.arguments:
            continue  # a part of an array, or several of them: what is returned tells
        of = derivative.path or f"line {derivative.place.line if derivative.place else 0}"
        if not _is_made_of(expected):
            yield f"what should be a derivative with respect to {of} is none of its values"
        elif not is_derivative(found.program, derivative):
            yield f"what is said to be a derivative with respect to {of} is no slope of the loss"


def _is_made_of(expected: Candidate) -> bool:
    """Whether the value of each run is that of a step of the derivative, or their sum so far; 0 beside no step."""
    values = expected.values
    parts = np.diff(values, axis=0, prepend=0 * values[:1]) if expected.derivative.is_sum else values
    steps = [
        expected.derivative.values[step] if step >= 0 else 0 * expected.derivative.values[0] for step in expected.order
    ]
    turned = [(step.T if expected.is_transposed else step).reshape(parts.shape[1:]) for step in steps]
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
        result = PRIMITIVES[operation.primitive].compute(Floats(), *taken, **operation.parameters)
        if number in moved and derivative.operand is None:
            result = result + moved[number]
        rows[operation.dtype][0, operation.start : operation.stop] = np.reshape(result, -1)
    loss = program.model.loss
    return float(rows[loss.dtype][0, loss.number])
