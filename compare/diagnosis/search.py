"""The search for the mistake of the catalogue that gives a wrong gradient.

Every mistake is made on the very problems on which the answer is wrong. The one that gives the same wrong numbers is
named.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...backends import Evaluation, Problem
from ..mistakes import MISTAKES, Diagnosis, Suspect, Values, has_lines, together, values_of
from ..referee import Comparison
from ..tolerance import MAX_RELATIVE_TOLERANCE
from .hypothesis import Hypothesis
from .submission import Submission, quantity_names

AS_TIGHT = 1e3  # evidence is as good as other evidence if its tolerance is within this factor
MOST_PARTLY = 5
MOST_MEASURED = 15


@dataclass(frozen=True, eq=False)
class Findings:
    """What a search found.

    Attributes:
        diagnosis: in words.
        hypotheses: those that give all that is wrong on every problem.
    """

    diagnosis: Diagnosis
    hypotheses: tuple[Hypothesis, ...] = ()

    def show_on(self, problem: Problem, answered: Values, wrong: Collection[str]) -> bool:
        """Whether a mistake that was named shows on another problem, see `Hypothesis.shows_on`."""
        with np.errstate(all="ignore"):
            return any(hypothesis.shows_on(problem, answered, wrong) for hypothesis in self.hypotheses)


def diagnosed(comparison: Comparison) -> Comparison:
    """The comparison with a diagnosis of each backend that is wrong, or that differs if nobody knows who is wrong."""
    suspected = {
        name: answer
        for name, answer in comparison.answers.items()
        if isinstance(answer, Evaluation) and any(block.is_wrong(name) for block in comparison.blocks)
    }
    is_unsure = not any(block.outliers for block in comparison.blocks if block.verdict == "disagree")
    diagnoses = {
        name: diagnose([(comparison.problem, values_of(answer))], wrong_values([comparison], name))
        for name, answer in suspected.items()
        if not (is_unsure and name == "manual")
    }
    return replace(comparison, diagnoses=diagnoses)


def wrong_values(comparisons: Sequence[Comparison], name: str) -> set[str]:
    """The loss and the gradients in which an answer is wrong, by their names in `Problem.differentiable`."""
    wrong = {block.name for comparison in comparisons for block in comparison.blocks if block.is_wrong(name)}
    return {value for value, quantity in quantity_names(comparisons[0].problem).items() if quantity in wrong}


def diagnose(answers: Sequence[tuple[Problem, Values]], wrong: Collection[str]) -> Diagnosis:
    """Names the mistake in wrong answers, see `find_mistakes`."""
    return find_mistakes(answers, wrong).diagnosis


def find_mistakes(answers: Sequence[tuple[Problem, Values]], wrong: Collection[str]) -> Findings:
    """Looks for the mistakes in wrong answers.

    Args:
        answers: problems with what was answered to them: `loss`, and gradients by name; some may be missing.
        wrong: the names of what is wrong in any of the answers.

    Returns:
        The mistakes that give all that is wrong on every problem; if there are none, those that give a part of it.
    """
    wrong = frozenset(wrong)
    if not wrong or not answers or not has_lines(answers[0][0]):
        return Findings(Diagnosis())
    with np.errstate(all="ignore"):
        submissions = [Submission(problem, answered, wrong) for problem, answered in answers]
        singles = list(_single_mistakes(submissions[0]))
        whole, parts = _measured([single for single in singles if single.near >= wrong], submissions)
        if not whole:
            partly = [single for single in singles if single.is_predictable and single.near & wrong]
            partly.sort(key=lambda single: -len(single.near & wrong))
            everything = submissions[0].answered.keys()  # what is right stays right: few pairs leave it so
            pairs = [pair for pair in _pairs(partly[:MOST_PARTLY], submissions[0]) if pair.near >= everything]
            whole, _ = _measured(pairs, submissions)
            if not whole:
                _, parts = _measured(partly[:MOST_MEASURED], submissions)
        problem = answers[0][0]
        suspects = _without_repetition(_suspect(hypothesis, problem, wrong, wrong) for hypothesis in whole)
        partial = [_suspect(hypothesis, problem, explained, wrong) for hypothesis, explained in parts.items()]
    most_first = _without_repetition(sorted(partial, key=lambda suspect: -len(suspect.explains)))
    return Findings(Diagnosis(suspects, () if suspects else most_first[:MOST_PARTLY]), tuple(whole))


def _single_mistakes(submission: Submission) -> Iterator[Hypothesis]:
    """Every variant of every mistake that applies, with what it seems to give."""
    problem = submission.problem
    seen: set[object] = set()
    for mistake in MISTAKES:
        for variant in mistake.on(problem, submission.answered):
            key = (mistake.name, variant.words, str(variant.replaced(problem)))
            if key not in seen or not (variant.lines or variant.recognizes):
                seen.add(key)
                yield Hypothesis((mistake,), (variant,), submission.near(variant))


def _pairs(partly: Sequence[Hypothesis], submission: Submission) -> Iterator[Hypothesis]:
    """Two mistakes at once, of which one gives a part by itself."""
    others = [
        (mistake, variant)
        for mistake in MISTAKES
        for variant in mistake.on(submission.problem, submission.answered)
        if not (variant.recognizes or variant.rounds_more) and submission.is_changed_by(variant)
    ]
    for one in partly:
        for mistake, variant in others:
            if mistake is not one.mistakes[0]:
                both = together(one.variants[0], variant)
                yield Hypothesis((*one.mistakes, mistake), (*one.variants, variant), submission.near(both))


def _measured(
    hypotheses: Iterable[Hypothesis], submissions: Sequence[Submission]
) -> tuple[list[Hypothesis], dict[Hypothesis, frozenset[str]]]:
    """Those that give everything on every problem, on the best evidence; and what of it the others give."""
    wrong = submissions[0].wrong
    whole: dict[Hypothesis, float] = {}
    parts: dict[Hypothesis, frozenset[str]] = {}
    for hypothesis in hypotheses:
        measured = [submission.measured(hypothesis.variant) for submission in submissions]
        explained = frozenset.intersection(*(frozenset(parts_moved) for parts_moved in measured))
        loosest = {name: max(parts_moved[name] for parts_moved in measured) for name in explained & wrong}
        tight = {name for name, part in loosest.items() if part <= MAX_RELATIVE_TOLERANCE}
        if not tight:
            continue
        if tight >= wrong and all(explained >= submission.answered.keys() for submission in submissions):
            whole[hypothesis] = max(loosest[name] for name in tight)
        else:
            parts[hypothesis] = frozenset(tight)
    best = min(whole.values(), default=0.0)
    return [hypothesis for hypothesis, part in whole.items() if part <= AS_TIGHT * best], parts


def _without_repetition(suspects: Iterable[Suspect]) -> tuple[Suspect, ...]:
    """The suspects without those whose mistakes have the names of an earlier one's."""
    first: dict[tuple[str, ...], Suspect] = {}
    for suspect in suspects:
        first.setdefault(suspect.mistakes, suspect)
    return tuple(first.values())


def _suspect(hypothesis: Hypothesis, problem: Problem, explains: Iterable[str], wrong: frozenset[str]) -> Suspect:
    order = ["loss", *problem.differentiable]
    explained = set(explains)
    lines = [
        (line.text, text, line.equation)
        for variant in hypothesis.variants
        for line, text in variant.changed_lines(problem)
    ]
    return Suspect(
        hypothesis.names(),
        tuple(mistake.remedy for mistake in hypothesis.mistakes),
        tuple(dict.fromkeys(number for variant in hypothesis.variants for number in variant.violates(problem))),
        tuple(lines),
        tuple(name for name in order if name in explained),
        tuple(name for name in order if name in wrong - explained),
        exact=hypothesis.is_predictable,
    )
