"""Gradients of parts of a loss, such as of each sample or of each step, and what may be done to them one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...backends.tracing.places import Place
from .expressions import Expression
from .forward_pass import ForwardPass, Gradients
from .returned_changes import EPSILONS, Arrays, Likeness, norm, rounded
from .source_text import expression

MOST_PARTS = 64
CLOSE = 1e-9
Parted = Callable[[ForwardPass], list[Gradients]]
Sizes = Callable[[Gradients], Gradients]  # what a bound is held against, of each number


@dataclass(frozen=True, eq=False)
class Whole:
    """A way in which all gradients come about, as it is said.

    Attributes:
        says: in words.
        place: where; None if it is at no one place.
        cost: how far-fetched it is.
        predicted: the gradients that come of it.
    """

    says: str
    place: Place | None
    cost: float
    predicted: Callable[[ForwardPass], Gradients]


def windows(at: ForwardPass) -> Iterator[Whole]:
    """Each part of the loss goes back a number of steps at most.

    Args:
        at: the forward pass.
    """
    longest = max((step.turn + 1 for step in at.steps.values()), default=0)
    if not 1 < longest <= MOST_PARTS or not at.crossings:
        return
    kept: dict[ForwardPass, list[Gradients]] = {}  # for all windows

    def predicted(at: ForwardPass, length: int) -> Gradients:
        if at not in kept:
            kept[at] = _by_age(at, longest)
        by_age = kept[at][:length]
        return {name: np.sum([one[name] for one in by_age], axis=0) for name in by_age[0]}

    for length in range(1, longest):
        steps = "its own step alone" if length == 1 else f"{length} steps, its own among them"
        yield Whole(
            f"the gradient is that of the loss in windows of {length} step{'s' if length > 1 else ''}: "
            f"what each step adds to the loss comes back through {steps}",
            None,
            0.8,
            partial(predicted, length=length),
        )


def _by_age(at: ForwardPass, longest: int) -> list[Gradients]:
    """The gradients by how many borders between steps they have come over."""
    seeds = {dtype: np.zeros((longest, size), dtype) for dtype, size in at.model.sizes.items()}
    seeds[at.model.loss.dtype][0, at.model.loss.number] = 1.0
    return at.from_seeds(seeds, ages=True)


def without_bounds(at: ForwardPass) -> Iterator[Whole]:
    """The gradient of another loss, without a bound or a number that is added.

    Args:
        at: the forward pass.
    """
    by_place: dict[Place, dict[int, int]] = {}
    for one in at.expressions:
        first = at.operation(one.numbers[0])
        if one.primitive not in ("maximum", "add", "subtract") or len(first.operands) != 2:
            continue
        flows = [index for index in (0, 1) if (one.numbers[0], index) in at.reach]
        is_plain = len(flows) == 1 and not first.operands[1 - flows[0]].origin.any()
        if is_plain and first.operands[flows[0]].shape == first.shape and (one.primitive != "subtract" or flows == [0]):
            by_place.setdefault(one.place, {}).update(dict.fromkeys(one.numbers, flows[0]))
    for place, removed in by_place.items():
        yield Whole(
            f"the gradient is that of the loss without {expression(place)}, line {place.line}: without the bound, "
            f"or the number that is added there",
            place,
            0.9,
            lambda at, removed=removed: ForwardPass(at.problem, removed).gradients,  # type: ignore[misc]
        )


def clipped_parts(at: ForwardPass, given: Arrays, like: Likeness) -> Iterator[Whole]:
    """The gradient of each part of the loss is clipped, before they are added up.

    Args:
        at: the forward pass.
        given: the gradients that were returned.
        like: what counts as the same.
    """
    for words, place, parted in partitions(at):
        parts = parted(at)
        total = {name: np.sum([one[name] for one in parts], axis=0) for name in given}
        if not like.all(total, at.gradients):
            continue
        for says, sizes in CLIPS.items():
            for factor in (1.0, float(len(parts))):
                bounds = _bounds(parts, sizes, factor, given, at.gradients)
                for bound in bounds if len(parts) > 1 else ():
                    if like.all(_clipped_sum(parts, sizes, bound, factor), given):
                        mean = ", each being the gradient of a part times their number" if factor > 1 else ""
                        sign = "" if says.endswith("norm") else "±"
                        yield Whole(
                            f"the gradient of each {words}, {says} {sign}{bound:.6g}, before they are added up{mean}",
                            place,
                            0.9 if factor == 1 else 1.0,
                            partial(_predicted, parted=parted, sizes=sizes, bound=bound, factor=factor),
                        )


def _predicted(at: ForwardPass, parted: Parted, sizes: Sizes, bound: float, factor: float) -> Gradients:
    return _clipped_sum(parted(at), sizes, bound, factor)


def _clipped_sum(parts: list[Gradients], sizes: Sizes, bound: float, factor: float) -> Gradients:
    """The sum of parts that are as large as the bound at most, in some measure of their size."""
    total = {name: np.zeros_like(array) for name, array in parts[0].items()}
    for one in parts:
        scaled = {name: factor * array for name, array in one.items()}
        for name, size in sizes(scaled).items():
            total[name] += scaled[name] * np.minimum(1, bound / np.where(size > 0, size, bound))
    return {name: array / factor for name, array in total.items()}


def _bounds(parts: list[Gradients], sizes: Sizes, factor: float, given: Arrays, right: Arrays) -> list[float]:
    """The bounds that give a number that was returned: what is above them has that size, the rest is as it is."""
    name = max(given, key=lambda one: float(np.abs(given[one] - right[one]).max(initial=0.0)))
    entry = int(np.abs(given[name] - right[name]).argmax())
    scaled = [{one: factor * array for one, array in part.items()} for part in parts]
    numbers = np.array([part[name].reshape(-1)[entry] for part in scaled])
    size = np.array([np.broadcast_to(sizes(part)[name], part[name].shape).reshape(-1)[entry] for part in scaled])
    order = np.argsort(size)
    numbers, size = numbers[order], size[order]
    found = []
    for above in range(len(size)):
        if size[above] > 0 and (slope := float((numbers[above:] / size[above:]).sum())):
            bound = (factor * float(given[name].reshape(-1)[entry]) - float(numbers[:above].sum())) / slope
            least = size[above - 1] if above else 0.0
            if least * (1 - CLOSE) < bound < size[above] * (1 - CLOSE):
                found.append(rounded(bound))
    return found


def _of_entries(one: Gradients) -> Gradients:
    return {name: np.abs(array) for name, array in one.items()}


def _norm_of_all(one: Gradients, epsilon: float) -> Gradients:
    return dict.fromkeys(one, np.asarray(norm(list(one.values())) + epsilon))


def _norm_of_each(one: Gradients) -> Gradients:
    return {name: np.asarray(norm([array])) for name, array in one.items()}


CLIPS: dict[str, Sizes] = {
    "is clipped at": _of_entries,
    **{
        f"is clipped{f', with {epsilon:g} added to its norm,' if epsilon else ''} at norm": partial(
            _norm_of_all, epsilon=epsilon
        )
        for epsilon in EPSILONS[:4]
    },
    "is clipped, array by array, at norm": _norm_of_each,
}


def partitions(at: ForwardPass) -> Iterator[tuple[str, Place, Parted]]:
    """The ways in which the loss may be a sum of parts: the terms of a sum in a loop, or along an axis of an array.

    Args:
        at: the forward pass.

    Yields:
        What a part is called, the expression, and what gives the gradients of all parts; whether these add up to the
        gradient is not known yet.
    """
    for one in at.expressions:
        number = one.numbers[0]
        shown = f"{expression(one.place)}, line {one.place.line}"
        if one.primitive in ("add", "subtract") and 1 < len(one.numbers) <= MOST_PARTS:
            of_runs = [_term(at, one, run) for run in range(len(one.numbers))]
            if None not in of_runs:
                yield f"part of the loss, a term of {shown}", one.place, partial(_of_terms, one=one)
        if one.primitive == "sum":
            for axis, size in enumerate(at.operation(number).operands[0].shape):
                if 1 < size <= MOST_PARTS:
                    words = f"sample, along axis {axis} of what is summed in {shown}"
                    yield words, one.place, partial(_along, one=one, axis=axis)


def _term(at: ForwardPass, one: Expression, run: int) -> int | None:
    """Which operand of a run of a sum is what is added: the one that no earlier run made."""
    operands = at.operation(one.numbers[run]).operands
    if len(operands) != 2 or at.operation(one.numbers[run]).shape:
        return None
    makers = [at.makers[operand.dtype][operand.origin].reshape(-1)[0] for operand in operands]
    earlier = [maker in one.numbers for maker in makers]
    if run == 0:
        return _term(at, one, 1)
    return earlier.index(False) if sum(earlier) == 1 else None


def _of_terms(at: ForwardPass, one: Expression) -> list[Gradients]:
    seeds = {dtype: np.zeros((len(one.numbers), size), dtype) for dtype, size in at.model.sizes.items()}
    for run, number in enumerate(one.numbers):
        index = _term(at, one, run)
        assert index is not None
        operand = at.operation(number).operands[index]
        part = at.part((number, index), at.adjoint(number))
        seeds[operand.dtype][run, operand.origin.reshape(-1)] += part.reshape(-1)
    for row in seeds.values():
        row[:, 0] = 0
    return at.from_seeds(seeds)


def _along(at: ForwardPass, one: Expression, axis: int) -> list[Gradients]:
    size = at.operation(one.numbers[0]).operands[0].shape[axis]
    seeds = {dtype: np.zeros((size, count), dtype) for dtype, count in at.model.sizes.items()}
    for number in one.numbers:
        operand = at.operation(number).operands[0]
        if operand.shape[axis : axis + 1] != (size,):
            continue
        part = np.broadcast_to(at.part((number, 0), at.adjoint(number)), operand.shape)
        for index in range(size):
            mine = (slice(None),) * axis + (index,)
            np.add.at(seeds[operand.dtype][index], operand.origin[mine].reshape(-1), part[mine].reshape(-1))
    for row in seeds.values():
        row[:, 0] = 0
    return at.from_seeds(seeds)
