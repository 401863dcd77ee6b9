"""Which expressions of the way back have to be other than they are, so that what is returned is right.

A value of the way back is put in the place of another one, and what follows from it is computed again: an experiment,
and no likeness. The first run of an expression is tried first, since what is wrong in it is no consequence of what was
wrong a step before. What is found stays in place, and the search goes on for what is still wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...backends.tracing.replay import Rows
from ..jobs import StageProgress
from .derivatives import (
    Candidate,
    Derivative,
    Order,
    all_orders,
    candidates,
    fingerprint,
    last_in_first_out,
    sum_so_far,
    usual_orders,
)
from .findings import Finding, Search, Stopped, is_near
from .parts import carried, parts, returned
from .right_inputs import RightInputs
from .written_program import Written, WrittenProgram

MOST_FINDINGS = 6
MOST_OPERATIONS = 3000
MOST_BESIDE = 64  # runs beside each other


class _Checkpoint(NamedTuple):
    """Where a returned array is made of parts, one for each step: a sum of these is the array."""

    written: Written
    expected: Candidate


class _Found(NamedTuple):
    written: Written
    expected: Candidate
    repairs: tuple[str, ...]
    is_entered_rightly: bool


class Searcher:
    """Looks for the wrong expressions of one program, with loops of one number of runs around that of the steps.

    Args:
        program: whose returned gradients are not all right.
        of_loss: the derivatives of its loss.
        outer: how often such a loop is run.
        progress: is called with what is being done.
    """

    def __init__(
        self, program: WrittenProgram, of_loss: Sequence[Derivative], outer: int, progress: StageProgress
    ) -> None:
        self._program, self._outer, self._progress = program, outer, progress
        self._tolerance = program.tolerance
        self._derivatives = of_loss
        self._inputs = RightInputs(program, self._derivatives)
        self._repaired: dict[int, np.ndarray] = {}
        self._orders: dict[int, tuple[Order, ...]] = {}
        self._confirmed: dict[Order, None] = {}  # in which some expression has the values that it should have
        self._candidates = {written: self._candidates_of(written) for written in program.way_back}
        self._checkpoints = self._find_checkpoints()

    def found(self) -> Search:
        """The expressions, and which arrays they do not put right."""
        found: list[_Found] = []
        while len(found) < MOST_FINDINGS:
            rows, _ = self._run({}, 1)
            right = self._right(rows, (1,))
            if all(units.all() for units in right.values()):
                break
            self._progress(f"looking for the line: {len(found) + 1}")
            best = self._best(rows, right)
            if best is None:
                break
            found.append(best)
            self._repair(found)
        found = self._without_idle(found)
        rows, _ = self._run({}, 1)
        findings = [self._finding(one, rows) for one in found]
        wrong = {
            name: array[0]
            for name, array in self._program.returned(rows, (1,)).items()
            if not self._is_right(name, array[0])
        }
        stopped = {name: one for name, array in wrong.items() if (one := self._stopped(name, array))}
        left = tuple(name for name in wrong if name not in stopped)
        stops = tuple(stopped.values())
        return Search(tuple(findings), left, tuple(self._derivatives), rows, self._program, stops)

    def _repair(self, found: Sequence[_Found]) -> None:
        """Puts the values of findings in their places, and no others."""
        self._repaired = {
            number: value
            for one in found
            for number, value in zip(one.written.numbers, one.expected.values, strict=True)
        }

    def _without_idle(self, found: list[_Found]) -> list[_Found]:
        """The findings without those that the others make needless, such as a part of an expression found later."""
        rows, _ = self._run({}, 1)
        right = self._right(rows, (1,))
        for one in list(found) if len(found) > 1 else ():
            others = [other for other in found if other is not one]
            self._repair(others)
            rows, _ = self._run({}, 1)
            if all((units | ~right[name]).all() for name, units in self._right(rows, (1,)).items()):
                found = others
        self._repair(found)
        return found

    def _stopped(self, name: str, array: np.ndarray) -> Stopped | None:
        """If an array is right but for the parts of some steps, to which no run adds."""
        checkpoint = self._checkpoints.get(name)
        if checkpoint is None or not self._adds_up(name, checkpoint.expected, array):
            return None
        return Stopped(name, checkpoint.written, checkpoint.expected)

    def _finding(self, found: _Found, rows: Rows) -> Finding:
        """With what each run of the expression gives where everything before it is right, as it is in the rows."""
        given = np.stack([self._program.computed(number, rows) for number in found.written.numbers])
        known = found.expected.order in self._confirmed or len(found.expected.order) == 1
        return Finding(
            found.written, found.expected, given, found.repairs, self._tolerance, found.is_entered_rightly, known
        )

    def _candidates_of(self, written: Written) -> list[Candidate]:
        runs = len(written.numbers)
        if runs not in self._orders:
            self._orders[runs] = self._seen_orders(runs)
        found = list(candidates(self._derivatives, written.shape, runs, self._orders[runs], written.numbers))
        found += returned(self._program, written, self._preferred(runs))
        found += parts(self._program, written, self._derivatives, self._orders[runs])
        found += carried(self._program, written, self._derivatives)
        if runs > 1 and any(output.shape == written.shape for output in self._program.outputs.values()):
            summed = [one for one in found if one.derivative.operand is not None and self._is_usual(written, one)]
            found += map(sum_so_far, summed)
        return found

    def _is_usual(self, written: Written, candidate: Candidate) -> bool:
        """Whether the runs are in the order that is meant first: that of the recording, or of loops in loops."""
        backward = last_in_first_out(candidate.derivative.numbers, written.numbers) if self._outer == 1 else None
        return candidate.order == (backward or self._preferred(len(written.numbers)))

    def _preferred(self, runs: int) -> Order:
        """Against the order of time, within each run of the outer loop."""
        outer = self._outer if runs % self._outer == 0 else 1
        return tuple(np.arange(runs).reshape(outer, -1)[:, ::-1].reshape(-1).tolist())

    def _seen_orders(self, runs: int) -> tuple[Order, ...]:
        """The usual orders of so many runs, and those in which some expression has the values that it should have."""
        for written in self._program.way_back:
            if len(written.numbers) != runs:
                continue
            given = self._results(written, self._program.values, ())
            for candidate in candidates(self._derivatives, written.shape, runs, all_orders(runs), written.numbers):
                if is_near(given, candidate.values, self._tolerance):
                    self._confirmed[candidate.order] = None
        seen = [order for order in self._confirmed if sorted(order) == list(range(runs))]
        return tuple(dict.fromkeys((self._preferred(runs), *usual_orders(runs), *seen)))

    def _run(self, results: dict[int, np.ndarray], width: int) -> tuple[Rows, tuple[int, ...]]:
        repaired = {number: np.broadcast_to(value, (width, *value.shape)) for number, value in self._repaired.items()}
        return self._program.run({**repaired, **results}, width)

    def _results(self, written: Written, rows: Rows, leading: tuple[int, ...]) -> np.ndarray:
        """(…, runs, …), what an expression gives."""
        results = [self._program.result(number, rows, leading) for number in written.numbers]
        return np.stack(results, axis=len(leading))

    def _find_checkpoints(self) -> dict[str, _Checkpoint]:
        """By the returned array, the expression whose runs are added up to it."""
        found: dict[str, tuple[tuple[object, ...], _Checkpoint]] = {}
        program = self._program
        for written in program.way_back:
            tried = [one for one in self._candidates[written] if not one.derivative.is_sum]
            if len(written.numbers) < 2 or not tried or self._is_one_call(written):
                continue
            given = self._results(written, program.values, ())
            for first in range(0, len(tried), MOST_BESIDE - 1):
                some = tried[first : first + MOST_BESIDE - 1]
                beside = np.stack([np.zeros_like(given), *(one.values for one in some)])
                results = dict(zip(written.numbers, beside.swapaxes(0, 1), strict=True))
                made = program.with_results(results, len(beside))
                harmless = [
                    all(
                        is_near(made[name][place], program.right[name], self._tolerance)
                        for name in program.returned_right
                    )
                    for place in range(1, len(beside))
                ]
                for name, array in made.items():
                    if array[0].any():  # something else is added to it
                        continue
                    for candidate, total, is_harmless in zip(some, array[1:], harmless, strict=True):
                        if not (is_harmless and self._adds_up(name, candidate, total)):
                            continue
                        if not self._is_summed(name, written, candidate, total):
                            continue
                        pairs = zip(given, candidate.values, strict=True)
                        equal = sum(is_near(one, other, self._tolerance) for one, other in pairs)
                        is_usual = self._is_usual(written, candidate)
                        last = written.numbers[0]  # what comes before it puts the array right, too
                        rank = (len(given), last, equal, is_usual, not candidate.is_transposed)
                        if name not in found or rank > found[name][0]:
                            found[name] = rank, _Checkpoint(written, candidate)
        return {name: checkpoint for name, (_, checkpoint) in found.items()}

    def _is_right(self, name: str, array: np.ndarray) -> bool:
        """Whether a returned array is right."""
        right = self._program.right[name]
        return bool(np.isfinite(array).all()) and bool(
            (np.abs(array - right) <= self._tolerance * self._program.size_of(name)).all()
        )

    def _is_one_call(self, written: Written) -> bool:
        """Whether its runs are steps of one call, such as the two signs in a clip, and no turns of a loop."""
        first, second = written.numbers[:2]
        reached = {first}
        for number in range(first + 1, second + 1):
            operation = self._program.operation(number)
            makers = {maker for operand in operation.operands for maker in self._program.makers_of(operand)}
            if operation.place == written.place and makers & reached:
                reached.add(number)
        return second in reached

    def _adds_up(self, name: str, candidate: Candidate, made: np.ndarray) -> bool:
        """Whether parts have made a returned array, or would with those that are left out."""
        right = self._program.right[name]
        if self._is_right(name, made):
            return True
        parts = candidate.sum_left_out() if candidate.left_out else None
        return parts is not None and parts.shape == made.shape and is_near(made + parts, right, self._tolerance)

    def _is_summed(self, name: str, written: Written, candidate: Candidate, total: np.ndarray) -> bool:
        """Whether an array is made of all parts, of which none is but a step on the way to another one."""
        values = candidate.values
        without = np.repeat(values[:, None], len(values), axis=1)
        without[np.arange(len(values)), np.arange(len(values))] = 0.0
        made = self._program.with_results(dict(zip(written.numbers, without, strict=True)), len(values))[name]
        pairs = zip(made, values, strict=True)
        return not any(is_near(one, total, self._tolerance) for one, part in pairs if part.any())

    def _right(self, rows: Rows, leading: tuple[int, ...]) -> dict[str, np.ndarray]:
        """By the returned array, (…, steps, entries), which numbers are right; of one step where it is not known."""
        right = {}
        for name, array in self._program.returned(rows, leading).items():
            checkpoint = self._checkpoints.get(name)
            if checkpoint is None:
                given, expected = np.expand_dims(array, len(leading)), self._program.right[name][None]
            else:
                given, expected = self._results(checkpoint.written, rows, leading), checkpoint.expected.values
            largest = max(float(np.abs(expected).max(initial=0.0)), self._program.least_size) or 1.0
            is_right = np.abs(given - expected) <= self._tolerance * largest
            right[name] = is_right.reshape((*leading, len(expected), -1))
        return right

    def _best(self, rows: Rows, right: dict[str, np.ndarray]) -> _Found | None:
        """The expression that puts the most arrays right where they are wrong first.

        Of equal ones it is one whose value is not the right one of something else, then one that right values go into,
        then one that puts the most numbers right, then that of the line that goes wrong the earliest, of which the
        whole is meant where a part of it is right for itself; if all are the right value of something else, that of
        the last line.
        """
        first = {name: int(np.argmin(units[0].all(axis=1))) for name, units in right.items() if not units.all()}
        steps = {name: step for name, step in first.items() if right[name].shape[1] > 1}
        earliest = min(steps.values(), default=0)
        at = {name: step for name, step in first.items() if name not in steps or step == earliest}
        best: tuple[tuple[int, ...], _Found] | None = None
        derivatives = self._whole_derivatives(rows)
        for written in self._program.way_back:
            if any(number in self._repaired for number in written.numbers) or self._inputs.is_factor(written):
                continue
            given = self._results(written, rows, (1,))[0]
            wrong = [one for one in self._candidates[written] if not is_near(given, one.values, self._tolerance)]
            if self._inputs.is_of_forward(written):  # that a number such as 1 mends it is no evidence
                wrong = [one for one in wrong if np.ptp(one.values) > 0]
            for candidate in self._screened(written, wrong, given, at, right, earliest):
                results = {number: value[None] for number, value in zip(written.numbers, candidate.values, strict=True)}
                repaired_rows, _ = self._run(results, 1)
                repaired = self._right(repaired_rows, (1,))
                if any((right[name] & ~repaired[name]).any() for name in right):
                    continue
                gained = {name: int((~right[name][0, s] & repaired[name][0, s]).sum()) for name, s in at.items()}
                repairs = tuple(name for name, number in gained.items() if number)
                if candidate.last and {self._program.paths[name] for name in repairs} == {candidate.last}:
                    continue  # the last run alone shows no more than what it returns
                total = sum(int((~right[name] & repaired[name]).sum()) for name in right)
                pairs = zip(given, candidate.values, strict=True)
                run = next(run for run, (one, two) in enumerate(pairs) if not is_near(one, two, self._tolerance))
                is_other = self._is_right_elsewhere(written, given[run], run)
                entered = self._inputs.go_into(written, run, rows)
                score = (
                    len(repairs),
                    is_other < 2,
                    entered,
                    sum(gained.values()),
                    total,
                    self._begins(written, run) * (1 if is_other == 2 else -1),
                    -is_other,
                    written.numbers[run] if is_other else -written.numbers[run],
                )
                is_better = bool(repairs) and (best is None or score > best[0])
                if is_better and self._keeps(derivatives, written, repaired_rows):
                    best = score, _Found(written, candidate, repairs, entered)
        return best and best[1]

    def _whole_derivatives(self, rows: Rows) -> dict[Written, np.ndarray]:
        """The expressions whose values are whole derivatives of something, in all runs, and these."""
        found = {}
        for written in self._program.way_back:
            given = self._results(written, rows, (1,))[0]
            tells = given[0].size > 1 and all(run.any() for run in given)
            wholes = (one for one in self._candidates[written] if self._is_whole(one.derivative))
            if tells and any(is_near(given, one.values, self._tolerance) for one in wholes):
                found[written] = given
        return found

    def _is_whole(self, derivative: Derivative) -> bool:
        """Whether it is all of a derivative; that of a negation, which a wrong sign gives as well, tells nothing."""
        is_negation = any(self._program.operation(one).primitive == "negative" for one in derivative.numbers)
        return derivative.is_whole and not derivative.is_sum and not is_negation

    def _keeps(self, derivatives: dict[Written, np.ndarray], changed: Written, rows: Rows) -> bool:
        """Whether a repair leaves those right that are: what breaks one only cancels later."""
        return all(
            written is changed or is_near(self._results(written, rows, (1,))[0], given, self._tolerance)
            for written, given in derivatives.items()
        )

    def _begins(self, written: Written, run: int) -> int:
        """The number of the first operation of an expression's statement, in one of its runs."""
        statement = written.place and (written.place.code, written.place.statement)
        return min(
            other.numbers[run]
            for other in self._program.way_back
            if len(other.numbers) == len(written.numbers)
            and (other is written or (other.place and (other.place.code, other.place.statement) == statement))
        )

    def _is_right_elsewhere(self, written: Written, given: np.ndarray, run: int) -> int:
        """2 of a value that is the whole derivative of something, 1 of a part of one, else 0."""
        ranks = (
            2 if one.derivative.is_whole else 1
            for one in self._candidates[written]
            if one.derivative.place and not one.derivative.is_sum and is_near(given, one.values[run], self._tolerance)
        )
        return max(ranks, default=0)

    def _screened(
        self,
        written: Written,
        tried: Sequence[Candidate],
        given: np.ndarray,
        at: dict[str, int],
        right: dict[str, np.ndarray],
        step: int,
    ) -> list[Candidate]:
        """Those that put something right if one run alone is changed: that of the first wrong step, or the one before.

        What is carried from step to step is computed a run before it is used.
        """
        last = len(written.numbers) - 1
        runs = {min(step, last), min(max(step - 1, 0), last)}
        if any(name not in self._checkpoints for name in at):
            runs.add(last)
        distinct: dict[tuple[int, bytes], list[Candidate]] = {}
        for candidate in tried:
            for run in runs:
                values = candidate.values[run]
                if not is_near(given[run], values, self._tolerance):
                    distinct.setdefault((run, fingerprint(values)), []).append(candidate)
        passed: dict[int, Candidate] = {}
        for run in runs:
            groups = [group for (of_run, _), group in distinct.items() if of_run == run]
            for start in range(0, len(groups), MOST_BESIDE):
                some = groups[start : start + MOST_BESIDE]
                beside = np.stack([group[0].values[run] for group in some])
                repaired = self._right(*self._run({written.numbers[run]: beside}, len(some)))
                for place, group in enumerate(some):
                    if any((~right[name][0, s] & repaired[name][place, s]).any() for name, s in at.items()):
                        passed |= {id(one): one for one in group}
        return list(passed.values())
