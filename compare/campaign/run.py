"""Runs a campaign: compares case after case."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from math import inf
from pathlib import Path

from ...backends import Backend, UnsupportedProblemError
from ..diagnosis import diagnosed
from ..jobs import CaseProgress
from ..referee import compare, compare_certified_if_possible, require_affordable
from .cases import Case, CaseResult, LeftOut


def run_cases(
    cases: Sequence[Case],
    backends: Mapping[str, Backend],
    progress: CaseProgress,
    *,
    certify: bool = False,
    diagnoses: float = inf,
) -> list[CaseResult | LeftOut]:
    """Compares case after case, and looks for the mistake where backends disagree.

    What a backend prints goes to standard error, so that it cannot get into the results.

    Args:
        cases: what is compared.
        backends: those that are asked, by their names.
        progress: is called with the case's label, and how many cases are done.
        certify: measure every backend against the exact answer, where that is not too large to be enclosed.
        diagnoses: how many disagreements are diagnosed at most, the first ones; each takes up to some seconds.

    Returns:
        For each case, in their order, the result; or why it was left out.
    """
    outcomes: list[CaseResult | LeftOut] = []
    for done, case in enumerate(cases):
        progress(case.label, done)

        def within(share: float, case: Case = case, done: int = done) -> None:
            progress(case.label, done + share)

        ask = compare_certified_if_possible if certify else compare
        try:
            with redirect_stdout(sys.stderr):
                comparison = ask(case.problem, backends, training=case.training, progress=within)
        except UnsupportedProblemError as error:
            outcomes.append(LeftOut(case, str(error)))
        else:
            if comparison.verdict == "disagree" and diagnoses > 0:
                comparison = diagnosed(comparison)
                diagnoses -= 1
            outcomes.append(CaseResult(case, comparison))
        progress(case.label, done + 1)
    return outcomes


def require_affordable_cases(cases: Iterable[Case], backends: int) -> float:
    """Checks that all cases fit into the memory, beside the results of those before them.

    Args:
        cases: what is to be compared.
        backends: how many are asked.

    Returns:
        How many seconds they take, roughly, on one core.

    Raises:
        TooLargeError: one of them does not.
    """
    kept = seconds = 0.0
    for case in cases:
        cost = require_affordable(case.problem, backends, case.training, kept)
        kept, seconds = kept + cost.kept, seconds + cost.seconds
    return seconds


def save_cases(results: Iterable[CaseResult], folder: Path) -> dict[str, Path]:
    """Saves every case that is no agreement; the files by the problems' fingerprints."""
    return {
        result.case.problem.fingerprint: result.case.problem.save_in(folder, result.case.system.removesuffix(".npz"))
        for result in results
        if result.comparison.verdict != "agree"
    }
