"""A backend that the conformance suite asks in several orders, and watches for what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from ...backends import Backend, Evaluation, Model, Problem, UnsupportedProblemError
from ...backends.interface import prepared_answer
from ..answers import quantities

Ask = Callable[[Backend, Problem, bool], Evaluation]


@dataclass(frozen=True, eq=False)
class WatchedBackend:
    """A backend behind the same interface, whose answer is what `ask` gets from it.

    Attributes:
        backend: that is watched.
        ask: gets an answer from the backend; the last argument says whether adjoints are wanted.
        run_only: `ask` gives the gradients of the parameters alone.
    """

    backend: Backend
    ask: Ask
    run_only: bool = False

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
    """Asks for two answers to a problem, after one to an earlier problem, which has to stay as it is."""

    def ask(backend: Backend, problem: Problem, trace: bool) -> Evaluation:
        first = backend.evaluate(earlier.writable_copy(), trace=trace)
        before = copied_quantities(first, earlier)
        backend.evaluate(problem, trace=trace)
        require_same(before, copied_quantities(first, earlier))
        return backend.evaluate(problem, trace=trace)

    return ask


def runs_in_turn(backend: Backend, problem: Problem, other: Problem) -> tuple[Evaluation, Evaluation]:
    """Calls the run of a problem, then that of another, then the first again.

    Returns:
        What the first run returned when it was called again, and what the other one returned.
    """
    run = backend.prepare(problem)
    other_copy = other.writable_copy()
    other_run = backend.prepare(other_copy)
    backend.evaluate(other_copy)
    first = run()
    before = copied_quantities(run_answer(first, backend, problem), problem)
    between = run_answer(other_run(), backend, other)
    again = run_answer(run(), backend, problem)
    require_same(before, copied_quantities(run_answer(first, backend, problem), problem))
    return again, between


def run_answer(returned: object, backend: Backend, problem: Problem) -> Evaluation:
    """A copy of what a run returned.

    Raises:
        TypeError: it is no pair of a loss and gradients by name.
        ValueError: the backend is not partial, and these are not those of the parameters.
    """
    loss, gradients = prepared_answer(returned)
    if not is_partial(backend) and gradients.keys() != problem.params.keys():
        raise ValueError(f"its run returned the gradients of {list(gradients)}, expected {list(problem.params)}")
    return Evaluation(loss, gradients, outputs=None)


def copied_quantities(answer: Evaluation, problem: Problem) -> dict[str, np.ndarray]:
    """Copies of all that is answered, by the name under which it is judged."""
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


def takes_on(backend: Backend, problem: Problem) -> bool:
    """Whether the backend does not refuse the problem when it is asked; another error is judged by other tests."""
    try:
        WatchedBackend(backend, evaluate).evaluate(problem.writable_copy())
    except UnsupportedProblemError:
        return False
    except (Exception, SystemExit):
        return True
    return True
