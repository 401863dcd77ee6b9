"""The course of the detection matrix: every check judges every case."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ...backends import MissingFrameworkError, RequestError
from ...backends.errors import unknown_name
from ..jobs import CaseProgress
from ..mistakes import MISTAKES, run
from .cases import CorrectCase, MistakeCase, RightLoss
from .checks import CHECKS, Program, diagnosis_of, require_check, run_check, torch_answer
from .chosen_cases import Case
from .log import Result
from .own import ask
from .own_results import OwnResult
from .results import OWN_CHECK, PART_OF, CorrectResult, Detection, MistakeResult


def detect(
    cases: Sequence[Case],
    checks: Sequence[str] = (),
    *,
    progress: CaseProgress = lambda label, done: None,
) -> Detection:
    """Asks every check about mistakes, and about gradients that are right; gradparity, about programs of our own, too.

    Args:
        cases: of `mistake_cases`, `correct_cases` and `own_cases`.
        checks: names of `CHECKS`; all that are installed if there are none.
        progress: is called with a case's label, and how many cases are done.

    Returns:
        The verdict of every check on every case.

    Raises:
        RequestError: there is no such check, or one that was named is not installed, or none is.
    """
    started = time.perf_counter()
    chosen, notes = choose_checks(checks)
    results = []
    for done, case in enumerate(cases):
        progress(short_label(case), done)
        results.append(judge(case, chosen))
    return detection_of(results, chosen, notes, time.perf_counter() - started)


def judge(case: Case, checks: Sequence[str]) -> Result:
    """What the checks say of a case; of a program of our own, what gradparity says."""
    if isinstance(case, MistakeCase):
        return _mistake_result(case, checks)
    return _correct_result(case, checks) if isinstance(case, CorrectCase) else ask(case)


def short_label(case: Case) -> str:
    """A case beside a progress bar."""
    if isinstance(case, MistakeCase):
        return case.mistake.name
    return case.kind if isinstance(case, CorrectCase) else case.program


def detection_of(results: Sequence[Result], checks: Sequence[str], notes: Sequence[str], seconds: float) -> Detection:
    """The matrix of results that are in the order of their cases."""
    return Detection(
        tuple(one for one in results if isinstance(one, MistakeResult)),
        tuple(one for one in results if isinstance(one, CorrectResult)),
        tuple(checks),
        tuple(notes),
        seconds,
        tuple(one for one in results if isinstance(one, OwnResult)),
    )


def choose_checks(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The checks in their order, and notes on those that are not installed.

    Raises:
        RequestError: there is no such check, or one that was named is not installed, or none is.
    """
    for name in names:
        if name not in CHECKS:
            raise unknown_name("check", name, CHECKS)
        require_check(name)
    chosen, notes = [], []
    for name in CHECKS:
        if names and name not in names:
            continue
        try:
            require_check(name)
            chosen.append(name)
        except MissingFrameworkError as error:
            notes.append(str(error))
    if not chosen:
        raise RequestError("; ".join(notes))
    return tuple(chosen), tuple(notes)


def _mistake_result(case: MistakeCase, checks: Sequence[str]) -> MistakeResult:
    verdicts = {check: run_check(check, case.program) for check in checks}
    suspects: tuple[tuple[str, ...], ...] = ()
    if OWN_CHECK in checks and verdicts[OWN_CHECK].verdict == "wrong":
        suspects = tuple(suspect.mistakes for suspect in diagnosis_of(case.program).suspects)
    name = case.mistake.name
    named = any(len(mistakes) == 1 and mistake_of(mistakes[0]) == name for mistakes in suspects)
    return MistakeResult(PART_OF[name], name, case.variant.words, case.system, case.small, verdicts, suspects, named)


def mistake_of(suspect: str) -> str:
    """A mistake's name out of that of one of its variants; a mistake's name may begin with another's."""
    known = [mistake.name for mistake in MISTAKES]
    names = [name for name in known if suspect == name or suspect.startswith(f"{name}: ")]
    return max(names, key=len, default="")


def _correct_result(case: CorrectCase, checks: Sequence[str]) -> CorrectResult:
    """Judges PyTorch's answer; where that is the reference itself or not installed, the answer of the lines."""
    lines = Program(case.problem, run(case.problem).values, RightLoss(case.problem))
    try:
        require_check("allclose")
        judged = Program(case.problem, torch_answer(case.problem), lines.loss)
    except MissingFrameworkError:
        judged = lines
    verdicts = {check: run_check(check, lines if check == "allclose" else judged) for check in checks}
    return CorrectResult(case.kind, case.system, case.seed, verdicts)
