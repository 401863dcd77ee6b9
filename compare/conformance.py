"""The conformance suite: what a backend has to do, on every system that it says it supports.

    pytest --pyargs gradparity.compare.conformance --gradparity-backend my_package:backend

It is one module, since a module that is named is collected whatever a project calls the files of its own tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from ..backends import Backend, Evaluation, Model, Problem, RequestError
from ..backends.errors import first_line
from .bench.verification import answer_of
from .fixture import Gradparity, Question, for_test, questions, refused_as
from .referee import resolve


def test_its_answer_agrees(referee: Gradparity, entrant: Entrant) -> None:
    """With the hand derivation: loss, gradients, outputs and adjoints; of a system that learns, the trajectory."""
    referee.assert_agree(entrant.given)


def test_its_prepared_run_agrees(referee: Gradparity, entrant: Entrant) -> None:
    """The loss and the parameters' gradients that the run returns when it is called again."""
    referee.assert_agree(Variant(entrant.backend, run_twice), problem=referee.problem)


def test_its_later_answers_agree_and_leave_the_first_as_it_was(referee: Gradparity, entrant: Entrant) -> None:
    """Other numbers are asked twice: nothing is left over from one answer in the next, and no array is shared."""
    assert referee.question
    later = replace(referee.question, seed=referee.question.seed + 1).problem

    def evaluate_later(backend: Backend, problem: Problem, trace: bool) -> Evaluation:
        first = backend.evaluate(referee.problem, trace=trace)
        before = {name: gradient.copy() for name, gradient in first.gradients.items()}
        backend.evaluate(problem, trace=trace)
        for name, gradient in before.items():
            if not np.array_equal(gradient, first.gradients[name], equal_nan=True):
                raise ValueError(f"a later call overwrote the gradient of {name} in an earlier answer")
        return backend.evaluate(problem, trace=trace)

    referee.assert_agree(Variant(entrant.backend, evaluate_later), problem=later)


def test_it_says_what_it_supports(entrant: Entrant) -> None:
    """`supports` returns a string, empty or with a reason, and it is empty at least once."""
    backend = entrant.backend
    for question in questions():
        reason = backend.supports(question.system.model, question.dtype)
        if not isinstance(reason, str):
            kind = type(reason).__name__
            pytest.fail(f"{backend.name}: supports returned a {kind} for {question.id}, expected a str", pytrace=False)
    if not supported(backend):
        pytest.fail(f"{backend.name}: supports no system of the catalogue", pytrace=False)


@dataclass(frozen=True, eq=False)
class Entrant:
    """A backend, and the name under which it was given."""

    given: str
    backend: Backend


@dataclass(frozen=True, eq=False)
class Variant:
    """A backend that is asked in a way of its own."""

    backend: Backend
    answer: Callable[[Backend, Problem, bool], Evaluation]

    @property
    def name(self) -> str:
        return self.backend.name

    def supports(self, model: Model, dtype: str) -> str:
        return self.backend.supports(model, dtype)

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        return self.answer(self.backend, problem, trace)

    def prepare(self, problem: Problem) -> Callable[[], object]:
        return self.backend.prepare(problem)


def run_twice(backend: Backend, problem: Problem, trace: bool) -> Evaluation:
    """The backend's answer, with the loss and the gradients that its run returns the second time."""
    evaluation = backend.evaluate(problem, trace=trace)
    run = backend.prepare(problem)
    run()
    loss, gradients = answer_of(run())
    if gradients.keys() != problem.params.keys():
        raise ValueError(f"its run returned the gradients of {list(gradients)}, expected {list(problem.params)}")
    return replace(evaluation, loss=loss, gradients=evaluation.gradients | gradients)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    entrants = entrants_of(metafunc.config)
    if "question" in metafunc.fixturenames:
        asked = [(entrant, question) for entrant in entrants for question in supported(entrant.backend)]
        ids = [f"{entrant.backend.name}-{question.id}" for entrant, question in asked]
        metafunc.parametrize(("entrant", "question"), asked, ids=ids)
    else:
        metafunc.parametrize("entrant", entrants, ids=[entrant.backend.name for entrant in entrants])


@pytest.fixture
def referee(request: pytest.FixtureRequest, entrant: Entrant, question: Question) -> Gradparity:
    """The referee, which asks one backend at a time."""
    test = ("--pyargs", f"{__name__}::{request.node.name}", f"--gradparity-backend={entrant.given}")
    return replace(for_test(request, question), backends=(), test=test)


def entrants_of(config: pytest.Config) -> list[Entrant]:
    """The backends that were given.

    Raises:
        RequestError: there are none, or one does not load.
    """
    names = list(dict.fromkeys(config.getoption("gradparity_backend")))
    if not names:
        raise RequestError("the conformance suite needs a backend: add --gradparity-backend NAME, or module:object")
    return [Entrant(*each) for each in zip(names, resolve(names).values(), strict=True)]


def check_options(config: pytest.Config) -> None:
    """Refuses, before anything is collected, a run without backends, or with one that does not load."""
    with refused_as(pytest.UsageError):
        given = [entrant.given for entrant in entrants_of(config)]
        if "manual" in given and not config.getoption("gradparity_certify"):
            raise RequestError("manual is what backends are compared with: add --gradparity-certify")


def supported(backend: Backend) -> list[Question]:
    """The questions that the backend says it can answer."""
    return [question for question in questions() if not refusal(backend, question)]


def refusal(backend: Backend, question: Question) -> str:
    """Why the backend is not asked the question; empty if it is."""
    try:
        return str(backend.supports(question.system.model, question.dtype))
    except Exception as error:
        return f"supports raised {first_line(error)}"


def left_out(config: pytest.Config) -> Iterator[str]:
    """For each backend a line on what was not run, and why."""
    for backend in (entrant.backend for entrant in entrants_of(config)):
        reasons = Counter(filter(None, (refusal(backend, question) for question in questions())))
        total = len(questions())
        if reasons:
            why = "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
            yield f"{backend.name}: {reasons.total()} of {total} problems are not supported and were not run: {why}"
