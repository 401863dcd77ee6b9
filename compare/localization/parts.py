"""What an expression may have to be whose result is a part of an array, or a whole one that is returned.

The gates of `np.hstack([di, df, do, dg])`, the one number of `dy[label] -= 1`, the steps of `dA[:, t] = …`: each has to
be what stands in its place in the derivative that the array should be.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from ...backends.models.traced import Operand
from .derivatives import Candidate, Derivative, Order, fitted, usual_orders
from .source_text import expression, variable
from .written_program import Written, WrittenProgram


def returned(program: WrittenProgram, written: Written, order: Order) -> Iterator[Candidate]:
    """What an expression has to be each of whose runs makes another returned array, such as one for each layer.

    Args:
        program: the run.
        written: the expression.
        order: in which its runs stand beside those of the loss.
    """
    names = {program.maker_of(output): name for name, output in program.outputs.items()}
    made = [names.get(number) for number in written.numbers]
    if len(made) < 2 or None in made:
        return
    values = np.stack([program.right[str(name)].reshape(written.shape) for name in made])
    path = ", ".join(program.paths[str(name)] for name in made)
    yield Candidate(Derivative(None, None, path, _in_order(values, order)), order, False, values)


def carried(program: WrittenProgram, written: Written, derivatives: Collection[Derivative]) -> Iterator[Candidate]:
    """What an expression has to be that is carried on to the step before, and returned after the last run.

    Args:
        program: the run.
        written: the expression.
        derivatives: of the loss.
    """
    names = {program.maker_of(output): name for name, output in program.outputs.items()}
    name, runs = names.get(written.numbers[-1]), len(written.numbers)
    if name is None or runs < 2 or program.right[name].shape != written.shape:
        return
    for derivative in derivatives:
        for is_transposed, values in fitted(derivative.values, written.shape) if derivative.place else ():
            if len(values) == runs and derivative.operand is None:
                for order in usual_orders(runs):
                    all_runs = np.stack([*values[list(order[1:])], program.right[name]])
                    yield Candidate(derivative, (*order[1:], -1), is_transposed, all_runs, program.paths[name])


def parts(
    program: WrittenProgram, written: Written, derivatives: Collection[Derivative], orders: Sequence[Order]
) -> Iterator[Candidate]:
    """What an expression has to be whose results are put into larger arrays.

    Args:
        program: the run.
        written: the expression.
        derivatives: of the loss.
        orders: of its runs, which are tried.
    """
    wholes = [one for one in derivatives if one.is_whole or one.place is None]
    for shape, places in _places(program, written):
        for derivative in wholes:
            for is_transposed, values in fitted(derivative.values, shape):
                for order in orders if len(values) == len(places) else ():
                    flat = values[list(order)].reshape(len(values), -1)
                    taken = np.take_along_axis(flat, places, axis=1).reshape(-1, *written.shape)
                    of = derivative.path
                    if derivative.place:
                        name, at = variable(derivative.place)
                        of = f"{name or expression(derivative.place).strip('`')}, line {at.line}"
                    part = Derivative(None, None, f"that part of {of}", _in_order(taken, order))
                    yield Candidate(part, order, is_transposed, taken)


def _in_order(values: np.ndarray, order: Order) -> np.ndarray:
    """Values by the run of an expression, by the run of the loss."""
    return values[np.argsort(order)]


def _places(program: WrittenProgram, written: Written) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
    """The shapes of larger arrays that all runs are put into, and the places of their numbers in these, by the run."""
    taken = [
        {
            (taker.place, taker.primitive, index): places
            for taker, index in program.takers_of(number)
            if (places := _of(program, number, taker.operands[index])) is not None
        }
        for number in written.numbers
    ]
    seen = set()
    for key, (shape, _) in taken[0].items():
        if all(key in one and one[key][0] == shape for one in taken):
            of_runs = np.stack([one[key][1] for one in taken])
            if (shape, of_runs.tobytes()) not in seen:
                seen.add((shape, of_runs.tobytes()))
                yield shape, of_runs


def _of(program: WrittenProgram, number: int, operand: Operand) -> tuple[tuple[int, ...], np.ndarray] | None:
    """The shape of an array, and where in it each number of a result stands; None unless it holds all, and others."""
    operation = program.operation(number)
    origin = operand.origin.reshape(-1)
    places = np.flatnonzero((origin >= operation.start) & (origin < operation.stop))
    if len(places) == len(origin) or len(places) != operation.stop - operation.start:
        return None
    order = np.argsort(origin[places], kind="stable")
    found = places[order]
    return (operand.shape, found) if len(np.unique(origin[found])) == len(found) else None
