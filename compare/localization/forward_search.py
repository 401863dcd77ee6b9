"""Which change of the way back through the recorded loss gives the gradients that were returned.

Nothing is needed but the gradients: how a function came to them need not be known. A change is told only if it gives
all of them, at other numbers too. Of changes that are the same at all numbers that were tried, the simplest comes
first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice

import numpy as np

from ...backends import Problem
from ...backends.tracing.closeness import moved
from ...backends.tracing.places import Place
from ..jobs import StageProgress
from .forward_changes import Change, at_all_runs, at_some_runs, cuts, of_neighbours, of_other_values, terms
from .forward_pass import NEAR, ForwardPass, Gradients
from .forward_rules import kinds
from .loss_parts import Whole, clipped_parts, windows, without_bounds
from .returned_changes import Arrays, Likeness, Returned, explanations

Asked = Callable[[Arrays, float], Arrays | None]  # what is returned at other numbers of the arrays, and at their loss
MOST_WORK = 1e4  # operations that each kind of search carries out, each for some changes beside each other
MOST_NUMBERS = 4e6  # of all changes beside each other
MOST_BESIDE = 64
OTHERS = 2  # sets of numbers at which what is told has to hold, too
MOST_TRIED = 40  # of those that give the gradients, which are tried at other numbers
MOST_FIRST = 4  # changes of a part of the gradients to which another one is sought
MOST_CHANGES = 3
USUAL = 1.0  # the cost of the changes of which any two are tried


@dataclass(frozen=True, eq=False)
class Explanation:
    """What gives the gradients that were returned.

    Attributes:
        changes: what differs on the way back.
        returned: what was done to the gradients afterwards.
    """

    changes: tuple[Change | Whole, ...] = ()
    returned: Returned | None = None

    @property
    def cost(self) -> float:
        """How far-fetched it is."""
        return sum(one.cost for one in self.changes) + (self.returned.cost if self.returned else 0.0)

    @property
    def says(self) -> tuple[str, ...]:
        """In words, what comes first on the way back first."""
        return (*(one.says for one in self.changes), *((self.returned.says,) if self.returned else ()))

    @property
    def place(self) -> Place | None:
        """Where the first of it is."""
        return next((one.place for one in self.changes if one.place), None)

    def predicted(self, at: ForwardPass) -> Gradients:
        """The gradients that come of it."""
        gradients = at.gradients
        for one in self.changes:
            if isinstance(one, Change) and one.only:
                gradients = gradients | {name: one.predicted(at)[name] for name in one.only}
            elif isinstance(one, Change) and one is not self.changes[-1]:
                at = at.with_rules(one.rules)
                gradients = at.gradients
            else:
                gradients = one.predicted(at)
        params = {name: np.asarray(array) for name, array in at.problem.params.items()}
        return self.returned.done(gradients, params) if self.returned else gradients


def explained(
    problem: Problem, given: Arrays, ask: Asked, progress: StageProgress = lambda stage: None
) -> tuple[Explanation, ...]:
    """Looks for what gives the gradients that were returned.

    Args:
        problem: a recorded loss.
        given: by the names of the problem's arrays, the gradients that were returned.
        ask: gives these at other numbers of the arrays, where the recorded loss is so much; None where the function
            fails, or its loss is another one.
        progress: is called with what is being done.

    Returns:
        All that give them, here and at other numbers, the simplest first; none if they are right, or nothing does.
    """
    return _Explaining(problem, given, ask, progress).found()


class _Explaining:
    def __init__(self, problem: Problem, given: Arrays, ask: Asked, progress: StageProgress) -> None:
        self._problem, self._given, self._ask, self._progress = problem, given, ask, progress
        self._at = ForwardPass(problem)
        self._like = Likeness(NEAR[problem.dtype])
        self._params = {name: np.asarray(array) for name, array in problem.params.items()}
        self._work = 0.0
        self._others: list[tuple[ForwardPass, Arrays]] | None = None

    def found(self) -> tuple[Explanation, ...]:
        """See `explained`."""
        at, given = self._at, self._given
        everything = [*at.gradients.values(), *given.values()]
        if not all(np.isfinite(array).all() for array in everything) or self._like.all(at.gradients, given):
            return ()
        stages = (
            self._simple,
            self._at_steps,
            self._with_other_values,
            self._one_by_one,
            self._and_returned,
            self._and_windows,
            self._pairs,
        )
        for stage in stages:
            self._work = 0.0
            if found := self._confirmed(stage()):
                return found
        return ()

    def _confirmed(self, candidates: Iterable[Explanation]) -> tuple[Explanation, ...]:
        """Those of some that hold at other numbers, too, the simplest first; each statement once."""
        listed = sorted(candidates, key=lambda one: one.cost)[:MOST_TRIED]
        if not listed:
            return ()
        held = {frozenset(one.says): one for one in reversed(listed) if self._holds(one)}
        return tuple(sorted(held.values(), key=lambda one: one.cost))

    def _holds(self, one: Explanation) -> bool:
        if self._others is None:
            self._others = self._at_other_numbers()
        places = [(self._at, self._given), *self._others]
        return len(places) > 1 and all(self._like.all(one.predicted(at), given) for at, given in places)

    def _at_other_numbers(self) -> list[tuple[ForwardPass, Arrays]]:
        """The forward pass and what is returned where the arrays are a little, and further, from where they are."""
        self._progress("asking at other numbers")
        found: list[tuple[ForwardPass, Arrays]] = []
        rng = np.random.default_rng(0)
        for part, keeps_form in ((1e-2, False), (1e-2, False), (1e-2, True), (1e-2, True), (1e-4, True), (1e-4, True)):
            if len(found) == OTHERS:
                break
            numbers = {name: moved(one, part, rng, keeps_form=keeps_form) for name, one in self._params.items()}
            at = ForwardPass(replace(self._problem, params=numbers))
            returned = None if at.has_other_decisions else self._ask(numbers, at.loss)
            if returned is not None and all(np.isfinite(array).all() for array in returned.values()):
                found.append((at, returned))
        return found

    def _simple(self) -> Iterator[Explanation]:
        """What was done in the end; one rule at all its runs; windows, another loss, parts that are clipped."""
        at, given, like = self._at, self._given, self._like
        self._progress("looking at what was returned")
        for returned in explanations(at.gradients, given, self._params, like):
            yield Explanation((), returned)
        self._all_runs = [at_all_runs(at, kind) for kind in kinds(at)]
        yield from self._that_fit([*self._all_runs, *cuts(at)])
        for whole in (*windows(at), *without_bounds(at), *clipped_parts(at, given, like)):
            if like.all(whole.predicted(at), given):
                yield Explanation((whole,))

    def _at_steps(self) -> Iterator[Explanation]:
        """One rule at some of its runs; or for some of the gradients alone; parts of steps that are missing."""
        self._progress("looking at single steps")
        at = self._at
        yield from self._that_fit([*terms(at), *of_neighbours(at)])
        yield from self._that_fit(at_some_runs(at, kinds(at)))

    def _with_other_values(self) -> Iterator[Explanation]:
        """Other values in the place of factors; changes that reach the gradients within the same step alone."""
        self._progress("looking at other values")
        yield from self._that_fit(of_other_values(self._at))
        yield from self._of_some_gradients()

    def _of_some_gradients(self) -> Iterator[Explanation]:
        """Changes of what a step adds to some gradients alone: at most two of them, each of its own gradients."""
        wrong = self._given.keys() - self._like.right(self._at.gradients, self._given)
        direct = [*self._all_runs, *of_neighbours(self._at), *of_other_values(self._at)]
        by_arrays: dict[frozenset[str], Change] = {}
        for change, predicted in self._predictions(self._at, (replace(one, within_step=True) for one in direct)):
            names = frozenset(self._like.right(predicted, self._given) & wrong)
            if names:
                says = f"{change.says}, in {', '.join(f'd{name}' for name in sorted(names))} alone"
                told = replace(change, only=names, says=says, cost=change.cost + 0.3)
                if names == wrong:
                    yield Explanation((told,))
                elif names not in by_arrays or told.cost < by_arrays[names].cost:
                    by_arrays[names] = told
        for first, second in combinations(by_arrays.items(), 2):
            if first[0] | second[0] == wrong and not first[0] & second[0]:
                yield Explanation((first[1], second[1]))

    def _and_returned(self) -> Iterator[Explanation]:
        """One rule, and something that was done in the end."""
        self._progress("looking at what was returned, with one change")
        changes = [*self._all_runs, *cuts(self._at), *of_neighbours(self._at)]
        for change, predicted in self._predictions(self._at, changes):
            for returned in explanations(predicted, self._given, self._params, self._like):
                yield Explanation((change,), returned)

    def _one_by_one(self) -> Iterator[Explanation]:
        """Several changes, each of which puts some more gradients right and none wrong."""
        self._progress("looking at several changes")
        at, given, like = self._at, self._given, self._like
        changes = [*self._all_runs, *of_neighbours(at), *cuts(at)]
        before: list[tuple[Change, ...]] = [()]
        for _ in range(MOST_CHANGES):
            better: list[tuple[int, float, tuple[Change, ...]]] = []
            for chosen in before:
                changed = at.with_rules({edge: rule for one in chosen for edge, rule in one.rules.items()})
                right = like.right(changed.gradients, given)
                for change, predicted in self._predictions(changed, changes):
                    now = like.right(predicted, given)
                    if now > right and not any(change.rules.keys() & one.rules.keys() for one in chosen):
                        together = (*chosen, change)
                        better.append((-len(now), sum(one.cost for one in together), together))
                        if now == given.keys():
                            yield Explanation(together)
            before = [one for _, _, one in sorted(better, key=lambda one: one[:2]) if one][:MOST_FIRST]

    def _pairs(self) -> Iterator[Explanation]:
        """Any two of the usual changes."""
        usual = [one for one in self._all_runs if one.cost <= USUAL]
        for change in usual:
            changed = self._at.with_rules(change.rules)
            for second, predicted in self._predictions(changed, usual):
                if self._like.all(predicted, self._given) and not second.rules.keys() & change.rules.keys():
                    yield Explanation((change, second))

    def _and_windows(self) -> Iterator[Explanation]:
        """One rule, and windows."""
        if not self._at.crossings:
            return
        for change in (one for one in self._all_runs if one.cost <= USUAL):
            self._work += len(self._at.model.operations)
            if self._work > MOST_WORK:
                return
            changed = self._at.with_rules(change.rules)
            for window in windows(changed):
                if self._like.all(window.predicted(changed), self._given):
                    yield Explanation((change, window))

    def _that_fit(self, changes: Iterable[Change]) -> Iterator[Explanation]:
        right = self._like.right(self._at.gradients, self._given)
        wrong = self._given.keys() - right

        def may_be(change: Change) -> bool:
            reached = frozenset[str]().union(*(self._at.reach[edge] for edge in change.rules))
            return wrong <= reached

        for change, predicted in self._predictions(self._at, filter(may_be, changes)):
            if self._like.all(predicted, self._given):
                yield Explanation((change,))

    def _predictions(self, at: ForwardPass, changes: Iterable[Change]) -> Iterator[tuple[Change, Gradients]]:
        """The gradients with each change, as many beside each other as are worth it, until that is too much work."""
        size = sum(at.model.sizes.values())
        beside = int(np.clip(MOST_NUMBERS / size, 1, MOST_BESIDE))
        by_kind: dict[bool, list[Change]] = {False: [], True: []}
        waiting = iter(changes)
        while batch := list(islice(waiting, beside)):
            for within_step in by_kind:
                chosen = [one for one in batch if one.within_step == within_step]
                if not chosen:
                    continue
                self._work += len(at.model.operations)
                if self._work > MOST_WORK:
                    return
                rules: Sequence = [one.rules for one in chosen]
                yield from zip(chosen, at.changed(rules, within_step=within_step), strict=True)
