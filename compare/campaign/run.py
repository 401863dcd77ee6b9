"""Runs a campaign: compares case after case."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path

from ...backends import Backend, UnsupportedProblemError
from ..certificate import UncertifiableError
from ..jobs import CaseProgress
from ..referee import compare
from .cases import Case, CaseResult, LeftOut


def run_cases(
    cases: Sequence[Case], backends: Mapping[str, Backend], progress: CaseProgress, *, certify: bool = False
) -> list[CaseResult | LeftOut]:
    """Compares case after case; one that is too large to be certified is compared without.

    What a backend prints goes to standard error, so that it cannot get into the results.
    """
    outcomes: list[CaseResult | LeftOut] = []
    for done, case in enumerate(cases):
        progress(case.label, done)

        def within(part: float, case: Case = case, done: int = done) -> None:
            progress(case.label, done + part)

        ask = partial(compare, case.problem, backends.values(), training=case.training, progress=within)
        try:
            with redirect_stdout(sys.stderr):
                try:
                    result = CaseResult(case, ask(certify=certify))
                except UncertifiableError as error:
                    result = CaseResult(case, ask(), uncertified=str(error))
        except UnsupportedProblemError as error:
            outcomes.append(LeftOut(case.label, str(error)))
        else:
            outcomes.append(result)
        progress(case.label, done + 1)
    return outcomes


def without_gradients(results: Iterable[CaseResult]) -> list[str]:
    """A note on each backend that gave forward values only, since its agreement is one in these."""
    silent = dict.fromkeys(name for result in results for name in result.comparison.forward_only)
    return [f"{name} gives forward values only: of its answers, loss and outputs were compared" for name in silent]


def save_cases(results: Iterable[CaseResult], folder: Path) -> dict[str, Path]:
    """Saves every case that is no agreement; the files by the problems' fingerprints."""
    return {
        result.case.problem.fingerprint: result.case.problem.save_in(folder, result.case.system.removesuffix(".npz"))
        for result in results
        if result.comparison.verdict != "agree"
    }
