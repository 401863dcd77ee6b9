"""The backends for which the conformance suite is run: what each supports, and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ...backends import Backend, BrokenBackendError, RequestError
from ...backends.errors import located
from ...backends.registry import resolve
from .catalogue_problems import CatalogueProblem, catalogue_problems, refused_as

PROPERTY = "gradparity_backend"  # of a test's report: which backend it is about


@dataclass(frozen=True, eq=False)
class Candidate:
    """A backend of `--gradparity-backend`.

    Attributes:
        argument: the option's value: a name, or `module:object`.
        backend: what it stands for.
    """

    argument: str
    backend: Backend


CANDIDATES = pytest.StashKey[list[Candidate]]()


def candidates_of(config: pytest.Config) -> list[Candidate]:
    """The backends of the command line, each loaded once.

    Raises:
        RequestError: there are none, or one does not load.
    """
    if CANDIDATES in config.stash:
        return config.stash[CANDIDATES]
    names = list(dict.fromkeys(config.getoption("gradparity_backend")))
    if not names:
        raise RequestError("the conformance suite needs a backend: add --gradparity-backend NAME, or module:object")
    pairs = zip(names, resolve(names).values(), strict=True)
    config.stash[CANDIDATES] = [Candidate(name, backend) for name, backend in pairs]
    return config.stash[CANDIDATES]


def check_conformance_options(config: pytest.Config) -> None:
    """Refuses, before anything is collected, a run without backends, or with one that does not load."""
    with refused_as(pytest.UsageError):
        names = [candidate.backend.name for candidate in candidates_of(config)]
        if "manual" in names and not config.getoption("gradparity_certify"):
            raise RequestError("manual is what backends are compared with: add --gradparity-certify")


def supported_problems(backend: Backend) -> list[CatalogueProblem]:
    """The problems of the catalogue that the backend says it can compute."""
    return [
        catalogue_problem
        for catalogue_problem in catalogue_problems()
        if not reason_left_out(backend, catalogue_problem)
    ]


def reason_left_out(backend: Backend, catalogue_problem: CatalogueProblem) -> str:
    """Why the backend is not asked for the problem; empty if it is."""
    try:
        return stated_reason(backend, catalogue_problem)
    except RequestError as error:
        return str(error)


def stated_reason(backend: Backend, catalogue_problem: CatalogueProblem) -> str:
    """Why the backend itself says that it cannot compute the problem; empty if it can.

    Raises:
        BrokenBackendError: it raises.
        RequestError: it returns no string.
    """
    try:
        reason = backend.supports(catalogue_problem.system.model, catalogue_problem.dtype)
    except (Exception, SystemExit) as error:
        raise BrokenBackendError(f"supports raised {located(error)}") from error
    if not isinstance(reason, str):
        raise RequestError(f"supports returned a {type(reason).__name__}, expected a str")
    return reason


def left_out_lines(config: pytest.Config) -> Iterator[str]:
    """For each backend the lines on what was not run, and why."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", [])
    problems = catalogue_problems()
    for backend in (candidate.backend for candidate in candidates_of(config)):
        name = backend.name
        unsupported = Counter(filter(None, (reason_left_out(backend, problem) for problem in problems)))
        messages = [report.longrepr[2] for report in skipped if (PROPERTY, name) in report.user_properties]
        refused = Counter(message.partition(f"{name}: ")[2] or message for message in messages)
        for reasons, what in (
            (unsupported, f"{unsupported.total()} of {len(problems)} problems are not supported and were not run"),
            (refused, "tests were skipped, since it refused what it was asked"),
        ):
            if reasons:
                why = "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
                yield f"{name}: {what}: {why}"
