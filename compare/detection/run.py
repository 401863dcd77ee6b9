"""The detection matrix: mistakes, and gradients that are right, before five gradient checks."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...backends import MissingFrameworkError, RequestError
from ...backends.errors import unknown_name
from ..jobs import CaseProgress
from ..mistakes import ANSWERS, GRU, LSTM, MISTAKES, ORDERED, PLAIN, QUESTIONS, READOUTS, TIME, run
from .checks import CHECKS, Program, Verdict, ask, diagnosis_of, require_check, torch_answer
from .plants import Plant, RightLoss, RightProblem

PARTS = {
    "plain cell": PLAIN,
    "time": TIME,
    "LSTM": LSTM,
    "GRU": GRU,
    "read-outs and losses": READOUTS,
    "ordered": ORDERED,
    "questions": QUESTIONS,
    "answers": ANSWERS,
}
PART_OF = {mistake.name: part for part, mistakes in PARTS.items() for mistake in mistakes}


@dataclass(frozen=True)
class Planted:
    """What became of a mistake that was planted.

    Attributes:
        part, mistake, variant, system: which, and where.
        small: whether the gradients were made small.
        verdicts: by the checks' names.
        suspects: whom the diagnosis names first, if gradparity calls it wrong; each as `Suspect.mistakes`.
        named: whether the mistake is among them.
    """

    part: str
    mistake: str
    variant: str
    system: str
    small: bool
    verdicts: Mapping[str, Verdict]
    suspects: tuple[tuple[str, ...], ...] = ()
    named: bool = False

    @property
    def label(self) -> str:
        """What was planted, and where."""
        variant = f" ({self.variant})" if self.variant else ""
        return f"{self.mistake}{variant}, on {self.system}{', small gradients' if self.small else ''}"


@dataclass(frozen=True)
class Correct:
    """What became of a gradient that is right.

    Attributes:
        kind, system, seed: of the problem.
        verdicts: by the checks' names.
    """

    kind: str
    system: str
    seed: int
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True)
class Detection:
    """The matrix.

    Attributes:
        planted: every mistake that was planted.
        correct: every gradient that is right.
        checks: the names of those that were asked.
        notes: on those that are not installed.
        seconds: how long it took.
    """

    planted: tuple[Planted, ...]
    correct: tuple[Correct, ...]
    checks: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float

    def rows(self, by: str = "part") -> list[dict[str, Any]]:
        """How much was planted, detected and named: one row for each `part`, or for each `mistake`."""
        groups: dict[str, list[Planted]] = {}
        for each in self.planted:
            groups.setdefault(getattr(each, by), []).append(each)
        order = PARTS if by == "part" else [mistake.name for mistake in MISTAKES]
        return [{by: key, **self.counts(groups[key])} for key in order if key in groups]

    def counts(self, planted: Sequence[Planted]) -> dict[str, tuple[int, int]]:
        """Of these, on ordinary and on small gradients: how many there are, and how many each check detects."""
        both = [[each for each in planted if each.small is small] for small in (False, True)]
        found: dict[str, Any] = {"planted": tuple(map(len, both))}
        for check in self.checks:
            found[check] = tuple(sum(each.verdicts[check].answer == "wrong" for each in of) for of in both)
        if "gradparity" in self.checks:
            found["named"] = tuple(sum(each.named for each in of) for of in both)
        return found

    def alarm_rows(self) -> list[dict[str, Any]]:
        """One row for each kind of problem: how many right gradients there are, and what each check says of them."""
        rows = []
        for kind in dict.fromkeys(each.kind for each in self.correct):
            of = [each.verdicts for each in self.correct if each.kind == kind]
            said = {check: dict(Counter(verdicts[check].answer for verdicts in of)) for check in self.checks}
            rows.append({"kind": kind, "correct": len(of), **said})
        return rows

    @property
    def missed(self) -> list[Planted]:
        """What gradparity does not call wrong."""
        return [each for each in self.planted if each.verdicts.get("gradparity", Verdict("wrong")).answer != "wrong"]

    @property
    def unnamed(self) -> list[Planted]:
        """What it calls wrong, and gives another name, or none."""
        asked = [each for each in self.planted if "gradparity" in each.verdicts]
        return [each for each in asked if each not in self.missed and not each.named]

    @property
    def false_alarms(self) -> list[Correct]:
        """What is right and gradparity calls wrong, or fails on."""
        fine = ("right", "undecided")
        return [each for each in self.correct if each.verdicts.get("gradparity", Verdict("right")).answer not in fine]

    @property
    def failures(self) -> dict[str, str]:
        """Of each check that raised something: how often, and what first."""
        found = {}
        for check in self.checks:
            every: Iterator[Planted | Correct] = iter((*self.planted, *self.correct))
            errors = [each.verdicts[check].error for each in every if each.verdicts[check].answer == "failed"]
            if errors:
                found[check] = f"raised something {len(errors)} times, first {errors[0]}"
        return found


def detect(
    shown: Sequence[Plant | RightProblem],
    checks: Sequence[str] = (),
    *,
    progress: CaseProgress = lambda label, done: None,
) -> Detection:
    """Asks every check about mistakes, and about gradients that are right.

    Args:
        shown: of `plants` and `right_problems`.
        checks: names of `CHECKS`; all that are installed if there are none.
        progress: is called with what is shown, and how much was.

    Raises:
        RequestError: there is no such check, or one that was named is not installed, or none is.
    """
    started = time.perf_counter()
    asked, notes = choose_checks(checks)
    planted: list[Planted] = []
    correct: list[Correct] = []
    for done, each in enumerate(shown):
        if isinstance(each, Plant):
            progress(each.mistake.name, done)
            planted.append(_planted(each, asked))
        else:
            progress(each.kind, done)
            correct.append(_correct(each, asked))
    return Detection(tuple(planted), tuple(correct), asked, notes, time.perf_counter() - started)


def choose_checks(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The checks in their order, and notes on those that are not installed."""
    for name in names:
        if name not in CHECKS:
            raise unknown_name("check", name, CHECKS)
        require_check(name)
    found, notes = [], []
    for name in [each for each in CHECKS if each in names] if names else CHECKS:
        try:
            require_check(name)
            found.append(name)
        except MissingFrameworkError as error:
            notes.append(str(error))
    if not found:
        raise RequestError("; ".join(notes))
    return tuple(found), tuple(notes)


def _planted(plant: Plant, checks: Sequence[str]) -> Planted:
    verdicts = {check: ask(check, plant.program) for check in checks}
    suspects: tuple[tuple[str, ...], ...] = ()
    if "gradparity" in checks and verdicts["gradparity"].answer == "wrong":
        suspects = tuple(suspect.mistakes for suspect in diagnosis_of(plant.program).suspects)
    name = plant.mistake.name
    named = any(len(each) == 1 and mistake_of(each[0]) == name for each in suspects)
    return Planted(PART_OF[name], name, plant.variant.words, plant.system, plant.small, verdicts, suspects, named)


def mistake_of(suspect: str) -> str:
    """A mistake's name out of that of one of its variants; a mistake's name may begin with another's."""
    names = [each.name for each in MISTAKES if suspect == each.name or suspect.startswith(f"{each.name}: ")]
    return max(names, key=len, default="")


def _correct(right: RightProblem, checks: Sequence[str]) -> Correct:
    """Shows PyTorch's answer, or where it is the reference itself or not installed, that of the lines."""
    of_lines = Program(right.problem, run(right.problem).values, RightLoss(right.problem))
    try:
        require_check("allclose")
        shown = Program(right.problem, torch_answer(right.problem), of_lines.loss)
    except MissingFrameworkError:
        shown = of_lines
    verdicts = {check: ask(check, of_lines if check == "allclose" else shown) for check in checks}
    return Correct(right.kind, right.system, right.seed, verdicts)
