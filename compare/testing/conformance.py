"""The conformance suite: what a backend has to do, on every system that it says it supports.

    pytest --pyargs gradparity.compare.conformance --gradparity-backend my_package:backend

All tests are in one module, since a module that is named is collected whatever a project calls its own test files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from ...backends import Backend, Evaluation, Problem, RequestError
from .candidates import PROPERTY, Candidate, candidates_of, stated_reason, supported_problems
from .catalogue_problems import CatalogueProblem, catalogue_problems
from .fixture import Gradparity, for_test
from .session import CONFORMANCE
from .watched_backend import WatchedBackend, evaluate, evaluate_after, runs_in_turn, takes_on


def test_its_answer_agrees(referee: Gradparity, candidate: Candidate) -> None:
    """With the hand derivation: loss, gradients, outputs and adjoints; of a system that learns, the trajectory."""
    referee.assert_agree(WatchedBackend(candidate.backend, evaluate))


def test_its_prepared_run_agrees(referee: Gradparity, candidate: Candidate, other: Problem) -> None:
    """The losses and the parameters' gradients of two runs, of which the first is called again after the second."""
    between: list[Evaluation] = []

    def ask(backend: Backend, problem: Problem, trace: bool) -> Evaluation:
        again, of_other = runs_in_turn(backend, problem, other)
        between.append(of_other)
        return again

    referee.assert_agree(WatchedBackend(candidate.backend, ask, run_only=True), problem=referee.problem)
    referee.assert_agree(WatchedBackend(candidate.backend, lambda *_: between[0], run_only=True), problem=other)


def test_its_later_answers_agree_and_leave_the_first_as_it_was(
    referee: Gradparity, candidate: Candidate, other: Problem
) -> None:
    """Other numbers are asked twice: nothing is left over from one answer in the next, and no array is shared."""
    referee.assert_agree(WatchedBackend(candidate.backend, evaluate_after(referee.problem)), problem=other)


def test_it_says_what_it_supports(candidate: Candidate) -> None:
    """`supports` returns a string, empty or with a reason; it is empty at least once, and not in vain."""
    backend = candidate.backend
    for catalogue_problem in catalogue_problems():
        try:
            stated_reason(backend, catalogue_problem)
        except RequestError as error:
            message = f"{backend.name}: {error}, for {catalogue_problem.id}"
            raise pytest.fail.Exception(message, pytrace=False) from None
    supported = supported_problems(backend)
    if not supported:
        pytest.fail(f"{backend.name}: supports no system of the catalogue", pytrace=False)
    if not any(takes_on(backend, catalogue_problem.problem) for catalogue_problem in supported):
        pytest.fail(f"{backend.name}: refuses every problem that it supports when it is asked", pytrace=False)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    candidates = candidates_of(metafunc.config)
    if "catalogue_problem" in metafunc.fixturenames:
        pairs = [(candidate, problem) for candidate in candidates for problem in supported_problems(candidate.backend)]
        ids = [f"{candidate.backend.name}-{problem.id}" for candidate, problem in pairs]
        metafunc.parametrize(("candidate", "catalogue_problem"), pairs, ids=ids)
    else:
        metafunc.parametrize("candidate", candidates, ids=[candidate.backend.name for candidate in candidates])


@pytest.fixture
def referee(
    request: pytest.FixtureRequest,
    candidate: Candidate,
    catalogue_problem: CatalogueProblem,
    record_property: Callable[[str, object], None],
) -> Gradparity:
    """The referee, which asks one backend at a time."""
    record_property(PROPERTY, candidate.backend.name)
    test = ("--pyargs", f"{CONFORMANCE}::{request.node.name}", f"--gradparity-backend={candidate.argument}")
    return replace(for_test(request, catalogue_problem), backends=(), test=test)


@pytest.fixture
def other(catalogue_problem: CatalogueProblem) -> Problem:
    """The same problem with other numbers."""
    return replace(catalogue_problem, seed=catalogue_problem.seed + 1).problem
