"""Changes of the way back through a recorded loss: a rule at all runs of an expression, at some, of other values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ...backends.tracing.places import Place
from .expressions import Expression
from .forward_pass import Edge, ForwardPass, Gradients, Rule, Rules
from .forward_rules import Kind, named, with_line
from .source_text import operand

Predicted = Callable[[ForwardPass], Gradients]
MOST_TURNS = 40  # of a loop; of one that has more, only its first and its last are tried by themselves


@dataclass(frozen=True, eq=False)
class Change:
    """Rules that are others, and what that is called.

    Attributes:
        says: in words.
        place: where; None if it is at no one place.
        cost: how far-fetched it is.
        rules: those that are others.
        within_step: whether only what stays within the same step of the loop differs.
        only: the gradients that differ, of those that would; empty if all do.
    """

    says: str
    place: Place | None
    cost: float
    rules: Rules
    within_step: bool = False
    only: frozenset[str] = frozenset()

    def predicted(self, at: ForwardPass) -> Gradients:
        """The gradients with these rules."""
        changed = at.changed([self.rules], within_step=self.within_step)[0]
        return (
            {name: changed[name] if name in self.only else array for name, array in at.gradients.items()}
            if self.only
            else changed
        )


def at_all_runs(at: ForwardPass, kind: Kind) -> Change:
    """A change of all runs of an expression."""
    return Change(kind.says, kind.place, kind.cost, _rules(at, kind, range(len(kind.expression.numbers))))


def at_some_runs(at: ForwardPass, kinds: Iterable[Kind]) -> list[Change]:
    """Changes of the first or the last turn of a loop alone, of all but these, and from a turn on: the usual first."""
    return sorted((change for kind in kinds for change in _at_some_runs(at, kind)), key=lambda one: one.cost)


def _at_some_runs(at: ForwardPass, kind: Kind) -> Iterator[Change]:
    turns = kind.expression.turns
    longest = max(count for _, count in turns)
    if longest < 2:
        return
    patterns: list[tuple[str, float, Callable[[int, int], bool]]] = [
        (f"at the last of {longest} steps", 0.3, lambda turn, count: turn == count - 1),
        (f"at the first of {longest} steps", 0.3, lambda turn, count: turn == 0),
    ]
    if longest > 2:
        patterns += [
            (f"at all of {longest} steps but the last", 0.4, lambda turn, count: turn < count - 1),
            (f"at all of {longest} steps but the first", 0.4, lambda turn, count: turn > 0),
        ]
    if kind.is_cut and longest <= MOST_TURNS:
        for border in range(2, longest - 1):
            before, after = f"at the first {border} of {longest} steps", f"from step {border + 1} of {longest} on"
            patterns.append((before, 0.5, lambda turn, count, border=border: turn < border))  # type: ignore[misc]
            patterns.append((after, 0.5, lambda turn, count, border=border: turn >= border))  # type: ignore[misc]
        for turn in range(1, longest - 1):
            words = f"at step {turn + 1} of {longest} alone"
            patterns.append((words, 0.6, lambda one, count, turn=turn: one == turn))  # type: ignore[misc]
    for words, cost, holds in patterns:
        runs = [run for run, one in enumerate(turns) if holds(*one)]
        yield Change(f"{kind.says}, {words}", kind.place, kind.cost + cost, _rules(at, kind, runs))


def _rules(at: ForwardPass, kind: Kind, runs: Sequence[int]) -> Rules:
    numbers = [kind.expression.numbers[run] for run in runs]
    indices = range(len(at.operation(numbers[0]).operands)) if kind.which is None else (kind.which,)
    return {(number, index): kind.rule for number in numbers for index in indices if (number, index) in at.reach}


def cuts(at: ForwardPass) -> Iterator[Change]:
    """Nothing comes back from one step of the loop into the one before: at all borders, at one, or at every nth."""
    longest = max((step.turn + 1 for step in at.steps.values()), default=0)
    borders: list[tuple[str, float, Callable[[int], bool]]] = [
        ("nothing comes back from a step into the one before it", 0.7, lambda turn: True),
        ("nothing comes back into the first step from the second", 1.3, lambda turn: turn == 1),
    ]
    for length in range(2, min(longest, MOST_TURNS)):
        words = f"the way back is cut every {length} steps, counted from the first"
        borders.append((words, 1.2, lambda turn, length=length: turn % length == 0))  # type: ignore[misc]
    for border in range(2, min(longest, MOST_TURNS)):
        words = f"nothing comes back from step {border + 1} of {longest} into the one before it"
        borders.append((words, 1.4, lambda turn, border=border: turn == border))  # type: ignore[misc]
    for words, cost, is_cut in borders:
        rules = {edge: _masked(crossing) for edge, crossing in at.crossings.items() if is_cut(at.steps[edge[0]].turn)}
        if rules:
            yield Change(words, None, cost, rules)


def _masked(mask: np.ndarray) -> Rule:
    return lambda at, edge, g: np.where(mask, 0, at.part(edge, g))


def terms(at: ForwardPass) -> Iterator[Change]:
    """The parts that the first or the last steps add to a gradient are missing."""
    longest = max((step.turn + 1 for step in at.steps.values()), default=0)
    if longest < 2:
        return
    patterns: list[tuple[str, float, Callable[[int], bool]]] = []
    for count in range(1, min(longest, MOST_TURNS)):
        steps, cost = ("step is", 0.0) if count == 1 else (f"{count} steps are", 0.2)
        words = f"the part of the {{}} {steps} missing"
        patterns.append((words.format("first"), cost, lambda turn, count=count: turn < count))  # type: ignore[misc]
        patterns.append((words.format("last"), cost, lambda turn, count=count: turn >= longest - count))  # type: ignore[misc]
    arrays = {
        name: {edge: mask for edge in at.reach if edge[0] in at.steps and (mask := _is_of(at, edge, name)).any()}
        for name in at.model.differentiated
    }
    for words, cost, is_missing in patterns:
        every: dict[Edge, Rule] = {}
        for name, masks in arrays.items():
            rules = {edge: _masked(mask) for edge, mask in masks.items() if is_missing(at.steps[edge[0]].turn)}
            every |= rules
            if rules:
                yield Change(f"{words} in d{name}", None, 1.2 + cost, rules)
        if every:
            yield Change(f"{words} in every gradient", None, 1.1 + cost, every)


def _is_of(at: ForwardPass, edge: Edge, name: str) -> np.ndarray:
    """Which numbers of an operand are those of an array that is differentiated by."""
    operand_ = at.operation(edge[0]).operands[edge[1]]
    if operand_.dtype != at.model.dtypes[name]:
        return np.zeros(operand_.shape, bool)
    return np.isin(operand_.origin, at.model.differentiated[name]) & (operand_.origin > 0)


def of_neighbours(at: ForwardPass) -> Iterator[Change]:
    """The other factor of a product, or a result whose derivative is taken, is that of the step after or before."""
    for one in at.expressions:
        if len(one.numbers) < 2 or one.primitive not in ("multiply", "matmul", "divide", "tanh", "sigmoid"):
            continue
        first = at.operation(one.numbers[0])
        shown, place = with_line(at, one.place), named(at, one.place)
        for shift, words in ((1, "next step"), (-1, "step before")):
            if len(first.operands) == 1:
                says = f"the derivative of {shown}, is taken from the {words}"
                yield Change(says, place, 1.3, {(n, 0): _of_run(one, shift) for n in one.numbers})
                continue
            for index in (0, 1):
                edges = [(number, index) for number in one.numbers if (number, index) in at.reach]
                if not edges or not _varies(at, one, 1 - index):
                    continue
                other, to = (operand(one.place, which) for which in (1 - index, index))
                says = (
                    f"{other or 'the other factor'} of the {words} stands for its own, on the way back "
                    f"{f'to {to} ' if to else ''}through {shown}"
                )
                rule = _by_factor(one, shift)
                yield Change(says, place, 1.1, dict.fromkeys(edges, rule))


def _varies(at: ForwardPass, one: Expression, index: int) -> bool:
    first, second = (at.operation(number).operands[index].origin for number in one.numbers[:2])
    return not np.array_equal(first, second)


def _of_run(one: Expression, shift: int) -> Rule:
    runs = dict(zip(one.numbers, range(len(one.numbers)), strict=True))

    def rule(at: ForwardPass, edge: Edge, g: np.ndarray) -> np.ndarray:
        run = min(max(runs[edge[0]] + shift, 0), len(runs) - 1)
        number = one.numbers[run]
        return at.part(edge, g, y=at.result(number), x=at.operands(number))

    return rule


def _by_factor(one: Expression, shift: int) -> Rule:
    runs = dict(zip(one.numbers, range(len(one.numbers)), strict=True))

    def rule(at: ForwardPass, edge: Edge, g: np.ndarray) -> np.ndarray:
        x = at.operands(edge[0])
        run, other = runs[edge[0]] + shift, 1 - edge[1]
        if 0 <= run < len(runs):
            x[other] = at.operands(one.numbers[run])[other]
        elif run == len(runs):
            x[other] = _after(at, edge[0], other)
        return at.part(edge, g, x=x)

    return rule


def _after(at: ForwardPass, number: int, index: int) -> np.ndarray:
    """What an operand would be in one more run: the next result of the expression that makes it, or itself."""
    taken = at.operation(number).operands[index]
    makers = np.unique(at.makers[taken.dtype][taken.origin])
    maker = int(makers[0]) if len(makers) == 1 else -1
    if maker >= 0:
        of_maker = next(one for one in at.expressions if maker in one.numbers)
        later = of_maker.numbers[of_maker.numbers.index(maker) + 1 :]
        operation = at.operation(maker)
        if later and operation.stop - operation.start == taken.origin.size:
            flat = at.result(later[0]).reshape(-1)
            return np.asarray(flat[taken.origin.reshape(-1) - operation.start].reshape(taken.shape))
    return at.operands(number)[index]


def of_other_values(at: ForwardPass) -> Iterator[Change]:
    """The other factor of a product, or a result whose derivative is taken, is another value of the same step."""
    for one in at.expressions:
        number = one.numbers[0]
        shape = at.operation(number).shape
        if one.primitive not in ("multiply", "tanh", "sigmoid") or not shape:
            continue
        for other in at.expressions:
            if len(other.numbers) != len(one.numbers) or at.operation(other.numbers[0]).shape != shape or other is one:
                continue
            pairs = dict(zip(one.numbers, other.numbers, strict=True))
            shown, stands = with_line(at, one.place), f"{with_line(at, other.place)}, stands for"
            if one.primitive != "multiply":
                says = f"{stands} {shown}, in its derivative"
                yield Change(says, named(at, one.place), 1.5, {(n, 0): _by_result(pairs) for n in one.numbers})
                continue
            for index in (0, 1):
                edges = [(n, index) for n in one.numbers if (n, index) in at.reach]
                if edges and at.operation(number).operands[index].shape == shape:
                    factor = operand(one.place, 1 - index) or "the other factor"
                    says = f"{stands} {factor} on the way back through {shown}"
                    yield Change(says, named(at, one.place), 1.5, dict.fromkeys(edges, _times_result(pairs)))


def _by_result(pairs: dict[int, int]) -> Rule:
    return lambda at, edge, g: at.part(edge, g, y=at.result(pairs[edge[0]]), x=[at.result(pairs[edge[0]])])


def _times_result(pairs: dict[int, int]) -> Rule:
    return lambda at, edge, g: g * at.result(pairs[edge[0]])
