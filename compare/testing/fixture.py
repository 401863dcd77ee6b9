"""What stands behind pytest's fixture `gradparity`: the referee, on the problem of a test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
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
from ...backends.errors import DerivationError
from ...backends.file_writing import require_folder
from ...backends.frameworks.loading import require
from ...backends.registry import resolve
from ..check import Check, Function, check_derivation
from ..check.smaller_wording import small_problem_text, smallest_heading
from ..check.wording import summary
from ..diagnosis import describe_diagnosis
from ..functions import check_gradients
from ..referee import (
    Comparison,
    DisagreementError,
    compare,
    compare_certified_if_possible,
    not_given_lines,
    require_answered,
)
from ..referee.results import Failure
from ..systems import SYSTEMS, System
from .catalogue_problems import CatalogueProblem, refused_as
from .reproduction import backend_target, function_target, next_step_of_test, path_of_a_new_process
from .session import NOTE


@dataclass(frozen=True, repr=False)
class Gradparity:
    """The referee as the fixture `gradparity` hands it out.

    A test uses `problem`, `system`, `assert_agree`, `assert_gradients` and `check_derivation`; the rest is for the
    plugin.

    Attributes:
        catalogue_problem: the problem of a test that is parametrized by the marker; None without it.
        backends: the values of `--gradparity-backend`, which are asked too.
        certify: whether the exact answer is asked for.
        folder: in which a problem is saved that is no agreement.
        test: the arguments that make pytest run this very test.
        path: where a process that is started anew looks for modules.
        note: keeps what is to be said of the test at the end of the run.
        keep: keeps a result and the method that made it, for the page of the run.

    Examples:
        In a test file, with pytest:

            @pytest.mark.gradparity("lstm", "gru", dtype="float64", seed=7)
            def test_my_backend_agrees(gradparity):
                gradparity.assert_agree("my_package:backend", "torch")
    """

    catalogue_problem: CatalogueProblem | None
    backends: tuple[str, ...]
    certify: bool
    folder: Path | None
    test: tuple[str, ...]
    path: tuple[str, ...]
    note: Callable[[str], None]
    keep: Callable[[Comparison | Check, str], None]

    def __repr__(self) -> str:
        return f"<gradparity on {self.catalogue_problem.id if self.catalogue_problem else 'what it is given'}>"

    @property
    def problem(self) -> Problem:
        """The problem of a test that is parametrized by the marker; one without it fails here."""
        return self._require_marked().problem

    @property
    def system(self) -> System:
        """The system of the catalogue that the test is parametrized with."""
        return self._require_marked().system

    def _require_marked(self) -> CatalogueProblem:
        if self.catalogue_problem is None:
            pytest.fail("this test has no problem: add @pytest.mark.gradparity(...), or give problem=", pytrace=False)
        return self.catalogue_problem

    def assert_agree(self, *backends: str | Backend, problem: Problem | None = None) -> Comparison:
        """Passes if the backends agree on the problem of the test's marker, or on `problem`.

        The backends of `--gradparity-backend` are asked too, as far as they can compute the problem. A system of the
        marker that learns is learned, as `gradparity compare` does. The test is skipped, with the reason, where a
        framework of the backends that it names is not installed, or one of them cannot compute the problem.

        Args:
            backends: names, `module:object`, or Backend objects. One alone is compared with `manual`; none means all
                that are installed.
            problem: what is computed, in place of the marker's problem.

        Returns:
            The comparison, whose verdict is `agree`.

        Raises:
            DisagreementError: something disagrees, or cannot be decided; with a line that reproduces it.
        """
        __tracebackhide__ = True
        marked = self._require_marked() if problem is None else None
        judged = self.problem if problem is None else problem
        training = marked.system.training if marked else None
        certify = self.certify
        with _outcomes():
            asked_by_test = resolve(backends) if backends else {}
            others = self._others(asked_by_test)
            selection = resolve([*asked_by_test.values(), *others.values()])
            ask = compare_certified_if_possible if certify else compare
            comparison = ask(judged, selection, training=training)
            self.keep(comparison, "assert_agree")
            if comparison.uncertified:
                self.note(f"compared without a certificate: {comparison.uncertified}")
                certify = False
            if comparison.verdict == "agree":
                require_answered(comparison, asked_by_test)
        for name in (others[option].name for option in self.backends if option in others):
            if name in comparison.skipped:
                self.note(f"{name} was left out: {comparison.skipped[name]}")
        if comparison.verdict == "agree":
            if comparison.reservation:
                self.note(comparison.reservation)
            for name, line in not_given_lines(comparison).items():
                if not getattr(selection[name], "run_only", False):  # which is asked for no more
                    self.note(line)
            return comparison
        targets = [backend_target(backend, self.path) for backend in (*backends, *(others if self.backends else ()))]
        options = [part for target in targets for part in ("--backend", target)]
        options += ["--certify"] * certify
        saved = self._saved(judged, marked.system.name if marked else "case")
        command = self._run_again()
        if marked and "" not in targets:
            command = ["gradparity", "compare", *marked.arguments, *options]
        elif saved and "" not in targets:
            command = ["gradparity", "compare", "--case", os.path.relpath(saved), *options]
        raise DisagreementError(comparison, next_step=next_step_of_test(command, saved))

    def assert_gradients(self, function: Function, *arguments: Any, **options: Any) -> Check:
        """Passes if a function returns the gradients of the loss that it returns.

        Args:
            function: as for `gradparity.compare.check_gradients`.
            *arguments: what it is called with.
            **options: as for `gradparity.compare.check_gradients`.

        Returns:
            The check, whose verdict is `agree`.

        Raises:
            DisagreementError: a gradient is wrong, or cannot be decided; with a line that reproduces it.
        """
        __tracebackhide__ = True
        with _outcomes():
            try:
                check = check_gradients(function, *arguments, **options)
                self.keep(check, "assert_gradients")
            except DerivationError as error:
                raise RequestError(str(error)) from error
        for note in check.notes:
            self.note(note)
        if not check.worst:
            return check
        comparison = check.worst.comparison
        saved = self._saved(comparison.problem, check.name)
        next_step = next_step_of_test(self._run_again(), saved)
        raise DisagreementError(comparison, report=summary(check, next_step=next_step))

    def check_derivation(self, function: Function, system: str | System | None = None) -> Check:
        """Passes if a derivation by hand is right on a system.

        Args:
            function: the derivation, as for `gradparity.compare.check_derivation`.
            system: a name from `gradparity systems`, or a System. None means the marker's, and `elman-softmax` without
                a marker. Dtype and seed are those of the marker too.

        Returns:
            The check, whose verdict is `agree`.

        Raises:
            DisagreementError: it is wrong; with the mistake, and the smallest problem on which it is.
        """
        __tracebackhide__ = True
        marked = self.catalogue_problem
        asked = system or (marked.system if marked else "elman-softmax")
        options: dict[str, Any] = {"seeds": (marked.seed,), "dtype": marked.dtype} if marked else {}
        with _outcomes():
            check = check_derivation(function, asked, **options)
            self.keep(check, "check_derivation")
        if not (worst := check.worst):
            return check
        comparison = worst.comparison
        if worst.verdict == "not reproducible":
            failure = Failure(check.name, "error", worst.reason)
            comparison = replace(comparison, verdict="disagree", failures=(*comparison.failures, failure))
        lines = [f"Of the problems that it was asked, this is {worst.name}."]
        if check.smallest:
            smallest = small_problem_text(check.smallest, check.name)
            lines += [smallest_heading(check.small), smallest]
        lines += [describe_diagnosis(check.diagnosis)] if check.small.tried else []
        saved = self._saved((check.smallest or comparison).problem, check.system)
        command, target = self._run_again(), function_target(function)
        if target and isinstance(asked, str | System) and check.system in SYSTEMS:
            command = ["gradparity", "check", target, "--system", check.system]
            command += ["--dtype", marked.dtype, "--seed", str(marked.seed)] if marked else []
        raise DisagreementError(comparison, next_step="\n".join([*lines, next_step_of_test(command, saved)]))

    def _others(self, asked_by_test: Mapping[str, Backend]) -> dict[str, Backend]:
        """The backends that are asked beside those of a test, by their names, or by the option's value."""
        others = {} if asked_by_test else load_backends()[0]
        if len(asked_by_test) == 1 and "manual" not in asked_by_test:
            others["manual"] = get_backend("manual")
        for option in self.backends:
            ((name, backend),) = resolve([option]).items()
            namesake = {**asked_by_test, **others}.get(name)
            if namesake is None:
                others[option] = backend
            elif type(namesake) is not type(backend):
                raise RequestError(f"two backends are called {name!r}: each needs a name of its own")
        return others

    def _saved(self, problem: Problem, name: str) -> Path | None:
        try:
            return problem.save_in(self.folder, name) if self.folder else None
        except RequestError as error:  # the failure is reported all the same
            self.note(f"the problem was not saved: {error}")
            return None

    def _run_again(self) -> list[str]:
        options = [f"--gradparity-backend={name}" for name in self.backends]
        return ["pytest", *self.test, *options, *["--gradparity-certify"] * self.certify]


def for_test(request: pytest.FixtureRequest, catalogue_problem: CatalogueProblem | None) -> Gradparity:
    """The referee of a test."""
    config = request.config
    here = config.invocation_params.dir
    folder = config.getoption("gradparity_save_case")
    _, _, name = request.node.nodeid.partition("::")
    return Gradparity(
        catalogue_problem,
        tuple(dict.fromkeys(config.getoption("gradparity_backend"))),
        config.getoption("gradparity_certify"),
        here / folder if folder else None,
        (f"{os.path.relpath(request.node.path, here)}::{name}",),
        path_of_a_new_process(config),
        lambda text: request.node.user_properties.append((NOTE, text)),
        _keeper(request),
    )


def _keeper(request: pytest.FixtureRequest) -> Callable[[Comparison | Check, str], None]:
    if not request.config.getoption("gradparity_report"):
        return lambda result, kind: None
    from .report import keep

    return lambda result, kind: keep(request.node, result, kind)


def check_plugin_options(config: pytest.Config) -> None:
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
    """Skips a test whose problem cannot be computed, and fails one whose request is wrong, in one line."""
    with _failed():
        try:
            yield
        except (MissingFrameworkError, UnsupportedProblemError) as error:
            raise pytest.skip.Exception(str(error)) from None


def _failed() -> AbstractContextManager[None]:
    return refused_as(lambda message: pytest.fail.Exception(message, pytrace=False))
