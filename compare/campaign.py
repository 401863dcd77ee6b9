"""A campaign: many cases, all planned and checked before the first one is computed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ..backends import (
    Backend,
    MissingFrameworkError,
    OrderedSystem,
    Problem,
    RequestError,
    UnsupportedProblemError,
    load_backends,
)
from ..backends.checks import DTYPES, require_dtype
from .catalogue import SEEDS, SYSTEMS, System, get_system
from .certificate import UncertifiableError
from .datasets import BUILT_IN, load_dataset
from .referee import compare, resolve
from .results import Comparison
from .training import Training

LEARNING_RATE = 0.5  # of a system that has none of its own
Progress = Callable[[str, float], None]  # a label, and how many cases are done


@dataclass(frozen=True, eq=False)
class Case:
    """A problem and where it came from.

    Attributes:
        system: the system's name; of a case file, the file's.
        data: the data set's name, or empty.
        seed: from which the rest was drawn; None for a case file.
        problem: the question.
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
    """A case and what was found; and why there is no certificate, if one was asked for."""

    case: Case
    comparison: Comparison
    uncertified: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A case that no two backends can compute, and why."""

    label: str
    reason: str


@dataclass(frozen=True)
class Learning:
    """What was asked for about learning; None leaves it to the system.

    Attributes:
        steps: how many; makes every system learn.
        learning_rate: η.
        batch_size: samples in a batch.
        until: see `Training`.
    """

    steps: int | None = None
    learning_rate: float | None = None
    batch_size: int | None = None
    until: float | None = None

    @property
    def asked(self) -> dict[str, float]:
        """What was asked for."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def of(self, system: System) -> System:
        """The system as it is to learn: losses are averaged, so that a step does not grow with the batch."""
        if not self.asked:
            return system
        if system.training is None and self.steps is None:
            name = next(iter(self.asked)).replace("_", "-")
            raise RequestError(f"--{name} is about learning, but {system.name} does not learn: add --steps N")
        if isinstance(system.model, OrderedSystem):
            raise RequestError(f"--steps: {system.name} has no loss to minimize, expected a network")
        training = replace(system.training or Training(LEARNING_RATE, 1), **self.asked)  # type: ignore[arg-type]
        return replace(system, model=replace(system.model, reduction="mean"), training=training)


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
    learning: Learning = Learning(),
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
    names = systems or [name for name in SYSTEMS if SYSTEMS[name].training or not learning.asked]
    cases = [
        Case(name, "", seed, system.problem(seed=seed, dtype=dtype), system.training)
        for name in names
        for system in [learning.of(get_system(name))]
        for dtype in dtypes
        for seed in seeds
    ]
    for source in () if systems or learning.asked else BUILT_IN:
        try:
            cases += _on_data(source, (), dtypes, seeds, notes, learning)
        except MissingFrameworkError as error:
            notes.append(str(error))
    return cases, notes


def _saved_case(path: Path, learning: Learning) -> Case:
    problem = Problem.load(path)
    system = learning.of(System(path.name, "", (), problem.model))
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
        for system in [learning.of(get_system(name))]
        for dtype in dtypes
        for seed in seeds
    ]


def run(
    cases: Sequence[Case], backends: Mapping[str, Backend], progress: Progress, *, certify: bool = False
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
