"""A campaign: many cases, all planned and checked before the first one is computed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from ..backends import (
    Backend,
    MissingFrameworkError,
    Problem,
    RequestError,
    UnsupportedProblemError,
    load_backends,
)
from ..backends.checks import DTYPES, require_dtype
from .catalogue import SEEDS, SYSTEMS, get_system
from .datasets import BUILT_IN, load_dataset
from .referee import compare, resolve
from .results import Comparison


@dataclass(frozen=True, eq=False)
class Case:
    """A problem and where it came from.

    Attributes:
        system: the system's name; of a case file, the file's.
        data: the data set's name, or empty.
        seed: from which the rest was drawn; None for a case file.
        problem: the question.
    """

    system: str
    data: str
    seed: int | None
    problem: Problem

    @property
    def label(self) -> str:
        """`elman-softmax`, or `elman-softmax on digits`."""
        return case_label(self.system, self.data)


@dataclass(frozen=True, eq=False)
class CaseResult:
    """A case and what was found."""

    case: Case
    comparison: Comparison


def case_label(system: str, data: str) -> str:
    """How a case is called: by its system, and its data if there is any."""
    return f"{system} on {data}" if data else system


def choose_backends(names: Sequence[str] | None) -> tuple[dict[str, Backend], list[str]]:
    """The named backends, or all that are installed; and notes on those that are not."""
    return (resolve(names), []) if names else load_backends()


def plan(
    *,
    systems: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    seeds: Sequence[int] = (),
    data: Sequence[str] = (),
    files: Sequence[Path] = (),
) -> tuple[list[Case], list[str]]:
    """The cases that were asked for, and notes on what was left out of the defaults.

    Without systems, data and files: the whole catalogue, and the built-in data sets that are installed.
    """
    if files:
        if systems or dtypes or seeds or data:
            raise RequestError("--case stands alone: the case has its own system, dtype, seed and data")
        return [Case(path.name, "", None, Problem.load(path)) for path in files], []
    dtypes, seeds = [require_dtype(dtype).name for dtype in dtypes or DTYPES], seeds or SEEDS
    notes: list[str] = []
    if data:
        return [case for source in data for case in _on_data(source, systems, dtypes, seeds, notes)], notes
    cases = [
        Case(name, "", seed, get_system(name).problem(seed=seed, dtype=dtype))
        for name in systems or SYSTEMS
        for dtype in dtypes
        for seed in seeds
    ]
    for source in () if systems else BUILT_IN:
        try:
            cases += _on_data(source, (), dtypes, seeds, notes)
        except MissingFrameworkError as error:
            notes.append(str(error))
    return cases, notes


def _on_data(
    source: str, systems: Sequence[str], dtypes: Sequence[str], seeds: Sequence[int], notes: list[str]
) -> list[Case]:
    dataset = load_dataset(source)
    notes.append(f"{dataset.name}: {dataset.summary}")
    return [
        Case(name, dataset.name, seed, dataset.problem(get_system(name), seed=seed, dtype=dtype))
        for name in systems or (dataset.default_system,)
        for dtype in dtypes
        for seed in seeds
    ]


def run(
    cases: Iterable[Case], backends: Mapping[str, Backend], notes: list[str]
) -> Iterator[tuple[Case, CaseResult | None]]:
    """Compares case after case; one that no two backends can compute has no result, and a note says why.

    What a backend prints goes to standard error, so that it cannot get into the results.
    """
    for case in cases:
        try:
            with redirect_stdout(sys.stderr):
                comparison = compare(case.problem, backends.values())
        except UnsupportedProblemError as error:
            notes.append(f"{case.label} was left out: {error}")
            yield case, None
        else:
            yield case, CaseResult(case, comparison)


def save_cases(results: Iterable[CaseResult], folder: Path) -> dict[str, Path]:
    """Saves every case that is no agreement; the files by the problems' fingerprints."""
    return {
        result.case.problem.fingerprint: result.case.problem.save_in(folder, result.case.system.removesuffix(".npz"))
        for result in results
        if result.comparison.verdict != "agree"
    }
