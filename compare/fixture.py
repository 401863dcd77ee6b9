"""What stands behind pytest's fixture `gradparity`: the question of a test, and the referee that it is handed."""

from __future__ import annotations

import inspect
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import PathFinder
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ..backends import (
    Backend,
    InvalidProblemError,
    MissingFrameworkError,
    Problem,
    RequestError,
    UnsupportedProblemError,
    get_backend,
    load_backends,
)
from ..backends.checks import DTYPES, require_dtype, require_integer
from ..backends.errors import unknown_name
from ..backends.files import require_folder
from ..backends.frameworks import require
from .catalogue import SYSTEMS, System, get_system
from .certificate import UncertifiableError
from .check import Check, check_derivation
from .check_display import named, numbers
from .derivation import Function
from .pytest_plugin import NOTE, STARTED_WITH
from .referee import DisagreementError, compare, require_answered, resolve
from .results import Comparison


@dataclass(frozen=True)
class Question:
    """A problem of the catalogue, by what it is made from."""

    system: System
    dtype: str
    seed: int

    @property
    def id(self) -> str:
        """`lstm-float64-0`."""
        return f"{self.system.name}-{self.dtype}-{self.seed}"

    @cached_property
    def problem(self) -> Problem:
        """Drawn when it is first asked for."""
        return self.system.problem(seed=self.seed, dtype=self.dtype)

    @property
    def arguments(self) -> list[str]:
        """What makes the command line ask it."""
        return [self.system.name, "--dtype", self.dtype, "--seed", str(self.seed)]


@dataclass(frozen=True, repr=False)
class Gradparity:
    """The referee as the fixture `gradparity` hands it out.

    Attributes:
        question: of a test that is parametrized by the marker.
        backends: those of `--gradparity-backend`, which are asked too.
        certify: whether the exact answer is asked for.
        folder: in which a problem is saved that is no agreement.
        test: the arguments that make pytest run this very test.
        path: where a process that is started anew looks for modules.
        note: keeps what is to be said of the test at the end of the run.
    """

    question: Question | None
    backends: tuple[str, ...]
    certify: bool
    folder: Path | None
    test: tuple[str, ...]
    path: tuple[str, ...]
    note: Callable[[str], None]

    def __repr__(self) -> str:
        return f"<gradparity on {self.question.id if self.question else 'what it is given'}>"

    @property
    def problem(self) -> Problem:
        """The test's own problem."""
        return self._own.problem

    @property
    def system(self) -> System:
        """The system of the catalogue that the test is parametrized with."""
        return self._own.system

    @property
    def _own(self) -> Question:
        if self.question is None:
            pytest.fail("this test has no problem: add @pytest.mark.gradparity(...), or give problem=", pytrace=False)
        return self.question

    def assert_agree(self, *backends: str | Backend, problem: Problem | None = None) -> Comparison:
        """Passes if the backends agree on the test's own problem, or on the one that is given.

        One that is named alone is compared with `manual`; none at all means all that are installed. Those of
        `--gradparity-backend` are asked too, as far as they can compute the problem. On the test's own problem a system
        that learns is learned from, as `gradparity compare` does. The test is skipped where a framework of the backends
        that it names is not installed, or these cannot compute the problem, with the reason.

        Raises:
            DisagreementError: something disagrees, or cannot be decided; with a line that reproduces it.
        """
        __tracebackhide__ = True
        training = self._own.system.training if problem is None else None
        about, certify = problem or self.problem, self.certify
        with _outcomes():
            named = resolve(backends) if backends else {}
            others = self._others(named)
            asked = [*named.values(), *others.values()]
            try:
                found = compare(about, asked, training=training, certify=certify)
            except UncertifiableError as error:
                self.note(f"compared without a certificate: {error}")
                certify = False
                found = compare(about, asked, training=training)
            if found.verdict == "agree":
                require_answered(found, named)
        for name in (others[given].name for given in self.backends if given in others):
            if name in found.skipped:
                self.note(f"{name} was left out: {found.skipped[name]}")
        if found.verdict == "agree":
            return found
        told = [*backends, *(others if self.backends else ())]
        options = [part for each in told for part in ("--backend", reference(each, self.path))]
        options += ["--certify"] * certify
        saved = self._saved(about, self._own.system.name if problem is None else "case")
        if "" in options:
            command = self._run_again()
        elif problem is None:
            command = ["gradparity", "compare", *self._own.arguments, *options]
        else:
            command = (
                ["gradparity", "compare", "--case", os.path.relpath(saved), *options] if saved else self._run_again()
            )
        raise DisagreementError(found, next_step=_next_step(command, saved))

    def check_derivation(self, function: Function, system: str | System | None = None) -> Check:
        """Passes if a derivation by hand is right on a system: by default the test's own, in its dtype and seed.

        Raises:
            DisagreementError: it is wrong; with the mistake, and the smallest problem on which it is.
        """
        __tracebackhide__ = True
        own = self.question
        asked = system or (own.system if own else "elman-softmax")
        options: dict[str, Any] = {"seeds": (own.seed,), "dtype": own.dtype} if own else {}
        with _outcomes():
            check = check_derivation(function, asked, **options)
        if not check.first_wrong:
            return check
        lines = []
        if check.smallest:
            lines += ["The smallest problem on which it is still wrong:", numbers(check.smallest, check.name)]
        lines += [named(check.diagnosis)] if check.sizes else []
        saved = self._saved((check.smallest or check.first_wrong).problem, check.system)
        command, source = self._run_again(), _source(function)
        if source and isinstance(asked, str | System) and check.system in SYSTEMS:
            command = ["gradparity", "check", source, "--system", check.system]
            command += ["--dtype", own.dtype, "--seed", str(own.seed)] if own else []
        raise DisagreementError(check.first_wrong, next_step="\n".join([*lines, _next_step(command, saved)]))

    def _others(self, named: Mapping[str, Backend]) -> dict[str, Backend]:
        """The backends that are asked beside those that a test names, by their names, or as the option has them."""
        others = {} if named else load_backends()[0]
        if len(named) == 1 and "manual" not in named:
            others["manual"] = get_backend("manual")
        for given in self.backends:
            ((name, backend),) = resolve([given]).items()
            there = {**named, **others}.get(name)
            if there is None:
                others[given] = backend
            elif type(there) is not type(backend):
                raise RequestError(f"two backends are called {name!r}: each needs a name of its own")
        return others

    def _saved(self, problem: Problem, name: str) -> Path | None:
        try:
            return problem.save_in(self.folder, name) if self.folder else None
        except RequestError as error:  # what was found is told all the same
            self.note(f"the problem was not saved: {error}")
            return None

    def _run_again(self) -> list[str]:
        options = [f"--gradparity-backend={name}" for name in self.backends]
        return ["pytest", *self.test, *options, *["--gradparity-certify"] * self.certify]


def for_test(request: pytest.FixtureRequest, question: Question | None) -> Gradparity:
    """The referee of a test."""
    config = request.config
    here = config.invocation_params.dir
    folder = config.getoption("gradparity_save_case")
    _, _, name = request.node.nodeid.partition("::")
    return Gradparity(
        question,
        tuple(dict.fromkeys(config.getoption("gradparity_backend"))),
        config.getoption("gradparity_certify"),
        here / folder if folder else None,
        (f"{os.path.relpath(request.node.path, here)}::{name}",),
        _path_of_a_new_process(config),
        lambda text: request.node.user_properties.append((NOTE, text)),
    )


def questions(
    *systems: str | System, dtype: str | Sequence[str] = DTYPES, seed: int | Sequence[int] = 0
) -> list[Question]:
    """The problems of the systems, or of the whole catalogue, in every dtype and from every seed.

    Raises:
        RequestError: there is no such system or dtype, or a seed is no number.
    """
    for each in systems:
        if not isinstance(each, str | System):
            raise InvalidProblemError(f"{each!r} is no system, expected its name")
    found = [each if isinstance(each, System) else get_system(each) for each in systems or SYSTEMS]
    dtypes = [require_dtype(each).name for each in _listed("dtype", dtype)]
    seeds = [require_integer("seed", each, at_least=0) for each in _listed("seed", seed)]
    return [Question(*each) for each in product(found, dtypes, seeds)]


def _listed(name: str, value: Any) -> Sequence[Any]:
    """The values of an argument that may be one or several."""
    found: Sequence[Any] = value if isinstance(value, list | tuple | range) else [value]
    if len(found) == 0 or None in found:
        raise InvalidProblemError(f"{name} = {value!r}, expected one or several")
    return found


def questions_of(marker: pytest.Mark, test: str) -> list[Question]:
    """The questions of a test's marker; a wrong one is an error of the collection, in one line."""
    with refused_as(lambda message: pytest.Collector.CollectError(f"{test}: {message}")):
        for keyword in marker.kwargs.keys() - {"dtype", "seed"}:
            raise unknown_name("keyword of the marker gradparity", keyword, ("dtype", "seed"))
        return questions(*marker.args, **marker.kwargs)


def check_options(config: pytest.Config) -> None:
    """Refuses options that cannot be met, before anything is collected."""
    folder = config.getoption("gradparity_save_case")
    with refused_as(pytest.UsageError):
        for name in config.getoption("gradparity_backend"):
            if ":" not in name:
                get_backend(name)
        if config.getoption("gradparity_certify"):
            require("flint", needed_by="--gradparity-certify", extra="certify", package="python-flint")
        if folder:
            require_folder(config.invocation_params.dir / folder)


def reference(backend: str | Backend, path: Sequence[str]) -> str:
    """The name under which another process, with that path, finds a backend; empty if there is none."""
    if isinstance(backend, str):
        return backend
    kind = backend if isinstance(backend, type) else type(backend)
    module = sys.modules.get(kind.__module__)
    names = [name for name, value in vars(module).items() if value is backend] if module else []
    if not module or not names:
        return ""
    root = sys.modules[module.__name__.partition(".")[0]]
    found = PathFinder.find_spec(root.__name__, [*path, os.getcwd()])
    return f"{module.__name__}:{names[0]}" if found and found.origin == root.__file__ else ""


def _path_of_a_new_process(config: pytest.Config) -> tuple[str, ...]:
    """sys.path without the folders that pytest adds to find tests, which the other process will not have."""
    added = {str(folder) for folder in config.getini("pythonpath")}
    return tuple(folder for folder in STARTED_WITH if folder not in added)


def _source(function: Function) -> str:
    """`FILE.py:FUNCTION`, or nothing if it is no function of a file."""
    name = getattr(function, "__name__", "")
    module = sys.modules.get(getattr(function, "__module__", ""))
    if getattr(module, name, None) is not function or not (file := inspect.getsourcefile(function)):
        return ""
    return f"{os.path.relpath(file)}:{name}"


def _next_step(command: Sequence[str], saved: Path | None) -> str:
    keep = (
        f"The problem is saved: {os.path.relpath(saved)}" if saved else "Keep the problem: --gradparity-save-case DIR"
    )
    return f"{keep}\nTry: {shlex.join(command)}"


@contextmanager
def refused_as(error: Callable[[str], BaseException]) -> Iterator[None]:
    """Turns a wrong request into an error of pytest's, in one line."""
    try:
        yield
    except RequestError as refused:
        raise error(" ".join(str(refused).split())) from None


@contextmanager
def _outcomes() -> Iterator[None]:
    """What becomes of a test whose question cannot be asked: it is skipped, or fails in one line."""
    with _failed():
        try:
            yield
        except (MissingFrameworkError, UnsupportedProblemError) as error:
            raise pytest.skip.Exception(str(error)) from None


def _failed() -> AbstractContextManager[None]:
    return refused_as(lambda message: pytest.fail.Exception(message, pytrace=False))
