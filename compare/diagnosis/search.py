"""The diagnosis: which mistake of the catalogue gives the wrong gradient that was handed in.

Every mistake is made, on the very problems on which the answer is wrong; the one whose wrong answer is the one that was
handed in is named. How close the two have to be is measured, as everywhere, by stochastic arithmetic.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...backends import Evaluation, Problem, Recurrent
from ..answers import Quantity, gradient_name, quantities
from ..mistakes import (
    MISTAKES,
    Diagnosis,
    Mistake,
    Suspect,
    Values,
    Variant,
    attempt,
    has_lines,
    run,
    together,
    values_of,
)
from ..referee import Comparison
from ..tolerance import MAX_RELATIVE_TOLERANCE, measure_rounding

NEAR = 1e-3  # of the deviation, or of a right block: worth a measurement
ROUNDED = 1e3  # units in the last place of that: nearer than this, rounding may be what is left
DIAGNOSIS_PROBES = 3  # of a measurement
AS_TIGHT = 1e3  # evidence is as good as other evidence if its tolerance is within this factor
COARSE = 0.05  # how far differences may be from the derivative
SMALL_NOISE, LARGE_NOISE = 0.05, 100.0  # in units of float32's rounding, as a root mean square
MOST_PARTLY = 5
MOST_MEASURED = 15


class _Submission:
    """What was handed in on one problem, beside what is right."""

    def __init__(self, problem: Problem, answered: Values, wrong: frozenset[str]) -> None:
        self.problem, self.answered, self.wrong = problem, answered, wrong
        self.right = run(problem).values
        self.largest = {name: _largest(array) for name, array in self.right.items()}

    def near(self, variant: Variant) -> frozenset[str]:
        """What a variant seems to give, before it is measured: of what is wrong, the deviation itself."""
        if variant.recognizes:
            return self._near_right() if variant.recognizes(self.answered, self.problem) else frozenset()
        if variant.rounds_more and not self._is_noise():
            return frozenset()
        predicted = attempt(variant, self.problem)
        if predicted is None:
            return frozenset()
        found = set()
        for name, array in self.answered.items():
            if array.shape != predicted[name].shape:
                continue
            limit = NEAR * max(self.largest[name], _largest(array))
            if name in self.wrong and not variant.rounds_more:
                limit = NEAR * _largest(array - self.right[name]) + ROUNDED * float(np.spacing(limit))
            if _largest(array - predicted[name].astype("f8")) <= limit:
                found.add(name)
        return frozenset(found)

    def _near_right(self) -> frozenset[str]:
        """What differs little from what is right, such as what was got in a coarser way; the loss has to be right."""
        parts = dict.fromkeys(self.answered, COARSE) | {"loss": COARSE if "loss" in self.wrong else 1e-6}
        return frozenset(
            name
            for name, array in self.answered.items()
            if array.shape == self.right[name].shape
            and _largest(array - self.right[name].astype("f8")) <= parts[name] * self.largest[name]
        )

    def _is_noise(self) -> bool:
        """Whether the deviation of whatever is wrong is of the size of float32's rounding, in most of its entries."""
        unit = float(np.finfo("f4").eps)
        for name in self.wrong & self.answered.keys():
            apart = np.abs(self.answered[name] - self.right[name].astype("f8")) / (unit * self.largest[name])
            spread = float(np.sqrt((apart**2).mean()))
            if not (SMALL_NOISE <= spread <= LARGE_NOISE and (apart > SMALL_NOISE / 100).mean() > 0.5):
                return False
        return True

    def is_changed_by(self, variant: Variant) -> bool:
        """Whether a variant makes a difference on this problem."""
        predicted = attempt(variant, self.problem)
        return predicted is not None and any(
            _largest(predicted[name] - array) > ROUNDED * float(np.spacing(self.largest[name]))
            for name, array in self.right.items()
        )

    def measured(self, variant: Variant) -> dict[str, float]:
        """What a variant gives to the last digits, each with the part of its block by which rounding may move it."""
        if variant.recognizes:
            return dict.fromkeys(self.near(variant), float(np.finfo(self.problem.dtype).eps))
        predicted = attempt(variant, self.problem)
        if predicted is None:
            return {}
        tolerance = measure_rounding(
            self.problem, lambda on: self._quantities(variant.predict(on)), probes=DIAGNOSIS_PROBES
        )
        given, of_form = self._quantities(self.answered), self._quantities(predicted)
        found = {}
        for name, quantity in self._names().items():
            apart = np.abs(given[quantity].blocks.astype("f8") - of_form[quantity].blocks).max(axis=1)
            if (apart <= tolerance.allowed[quantity]).all():
                scale = tolerance.scale[quantity]
                parts = np.where(scale > 0, tolerance.allowed[quantity] / scale, np.finfo(self.problem.dtype).eps)
                found[name] = float(parts.min())
        return found

    def _names(self) -> dict[str, str]:
        """What was handed in, with the name of its quantity."""
        quantity = quantity_names(self.problem)
        return {name: quantity[name] for name in self.answered}

    def _quantities(self, values: Values) -> dict[str, Quantity]:
        gradients = {name: array for name, array in values.items() if name != "loss"}
        return quantities(Evaluation(float(values.get("loss", np.nan)), gradients, None), self.problem)


@dataclass(frozen=True, eq=False)
class _Candidate:
    """Mistakes, a variant of each, and what they seem to give on the first problem."""

    mistakes: tuple[Mistake, ...]
    variants: tuple[Variant, ...]
    near: frozenset[str]

    @property
    def variant(self) -> Variant:
        return self.variants[0] if len(self.variants) == 1 else together(*self.variants)

    def called(self) -> tuple[str, ...]:
        pairs = zip(self.mistakes, self.variants, strict=True)
        return tuple(
            f"{mistake.name}: {variant.words}" if variant.words else mistake.name for mistake, variant in pairs
        )


def diagnosed(comparison: Comparison) -> Comparison:
    """The comparison with a diagnosis of each backend that is wrong, or that differs if nobody knows who is wrong."""
    accused = {
        name: answer
        for name, answer in comparison.answers.items()
        if isinstance(answer, Evaluation) and any(block.is_wrong(name) for block in comparison.blocks)
    }
    unsure = not any(block.outliers for block in comparison.blocks if block.verdict == "disagree")
    diagnoses = {
        name: diagnose([(comparison.problem, values_of(answer))], wrong_values([comparison], name))
        for name, answer in accused.items()
        if not (unsure and name == "manual")
    }
    return replace(comparison, diagnoses=diagnoses)


def wrong_values(comparisons: Sequence[Comparison], name: str) -> set[str]:
    """The loss and the gradients in which an answer is wrong, by their names in `Problem.differentiable`."""
    wrong = {block.name for each in comparisons for block in each.blocks if block.is_wrong(name)}
    return {each for each, quantity in quantity_names(comparisons[0].problem).items() if quantity in wrong}


def quantity_names(problem: Problem) -> dict[str, str]:
    """How the loss and each gradient is called where it is judged."""
    has_steps = isinstance(problem.model, Recurrent)
    gradients = {name: str(gradient_name(name, has_steps=has_steps)) for name in problem.differentiable}
    return gradients | {"loss": "loss"}


def diagnose(answers: Sequence[tuple[Problem, Values]], wrong: Collection[str]) -> Diagnosis:
    """Names the mistake in wrong answers.

    Args:
        answers: problems, each with what was answered: `loss`, and gradients by name; some may be missing.
        wrong: the names of what is wrong, in any of them.
    """
    wrong = frozenset(wrong)
    if not wrong or not answers or not has_lines(answers[0][0]):
        return Diagnosis()
    with np.errstate(all="ignore"):
        submissions = [_Submission(problem, answered, wrong) for problem, answered in answers]
        candidates = list(_candidates(submissions[0]))
        whole, parts = _judged([each for each in candidates if each.near >= wrong], submissions)
        if not whole:
            predictable = (
                each for each in candidates if not (each.variants[0].recognizes or each.variants[0].rounds_more)
            )
            partly = [each for each in predictable if each.near & wrong]
            partly.sort(key=lambda each: -len(each.near & wrong))
            pairs = [each for each in _pairs(partly[:MOST_PARTLY], submissions[0]) if each.near >= wrong]
            whole, _ = _judged(pairs, submissions)
            if not whole:
                _, parts = _judged(partly[:MOST_MEASURED], submissions)
        problem = answers[0][0]
        suspects = _named_once(_suspect(each, problem, wrong, wrong) for each in whole)
        partial = [_suspect(each, problem, explained, wrong) for each, explained in parts.items()]
    most_first = _named_once(sorted(partial, key=lambda suspect: -len(suspect.explains)))
    return Diagnosis(suspects, () if suspects else most_first[:MOST_PARTLY])


def _candidates(submission: _Submission) -> Iterator[_Candidate]:
    """Every variant of every mistake that applies, with what it seems to give."""
    problem = submission.problem
    seen: set[object] = set()
    for mistake in MISTAKES:
        for variant in mistake.on(problem, submission.answered):
            key = (mistake.name, variant.words, str(variant.replaced(problem)))
            if key not in seen or not (variant.lines or variant.recognizes):
                seen.add(key)
                yield _Candidate((mistake,), (variant,), submission.near(variant))


def _pairs(partly: Sequence[_Candidate], submission: _Submission) -> Iterator[_Candidate]:
    """Two mistakes at once, of which one gives a part by itself."""
    of_all = [
        (mistake, variant)
        for mistake in MISTAKES
        for variant in mistake.on(submission.problem, submission.answered)
        if not (variant.recognizes or variant.rounds_more) and submission.is_changed_by(variant)
    ]
    for one in partly:
        for mistake, variant in of_all:
            if mistake is not one.mistakes[0]:
                both = together(one.variants[0], variant)
                yield _Candidate((*one.mistakes, mistake), (*one.variants, variant), submission.near(both))


def _judged(
    candidates: Iterable[_Candidate], submissions: Sequence[_Submission]
) -> tuple[list[_Candidate], dict[_Candidate, frozenset[str]]]:
    """Those that give everything on every problem, on the best evidence; and what of it the others give."""
    wrong = submissions[0].wrong
    whole: dict[_Candidate, float] = {}
    parts: dict[_Candidate, frozenset[str]] = {}
    for each in candidates:
        measured = [submission.measured(each.variant) for submission in submissions]
        given = frozenset.intersection(*(frozenset(found) for found in measured))
        tight = {name for name in given & wrong if max(found[name] for found in measured) <= MAX_RELATIVE_TOLERANCE}
        if not tight:
            continue
        if tight >= wrong and all(given >= submission.answered.keys() for submission in submissions):
            whole[each] = max(found[name] for found in measured for name in tight)
        else:
            parts[each] = frozenset(tight)
    best = min(whole.values(), default=0.0)
    return [each for each, value in whole.items() if value <= AS_TIGHT * best], parts


def _named_once(suspects: Iterable[Suspect]) -> tuple[Suspect, ...]:
    """Without those that are called like an earlier one."""
    first: dict[tuple[str, ...], Suspect] = {}
    for suspect in suspects:
        first.setdefault(suspect.mistakes, suspect)
    return tuple(first.values())


def _largest(array: np.ndarray) -> float:
    return float(np.abs(array).max(initial=0))


def _suspect(candidate: _Candidate, problem: Problem, explains: Iterable[str], wrong: frozenset[str]) -> Suspect:
    order = ["loss", *problem.differentiable]
    explained = set(explains)
    lines = [
        (line.text, text, line.equation)
        for variant in candidate.variants
        for line, text in variant.changed_lines(problem)
    ]
    return Suspect(
        candidate.called(),
        tuple(mistake.remedy for mistake in candidate.mistakes),
        tuple(dict.fromkeys(number for variant in candidate.variants for number in variant.violates(problem))),
        tuple(lines),
        tuple(name for name in order if name in explained),
        tuple(name for name in order if name in wrong - explained),
        exact=not any(variant.rounds_more or variant.recognizes for variant in candidate.variants),
    )
