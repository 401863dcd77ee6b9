"""The conformance suite: what a backend has to do, on every system that it says it supports.

    pytest --pyargs gradparity.compare.conformance --gradparity-backend my_package:backend

It is one module, since a module that is named is collected whatever a project calls the files of its own tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from ...backends import Backend, BrokenBackendError, Evaluation, Model, Problem, RequestError, UnsupportedProblemError
from ...backends.errors import first_line
from ...backends.interface import prepared_answer
from ...backends.registry import resolve
from ..answers import quantities
from .fixture import Gradparity, for_test
from .questions import Question, questions, refused_as

Ask = Callable[[Backend, Problem, bool], Evaluation]
PROPERTY = "gradparity_backend"  # of a test's report: of which backend it is


def test_its_answer_agrees(referee: Gradparity, candidate: Candidate) -> None:
    """With the hand derivation: loss, gradients, outputs and adjoints; of a system that learns, the trajectory."""
    referee.assert_agree(AskedBackend(candidate.backend, evaluate))


def test_its_prepared_run_agrees(referee: Gradparity, candidate: Candidate, other: Problem) -> None:
    """The losses and the parameters' gradients of two runs, of which the first is called again after the second."""
    of_other: list[Evaluation] = []

    def ask(backend: Backend, problem: Problem, trace: bool) -> Evaluation:
        again, between = runs_in_turn(backend, problem, other)
        of_other.append(between)
        return again

    referee.assert_agree(AskedBackend(candidate.backend, ask, run_only=True), problem=referee.problem)
    referee.assert_agree(AskedBackend(candidate.backend, lambda *_: of_other[0], run_only=True), problem=other)


def test_its_later_answers_agree_and_leave_the_first_as_it_was(
    referee: Gradparity, candidate: Candidate, other: Problem
) -> None:
    """Other numbers are asked twice: nothing is left over from one answer in the next, and no array is shared."""
    referee.assert_agree(AskedBackend(candidate.backend, evaluate_after(referee.problem)), problem=other)


def test_it_says_what_it_supports(candidate: Candidate) -> None:
    """`supports` returns a string, empty or with a reason; it is empty at least once, and not in vain."""
    backend = candidate.backend
    for question in questions():
        try:
            reason_of(backend, question)
        except RequestError as error:
            raise pytest.fail.Exception(f"{backend.name}: {error}, for {question.id}", pytrace=False) from None
    asked = supported(backend)
    if not asked:
        pytest.fail(f"{backend.name}: supports no system of the catalogue", pytrace=False)
    if not any(answers(backend, question.problem) for question in asked):
        pytest.fail(f"{backend.name}: refuses every problem that it supports when it is asked", pytrace=False)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A backend, and the name under which it was given."""

    given: str
    backend: Backend


@dataclass(frozen=True, eq=False)
class AskedBackend:
    """A backend that is asked in a way of its own, and watched for what it leaves behind."""

    backend: Backend
    ask: Ask
    run_only: bool = False  # which gives the parameters' gradients alone

    @property
    def name(self) -> str:
        return self.backend.name

    @property
    def partial(self) -> bool:
        return self.run_only or is_partial(self.backend)

    @property
    def descend(self) -> object:
        """Absent where the backend has none."""
        return self.backend.descend  # type: ignore[attr-defined]

    def supports(self, model: Model, dtype: str) -> str:
        return self.backend.supports(model, dtype)

    def evaluate(self, problem: Problem, *, trace: bool = False) -> Evaluation:
        with numpy_unchanged():
            return self.ask(self.backend, problem, trace)

    def prepare(self, problem: Problem) -> Callable[[], object]:
        return self.backend.prepare(problem)


def evaluate(backend: Backend, problem: Problem, trace: bool) -> Evaluation:
    """The backend's answer."""
    return backend.evaluate(problem, trace=trace)


def evaluate_after(earlier: Problem) -> Ask:
    """The second answer to a problem, after one to an earlier problem, which has to stay as it is."""

    def ask(backend: Backend, problem: Problem, trace: bool) -> Evaluation:
        first = backend.evaluate(earlier.writable_copy(), trace=trace)
        before = copies(first, earlier)
        backend.evaluate(problem, trace=trace)
        require_same(before, copies(first, earlier))
        return backend.evaluate(problem, trace=trace)

    return ask


def runs_in_turn(backend: Backend, problem: Problem, other: Problem) -> tuple[Evaluation, Evaluation]:
    """What a run returns when it is called again, after all was asked of another problem; and what that one's does."""
    run = backend.prepare(problem)
    between = other.writable_copy()
    run_between = backend.prepare(between)
    backend.evaluate(between)
    first = run()
    before = copies(returned(first, backend, problem), problem)
    of_other = returned(run_between(), backend, other)
    again = returned(run(), backend, problem)
    require_same(before, copies(returned(first, backend, problem), problem))
    return again, of_other


def returned(found: object, backend: Backend, problem: Problem) -> Evaluation:
    """A copy of what a run returned.

    Raises:
        TypeError: it is no pair of a loss and gradients by name.
        ValueError: the backend is not partial, and these are not those of the parameters.
    """
    loss, gradients = prepared_answer(found)
    if not is_partial(backend) and gradients.keys() != problem.params.keys():
        raise ValueError(f"its run returned the gradients of {list(gradients)}, expected {list(problem.params)}")
    return Evaluation(loss, gradients, outputs=None)


def copies(answer: Evaluation, problem: Problem) -> dict[str, np.ndarray]:
    """All that is answered, by the name under which it is judged."""
    return {name: quantity.values.copy() for name, quantity in quantities(answer, problem).items()}


def require_same(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> None:
    """Raises ValueError unless an answer is what it was."""
    for name, values in before.items():
        if not np.array_equal(values, after[name], equal_nan=True):
            raise ValueError(f"a later call overwrote {name} in an earlier answer")


@contextmanager
def numpy_unchanged() -> Iterator[None]:
    """Raises ValueError if NumPy's error handling or random numbers, which are everyone's, change; and undoes it."""
    handling, drawn = np.geterr(), np.random.get_state()  # noqa: NPY002 # that one is global
    try:
        yield
        if np.geterr() != handling:
            raise ValueError("it changed how NumPy handles floating-point errors, and left it so")
        if not all(map(np.array_equal, drawn, np.random.get_state())):  # noqa: NPY002
            raise ValueError("it changed the state of NumPy's global random numbers")
    finally:
        np.seterr(**handling)
        np.random.set_state(drawn)  # noqa: NPY002


def is_partial(backend: Backend) -> bool:
    """Whether it may leave gradients and outputs out."""
    return bool(getattr(backend, "partial", False))


def answers(backend: Backend, problem: Problem) -> bool:
    """Whether the backend takes the problem on. An error is told where the answer is judged."""
    try:
        AskedBackend(backend, evaluate).evaluate(problem.writable_copy())
    except UnsupportedProblemError:
        return False
    except (Exception, SystemExit):
        return True
    return True


CANDIDATES = pytest.StashKey[list[Candidate]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    candidates = candidates_of(metafunc.config)
    if "question" in metafunc.fixturenames:
        asked = [(candidate, question) for candidate in candidates for question in supported(candidate.backend)]
        ids = [f"{candidate.backend.name}-{question.id}" for candidate, question in asked]
        metafunc.parametrize(("candidate", "question"), asked, ids=ids)
    else:
        metafunc.parametrize("candidate", candidates, ids=[candidate.backend.name for candidate in candidates])


@pytest.fixture
def referee(
    request: pytest.FixtureRequest,
    candidate: Candidate,
    question: Question,
    record_property: Callable[[str, object], None],
) -> Gradparity:
    """The referee, which asks one backend at a time."""
    record_property(PROPERTY, candidate.backend.name)
    test = ("--pyargs", f"{__name__}::{request.node.name}", f"--gradparity-backend={candidate.given}")
    return replace(for_test(request, question), backends=(), test=test)


@pytest.fixture
def other(question: Question) -> Problem:
    """The question's problem with other numbers."""
    return replace(question, seed=question.seed + 1).problem


def candidates_of(config: pytest.Config) -> list[Candidate]:
    """The backends that were given, each loaded once.

    Raises:
        RequestError: there are none, or one does not load.
    """
    if CANDIDATES in config.stash:
        return config.stash[CANDIDATES]
    names = list(dict.fromkeys(config.getoption("gradparity_backend")))
    if not names:
        raise RequestError("the conformance suite needs a backend: add --gradparity-backend NAME, or module:object")
    config.stash[CANDIDATES] = [Candidate(*each) for each in zip(names, resolve(names).values(), strict=True)]
    return config.stash[CANDIDATES]


def check_options(config: pytest.Config) -> None:
    """Refuses, before anything is collected, a run without backends, or with one that does not load."""
    with refused_as(pytest.UsageError):
        names = [candidate.backend.name for candidate in candidates_of(config)]
        if "manual" in names and not config.getoption("gradparity_certify"):
            raise RequestError("manual is what backends are compared with: add --gradparity-certify")


def supported(backend: Backend) -> list[Question]:
    """The questions that the backend says it can answer."""
    return [question for question in questions() if not reason_left_out(backend, question)]


def reason_left_out(backend: Backend, question: Question) -> str:
    """Why the backend is not asked the question; empty if it is."""
    try:
        return reason_of(backend, question)
    except RequestError as error:
        return str(error)


def reason_of(backend: Backend, question: Question) -> str:
    """What the backend itself says on whether it can compute the question.

    Raises:
        BrokenBackendError: it raises.
        RequestError: it returns no string.
    """
    try:
        reason = backend.supports(question.system.model, question.dtype)
    except (Exception, SystemExit) as error:
        raise BrokenBackendError(f"supports raised {first_line(error)}") from error
    if not isinstance(reason, str):
        raise RequestError(f"supports returned a {type(reason).__name__}, expected a str")
    return reason


def left_out(config: pytest.Config) -> Iterator[str]:
    """For each backend the lines on what was not run, and why."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", [])
    for backend in (candidate.backend for candidate in candidates_of(config)):
        name = backend.name
        unsupported = Counter(filter(None, (reason_left_out(backend, question) for question in questions())))
        told = [report.longrepr[2] for report in skipped if (PROPERTY, name) in report.user_properties]
        refused = Counter(text.partition(f"{name}: ")[2] or text for text in told)
        for reasons, what in (
            (unsupported, f"{unsupported.total()} of {len(questions())} problems are not supported and were not run"),
            (refused, "tests were skipped, since it refused what it was asked"),
        ):
            if reasons:
                why = "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common())
                yield f"{name}: {what}: {why}"
