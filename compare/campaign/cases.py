"""The cases of a campaign, all planned and checked before the first one is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...backends import MissingFrameworkError, Problem, RequestError
from ...backends.checks import DTYPES, require_dtype
from ..answers import Training
from ..referee import Comparison
from ..systems import BUILT_IN, SEEDS, SYSTEMS, Learning, System, get_system, load_dataset


@dataclass(frozen=True, eq=False)
class Case:
    """A problem and where it came from.

    Attributes:
        system: the system's name; of a case file, the file's.
        data: the data set's name, or empty.
        seed: from which the rest was drawn; None for a case file.
        problem: what is computed.
        training: if the backends are to learn, how.
    """

    system: str
    data: str
    seed: int | None
    problem: Problem
    training: Training | None = None

    @property
    def label(self) -> str:
        """`elman-softmax`, or `elman-softmax on digits`."""
        return case_label(self.system, self.data)


@dataclass(frozen=True, eq=False)
class CaseResult:
    """A case, and the comparison of the backends on it."""

    case: Case
    comparison: Comparison


@dataclass(frozen=True)
class LeftOut:
    """A case that no two backends can compute, and why."""

    case: Case
    reason: str


def case_label(system: str, data: str) -> str:
    """The system's name, and the data set's if there is one."""
    return f"{system} on {data}" if data else system


def plan(
    *,
    systems: Sequence[str] = (),
    dtypes: Sequence[str] = (),
    seeds: Sequence[int] = (),
    data: Sequence[str] = (),
    files: Sequence[Path] = (),
    learning: Learning = Learning(),  # noqa: B008 # frozen
) -> tuple[list[Case], list[str]]:
    """The cases that were asked for, and notes on what was left out of the defaults.

    Without systems, data and files: the whole catalogue, and the built-in data sets that are installed; with
    learning alone, the systems that learn.
    """
    if files:
        if systems or dtypes or seeds or data:
            raise RequestError("--case stands alone: the case has its own system, dtype, seed and data")
        return [_saved_case(path, learning) for path in files], []
    dtypes, seeds = [require_dtype(dtype).name for dtype in dtypes or DTYPES], seeds or SEEDS
    notes: list[str] = []
    if data:
        on_data = [case for source in data for case in _on_data(source, systems, dtypes, seeds, notes, learning)]
        return on_data, notes
    names = systems or [name for name in SYSTEMS if SYSTEMS[name].training or not learning.stated]
    cases = [
        Case(name, "", seed, system.problem(seed=seed, dtype=dtype), system.training)
        for name in names
        for system in [learning.apply_to(get_system(name))]
        for dtype in dtypes
        for seed in seeds
    ]
    for source in () if systems or learning.stated else BUILT_IN:
        try:
            cases += _on_data(source, (), dtypes, seeds, notes, learning)
        except MissingFrameworkError as error:
            notes.append(str(error))
    return cases, notes


def _saved_case(path: Path, learning: Learning) -> Case:
    problem = Problem.load(path)
    system = learning.apply_to(System(path.name, "", (), problem.model))
    return Case(path.name, "", None, replace(problem, model=system.model), system.training)


def _on_data(
    source: str,
    systems: Sequence[str],
    dtypes: Sequence[str],
    seeds: Sequence[int],
    notes: list[str],
    learning: Learning,
) -> list[Case]:
    dataset = load_dataset(source)
    notes.append(f"{dataset.name}: {dataset.summary}")
    return [
        Case(name, dataset.name, seed, dataset.problem(system, seed=seed, dtype=dtype), system.training)
        for name in systems or (dataset.default_system,)
        for system in [learning.apply_to(get_system(name))]
        for dtype in dtypes
        for seed in seeds
    ]
