"""What stands behind pytest's fixture `gradparity`: the question of a test, and the referee that it is handed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ...backends import (
    Backend,
    MissingFrameworkError,
    Problem,
    RequestError,
    UnsupportedProblemError,
    get_backend,
    load_backends,
)
from ...backends.files import require_folder
from ...backends.frameworks.loading import require
from ...backends.registry import resolve
from ..check import Check, Function, check_derivation
from ..check.display import numbers
from ..diagnosis import named
from ..referee import Comparison, DisagreementError, compare, compare_certified_if_possible, require_answered
from ..systems import SYSTEMS, System
from .questions import Question, refused_as
from .reproduction import next_step_of_test, path_of_a_new_process, reference, source_of
from .session import NOTE


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
            asked = resolve([*named.values(), *others.values()])
            ask = compare_certified_if_possible if certify else compare
            found = ask(about, asked, training=training)
            if found.uncertified:
                self.note(f"compared without a certificate: {found.uncertified}")
                certify = False
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
        raise DisagreementError(found, next_step=next_step_of_test(command, saved))

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
        command, source = self._run_again(), source_of(function)
        if source and isinstance(asked, str | System) and check.system in SYSTEMS:
            command = ["gradparity", "check", source, "--system", check.system]
            command += ["--dtype", own.dtype, "--seed", str(own.seed)] if own else []
        raise DisagreementError(check.first_wrong, next_step="\n".join([*lines, next_step_of_test(command, saved)]))

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
        path_of_a_new_process(config),
        lambda text: request.node.user_properties.append((NOTE, text)),
    )


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
