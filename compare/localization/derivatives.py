"""What the loss's own way back gives at every place: the values that somebody's way back should have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...backends.tracing.places import Place
from .source_text import variable
from .written_program import WrittenProgram

Order = tuple[int, ...]  # which step of the loss each run of an expression belongs to


class Derivative(NamedTuple):
    """The derivative of the loss with respect to an expression of it, or its part that comes through one.

    Attributes:
        place: of the expression; None of an argument.
        operand: the number of the operand that it is the derivative with respect to, as far as it comes through this
            expression; None of the whole derivative with respect to the expression's result.
        path: of an argument, how it is reached; else empty.
        values: (runs, …), in the order of the run.
        without: the expression whose part is left out, as what comes from a later step does without the step's own.
        is_sum: whether it is the sum of the steps' parts so far, and no single one.
        numbers: of the operations that it is of, by the run; none of an argument.
    """

    place: Place | None
    operand: int | None
    path: str
    values: np.ndarray
    without: Place | None = None
    is_sum: bool = False
    numbers: tuple[int, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the derivative with respect to a result."""
        return self.place is not None and self.operand is None and self.without is None


class Candidate(NamedTuple):
    """What an expression of the way back may have to be.

    Attributes:
        derivative: of the loss.
        order: which of its runs stands beside each run of the expression; -1 for none, where 0 is expected.
        is_transposed: whether each is to be transposed.
        values: (runs, …), in the order of the expression's runs.
        last: the path of the argument whose derivative is expected in the last run, where that is none of a step.
    """

    derivative: Derivative
    order: Order
    is_transposed: bool
    values: np.ndarray
    last: str = ""

    @property
    def left_out(self) -> tuple[int, ...]:
        """The runs of the loss's expression, from 0, beside which none of the expression stands."""
        return tuple(run for run in range(len(self.derivative.values)) if run not in self.order)

    @property
    def steps(self) -> tuple[Order, ...]:
        """The orders in which an expression's runs may stand beside others of the loss.

        What is carried on to the step before is made of what belongs to the step itself.
        """
        return (self.order, (*self.left_out, *self.order[:-1])) if self.last else (self.order,)

    def sum_left_out(self) -> np.ndarray:
        """What these would add up to, in the shape of the expression."""
        missing = self.derivative.values[list(self.left_out)].sum(axis=0)
        return (missing.T if self.is_transposed else missing).reshape(self.values.shape[1:])


def derivatives(program: WrittenProgram) -> list[Derivative]:
    """All derivatives that a way back may compute, those of whole results first.

    Args:
        program: with the loss.

    Returns:
        They, apart for each shape that the runs of an expression have.
    """
    found: dict[tuple[Any, ...], dict[int, np.ndarray]] = defaultdict(dict)
    for number in program.of_loss:
        operation = program.operation(number)
        if number != program.of_loss[-1]:  # dL/dL is 1
            key = operation.place, operation.primitive, None, operation.shape
            found[key][number] = program.result(number, program.adjoints)
        for operand, part in program.parts(number):
            found[operation.place, operation.primitive, operand, part.shape][number] = part
    listed = [
        Derivative(place, operand, "", np.stack([*values.values()]), numbers=tuple(values))
        for (place, _, operand, _), values in found.items()
    ]
    listed += _without_one_part(program)
    for path, argument in program.arguments.items():
        listed.append(Derivative(None, None, path, program.adjoints[argument.values.dtype][argument.origin][None]))
    # of equal ones the first is kept: what has a name, then what is carried out last, which is the whole of a formula
    numbered = list(enumerate(one for one in listed if one.values.any()))
    return [one for _, one in sorted(numbered, key=lambda pair: (_rank(pair[1]), -pair[0]))]


def _without_one_part(program: WrittenProgram) -> Iterator[Derivative]:
    """Of a result that several expressions take, its derivative apart from what comes back through one of them."""
    operations = {number: program.operation(number) for number in program.of_loss}
    makers = {(one.dtype, one.start): number for number, one in operations.items()}
    parts: dict[tuple[Place | None, str, Place | None], dict[int, np.ndarray]] = defaultdict(dict)
    takers: dict[int, set[Place | None]] = defaultdict(set)
    for number, operation in operations.items():
        for index, part in program.parts(number):
            taken = operation.operands[index]
            maker = None if taken.start is None else makers.get((taken.dtype, taken.start))
            if maker is not None and operations[maker].shape == taken.shape:
                made = operations[maker]
                of_maker = parts[made.place, made.primitive, operation.place]
                of_maker[maker] = of_maker.get(maker, 0.0) + part
                takers[maker].add(operation.place)
    for (place, primitive, without), of_makers in parts.items():
        numbers = [n for n, one in operations.items() if (one.place, one.primitive) == (place, primitive)]
        if max(len(takers[number]) for number in numbers) < 2:
            continue
        by_shape: dict[tuple[int, ...], dict[int, np.ndarray]] = defaultdict(dict)
        for number in numbers:
            rest = program.result(number, program.adjoints) - of_makers.get(number, 0.0)
            by_shape[rest.shape][number] = rest
        for values in by_shape.values():
            yield Derivative(place, None, "", np.stack([*values.values()]), without, numbers=tuple(values))


def _rank(derivative: Derivative) -> int:
    if derivative.without:
        return 3
    if derivative.place is None or derivative.operand is not None:
        return 2
    return 0 if variable(derivative.place)[0] else 1


def candidates(
    all_of_them: Collection[Derivative],
    shape: tuple[int, ...],
    runs: int,
    orders: Collection[Order],
    numbers: Sequence[int] = (),
) -> Iterator[Candidate]:
    """The derivatives that an expression may have to be, by its shape and the number of its runs.

    Args:
        all_of_them: of the loss.
        shape: of the expression's result.
        runs: how often it was carried out.
        orders: of so many runs, which are tried.
        numbers: of its operations; then the order in which they follow those of the loss is tried, too.

    Yields:
        Each set of values once.
    """
    seen: set[bytes] = set()
    for derivative in all_of_them:
        backward = last_in_first_out(derivative.numbers, numbers)
        tried = dict.fromkeys((backward, *orders)) if backward else orders
        short = left_out_in_each(derivative.numbers, numbers) if runs > 1 else ()
        for is_transposed, values in fitted(derivative.values, shape):
            is_carried = derivative.without is not None
            for order in short or _orders(len(values), runs, tried, is_carried=is_carried):
                padded = np.concatenate([values, np.zeros((1, *shape))])  # -1 is the last one
                aligned = padded[list(order)]
                key = fingerprint(aligned)
                if key not in seen:
                    seen.add(key)
                    yield Candidate(derivative, order, is_transposed, aligned)


def fingerprint(values: np.ndarray) -> bytes:
    """What is the same of arrays that are the same up to rounding.

    Args:
        values: (…).
    """
    largest = float(np.abs(values).max(initial=0.0)) or 1.0
    return f"{largest:.9e}".encode() + np.round(values / largest, 10).tobytes()


def sum_so_far(candidate: Candidate) -> Candidate:
    """What an array that parts are added to has after each of them."""
    summed = candidate.derivative._replace(is_sum=True)
    return candidate._replace(derivative=summed, values=np.cumsum(candidate.values, axis=0))


def usual_orders(runs: int) -> tuple[Order, ...]:
    """Against the order of time, and along it."""
    forward = tuple(range(runs))
    return (forward[::-1], forward) if runs > 1 else (forward,)


def last_in_first_out(forward: Sequence[int], back: Sequence[int]) -> Order | None:
    """The order in which each run of the way back takes the last run of the loss that none has taken.

    So the steps of each sample are gone back where the next one begins only then.

    Args:
        forward: the numbers of the loss's operations.
        back: those of as many of the way back.

    Returns:
        The order; None if there is none.

    Example:
        >>> last_in_first_out([0, 1, 4, 5, 6], [2, 3, 7, 8, 9])
        (1, 0, 4, 3, 2)
    """
    if len(forward) != len(back):
        return None
    waiting: list[int] = []
    order = []
    begun = 0
    for number in back:
        while begun < len(forward) and forward[begun] < number:
            waiting.append(begun)
            begun += 1
        if not waiting:
            return None
        order.append(waiting.pop())
    return tuple(order)


def left_out_in_each(forward: Sequence[int], back: Sequence[int]) -> tuple[Order, ...]:
    """The orders of a way back that leaves out the last or the first steps of every sample, of one after another.

    Args:
        forward: the numbers of the loss's operations.
        back: those of fewer of the way back.

    Returns:
        The orders; none if there are no samples, or one.

    Example:
        >>> left_out_in_each([0, 1, 4, 5, 6], [2, 7, 8])
        ((0, 3, 2), (1, 4, 3))
    """
    samples: list[tuple[list[int], list[int]]] = []  # the steps of each, and the runs of its way back
    for number, step in sorted([*zip(forward, range(len(forward)), strict=True), *((number, -1) for number in back)]):
        if step >= 0 and (not samples or samples[-1][1]):
            samples.append(([], []))
        if not samples:
            return ()
        samples[-1][step < 0].append(number if step < 0 else step)
    sizes = [(len(steps), len(runs)) for steps, runs in samples]
    if len(samples) < 2 or len(back) == len(forward) or any(runs > steps for steps, runs in sizes):
        return ()
    without_last = [step for steps, runs in samples for step in steps[: len(runs)][::-1]]
    without_first = [step for steps, runs in samples for step in steps[len(steps) - len(runs) :][::-1]]
    return tuple(without_last), tuple(without_first)


def all_orders(runs: int) -> tuple[Order, ...]:
    """Those of two loops within each other, too, each along its own order or against it.

    Example:
        >>> len(all_orders(2)), (1, 0, 3, 2) in all_orders(4)
        (2, True)
    """
    orders = dict.fromkeys(usual_orders(runs))
    for outer in range(2, runs):
        if runs % outer == 0:
            table = np.arange(runs).reshape(outer, -1)
            for one in (table, table[:, ::-1], table[::-1], table[::-1, ::-1]):
                orders |= dict.fromkeys((tuple(one.reshape(-1).tolist()), tuple(one.T.reshape(-1).tolist())))
    return tuple(orders)


def _orders(available: int, runs: int, orders: Collection[Order], *, is_carried: bool) -> Iterator[Order]:
    """The orders, also where the way back has one run more or less than the loss has.

    What is carried from step to step is that of the step before: in the last run that of none.
    """
    fitting = [order for order in orders if max(order) < available]
    if available == runs:
        yield from fitting
        if is_carried:
            yield from ((*order[1:], -1) for order in usual_orders(runs))
    elif available > runs > 1:  # the first or the last steps are left out
        known = [order for order in fitting if max(order) >= runs]
        yield from known
        for order in usual_orders(available) if not known else ():
            yield order[:runs]
            yield order[-runs:]
    elif available == runs - 1 > 1:
        for order in usual_orders(available):
            yield (*order, -1)
            yield (-1, *order)


def fitted(values: np.ndarray, shape: tuple[int, ...]) -> Iterator[tuple[bool, np.ndarray]]:
    """Values in a shape, where they differ from it by axes of length 1 or by a transposition.

    Args:
        values: (runs, …).
        shape: of one.

    Yields:
        Whether each is transposed, and the values.
    """
    own = values.shape[1:]
    if own == shape:
        yield False, values
    elif [size for size in own if size != 1] == [size for size in shape if size != 1]:
        yield len(own) == 2 and own[::-1] == shape, values.reshape(-1, *shape)
    if len(own) == 2 and own[::-1] == shape and min(own) > 1:
        yield True, values.swapaxes(1, 2)
