"""The diagnosis: which mistake of the catalogue gives the wrong gradient that was handed in.

Every mistake is made, on the very problems on which the answer is wrong; the one whose wrong answer is the one that was
handed in is named. How close the two have to be is measured, as everywhere, by stochastic arithmetic.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..backends import Evaluation, Problem
from .blocks import quantities
from .mistakes import MISTAKES, Form, Mistake, Values, attempt, together
from .tolerance import SPOILT, measure

NEAR = 1e-3  # of the largest entry: worth a measurement
AS_TIGHT = 1e3  # evidence is as good as other evidence if its tolerance is within this factor
MOST_PARTLY = 5


@dataclass(frozen=True)
class Suspect:
    """A mistake, or several at once, that would give what was handed in.

    Attributes:
        mistakes: by their names, each with what distinguishes its form.
        remedies: one for each.
        equations: the numbers of those in `manual/derivation.md` that are violated.
        lines: of every changed line: as it should be, as it would have to be, and its equation.
        explains: the wrong gradients (or the loss) that it gives.
        leaves: those that it does not give.
    """

    mistakes: tuple[str, ...]
    remedies: tuple[str, ...]
    equations: tuple[int, ...]
    lines: tuple[tuple[str, str, int | None], ...]
    explains: tuple[str, ...]
    leaves: tuple[str, ...]


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        suspects: those that explain everything that was handed in, to the last digits; where there are several, they
            give the same gradient on these problems, and nothing tells them apart.
        partly: if there is none, those that explain a part of what is wrong, the most first.
    """

    suspects: tuple[Suspect, ...] = ()
    partly: tuple[Suspect, ...] = ()


@dataclass(frozen=True, eq=False)
class _Candidate:
    mistakes: tuple[Mistake, ...]
    forms: tuple[Form, ...]
    near: frozenset[str]  # what it seems to explain

    @property
    def form(self) -> Form:
        return self.forms[0] if len(self.forms) == 1 else together(*self.forms)


def diagnose(answers: Sequence[tuple[Problem, Values]], wrong: Collection[str]) -> Diagnosis:
    """Names the mistake in wrong answers.

    Args:
        answers: problems, each with what was answered: `loss`, and gradients by name; some may be missing.
        wrong: the names of what is wrong.
    """
    wrong = frozenset(wrong)
    with np.errstate(all="ignore"):
        problem, answered = answers[0]
        candidates = list(_candidates(problem, answered))
        found = _verified(candidates, answers, answered.keys())
        if not found:
            partly = sorted((each for each in candidates if each.near & wrong), key=lambda c: -_gain(c, wrong))
            partly = partly[: 3 * MOST_PARTLY]
            found = _verified(_pairs(partly[:MOST_PARTLY], problem, answered), answers, answered.keys())
        if found:
            return Diagnosis(suspects=tuple(_suspect(each, problem, wrong, wrong) for each in found))
        parts = []
        for each in partly:
            explained = _explained(each, answers, each.near & wrong)
            if explained:
                parts.append(_suspect(each, problem, explained, wrong))
        parts.sort(key=lambda suspect: -len(suspect.explains))
        return Diagnosis(partly=tuple(parts[:MOST_PARTLY]))


def _candidates(problem: Problem, answered: Values) -> Iterator[_Candidate]:
    """Every form of every mistake that applies, with what it seems to explain."""
    seen: set[object] = set()
    for mistake in MISTAKES:
        for form in mistake.on(problem, answered):
            key = (mistake.name, str(form.replaced(problem)), form.words)
            if form.lines and key in seen:
                continue
            seen.add(key)
            if form.recognizes:
                if (mistake.name, form.words) not in seen and form.recognizes(answered, problem):
                    seen.add((mistake.name, form.words))
                    yield _Candidate((mistake,), (form,), frozenset(answered))
                continue
            predicted = attempt(form, problem)
            if predicted:
                yield _Candidate((mistake,), (form,), _nearby(predicted, answered))


def _pairs(partly: Sequence[_Candidate], problem: Problem, answered: Values) -> Iterator[_Candidate]:
    """Two mistakes at once, of which one explains a part by itself."""
    forms = [(mistake, form) for mistake in MISTAKES for form in mistake.on(problem, answered) if not form.recognizes]
    for one in partly:
        for mistake, form in forms:
            if mistake is one.mistakes[0]:
                continue
            predicted = attempt(together(one.forms[0], form), problem)
            if predicted:
                yield _Candidate((*one.mistakes, mistake), (*one.forms, form), _nearby(predicted, answered))


def _verified(
    candidates: Iterable[_Candidate], answers: Sequence[tuple[Problem, Values]], names: Iterable[str]
) -> list[_Candidate]:
    """The candidates that explain everything on every problem, as far as none is much better evidence."""
    asked = frozenset(names)
    tightness: dict[_Candidate, float] = {}
    for each in candidates:
        if each.near >= asked:
            measured = [_tightness(each.form, problem, answered, asked) for problem, answered in answers]
            if None not in measured:
                tightness[each] = max(value for value in measured if value is not None)
    best = min(tightness.values(), default=0.0)
    return [each for each, value in tightness.items() if value <= AS_TIGHT * best]


def _explained(
    candidate: _Candidate, answers: Sequence[tuple[Problem, Values]], names: Iterable[str]
) -> frozenset[str]:
    """What of these a candidate explains on every problem."""
    return frozenset(
        name
        for name in names
        if all(_tightness(candidate.form, problem, answered, [name]) is not None for problem, answered in answers)
    )


def _tightness(form: Form, problem: Problem, answered: Values, names: Iterable[str]) -> float | None:
    """How closely the answer is that of a form, as the part of a block that was allowed; None if it is not."""
    if form.recognizes:
        return float(np.finfo(problem.dtype).eps) if form.recognizes(answered, problem) else None
    names = [name for name in names if name in answered]
    predicted = attempt(form, problem)
    if predicted is None or not _nearby(predicted, answered) >= set(names):
        return None
    tolerance = measure(problem, lambda on: quantities(_evaluation(form.predict(on)), problem))
    given = quantities(_evaluation(answered), problem)
    of_form = quantities(_evaluation(predicted), problem)
    by_name = quantities(_evaluation({name: answered[name] for name in names if name != "loss"}), problem)
    tightest = []
    for name in [*(by_name.keys() - {"loss"}), *(["loss"] if "loss" in names else [])]:
        apart = np.abs(given[name].blocks.astype("f8") - of_form[name].blocks).max(axis=1)
        if not (apart <= tolerance.allowed[name]).all():
            return None
        tightest.append(float((tolerance.allowed[name] / np.maximum(tolerance.scale[name], 1e-300)).min()))
    return max(tightest) if tightest and min(tightest) <= SPOILT else None


def _evaluation(values: Values) -> Evaluation:
    gradients = {name: array for name, array in values.items() if name != "loss"}
    return Evaluation(float(values.get("loss", np.zeros(()))), gradients, None)


def _near(one: np.ndarray, other: np.ndarray, part: float = NEAR) -> bool:
    if one.shape != other.shape:
        return False
    scale = max(float(np.abs(one).max(initial=0)), float(np.abs(other).max(initial=0)))
    return bool(np.abs(one.astype("f8") - other).max(initial=0) <= part * scale)


def _nearby(predicted: Values, answered: Values) -> frozenset[str]:
    return frozenset(name for name, array in answered.items() if _near(predicted[name], array))


def _gain(candidate: _Candidate, wrong: frozenset[str]) -> int:
    return len(candidate.near & wrong)


def _suspect(candidate: _Candidate, problem: Problem, explains: Iterable[str], wrong: frozenset[str]) -> Suspect:
    order = ["loss", *problem.differentiable]
    explained = set(explains)
    lines = [(line.text, text, line.equation) for form in candidate.forms for line, text in form.changed_lines(problem)]
    return Suspect(
        tuple(_called(mistake, form) for mistake, form in zip(candidate.mistakes, candidate.forms, strict=True)),
        tuple(mistake.remedy for mistake in candidate.mistakes),
        tuple(dict.fromkeys(number for form in candidate.forms for number in form.violates(problem))),
        tuple(lines),
        tuple(name for name in order if name in explained),
        tuple(name for name in order if name in wrong - explained),
    )


def _called(mistake: Mistake, form: Form) -> str:
    return f"{mistake.name}: {form.words}" if form.words else mistake.name
