"""The conformance suite, run on backends that are right and on some with one fault each."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from sampling import case

pytest_plugins = ["pytester"]
LEAN = ("-p", "no:hypothesispytest", "-p", "no:jaxtyping", "-p", "no:cacheprovider")
PAGE = Path(__file__).parents[2] / "docs" / "add-a-backend.md"

FAULTY = """
import numpy as np
from dataclasses import replace

from gradparity.backends import Evaluation, UnsupportedProblemError, get_backend
from gradparity.compare import SYSTEMS

manual = get_backend("manual")


def twice(gradients):
    return {name: 2 * gradient for name, gradient in gradients.items()}


class Right:
    \"""Right on one system.\"""

    system = "logistic-regression"

    @property
    def name(self):
        return type(self).__name__

    def supports(self, model, dtype):
        return "" if model == SYSTEMS[self.system].model and dtype == "float64" else f"{self.name} does something else"

    def evaluate(self, problem, *, trace=False):
        return manual.evaluate(problem, trace=trace)

    def prepare(self, problem):
        return manual.prepare(problem)


class OtherRun(Right):
    def prepare(self, problem):
        loss, gradients = manual.prepare(problem)()
        return lambda: (loss, twice(gradients))


class OtherLoss(Right):
    def prepare(self, problem):
        loss, gradients = manual.prepare(problem)()
        return lambda: (2 * loss, gradients)


class ShortRun(Right):
    def prepare(self, problem):
        loss, gradients = manual.prepare(problem)()
        return lambda: (loss, {"W1": gradients["W1"]})


class Accumulates(Right):
    def prepare(self, problem):
        run, total = manual.prepare(problem), {}

        def accumulate():
            loss, gradients = run()
            for name, gradient in gradients.items():
                total[name] = total.get(name, 0.0) + gradient
            return loss, dict(total)

        return accumulate


class OneRun(Right):
    \"""Compiled once for a model and a dtype, with the numbers in it.\"""

    def __init__(self):
        self.runs = {}

    def prepare(self, problem):
        return self.runs.setdefault((problem.model, problem.dtype), manual.prepare(problem))


class LastPrepared(Right):
    def prepare(self, problem):
        self.problem = problem
        return lambda: manual.prepare(self.problem)()


class LastEvaluated(Right):
    def evaluate(self, problem, *, trace=False):
        self.problem = problem
        return manual.evaluate(problem, trace=trace)

    def prepare(self, problem):
        self.problem = problem
        return lambda: manual.prepare(self.problem)()


class OneRunsArray(Right):
    def prepare(self, problem):
        run = manual.prepare(problem)
        loss, kept = run()

        def fill():
            for gradient in kept.values():
                gradient *= 1 + 1e-15
            return loss, kept

        return fill


class Keeps(Right):
    \"""Hands out one array for a part of all its answers.\"""

    part = "gradients"

    def __init__(self):
        self.kept = {}

    def evaluate(self, problem, *, trace=False):
        answer = manual.evaluate(problem, trace=trace)
        for name, array in self.of(answer).items():
            self.kept.setdefault(name, array)[...] = array
        return replace(answer, **{self.part: dict(self.kept)})

    def of(self, answer):
        return getattr(answer, self.part)


class OneGradient(Keeps):
    pass


class OneAdjoint(Keeps):
    part = "adjoints"


class OneOutput(Keeps):
    def evaluate(self, problem, *, trace=False):
        answer = manual.evaluate(problem, trace=trace)
        self.kept.setdefault("outputs", answer.outputs)[...] = answer.outputs
        return replace(answer, outputs=self.kept["outputs"])


class FirstAnswer(Right):
    def __init__(self):
        self.first = {}

    def evaluate(self, problem, *, trace=False):
        return self.first.setdefault(trace, manual.evaluate(problem, trace=trace))


class FirstAdjoints(FirstAnswer):
    def evaluate(self, problem, *, trace=False):
        first = super().evaluate(problem, trace=trace)
        return replace(manual.evaluate(problem, trace=trace), adjoints=first.adjoints)


class Ignores(Right):
    def evaluate(self, problem, *, trace=False):
        np.seterr(all="ignore")
        return manual.evaluate(problem, trace=trace)


class Seeds(Right):
    def evaluate(self, problem, *, trace=False):
        np.random.seed(0)
        return manual.evaluate(problem, trace=trace)


class Silent(Right):
    def supports(self, model, dtype):
        return None if dtype == "float32" else super().supports(model, dtype)


class Raises(Right):
    def supports(self, model, dtype):
        if dtype == "float32":
            raise KeyError(dtype)
        return super().supports(model, dtype)


class Exits(Right):
    def supports(self, model, dtype):
        raise SystemExit(3)


class Nothing(Right):
    def supports(self, model, dtype):
        return "nothing at all"


class Refuses(Right):
    def evaluate(self, problem, *, trace=False):
        raise UnsupportedProblemError("it is too late")


class Learner(Right):
    system = "mlp-minibatch-sgd"

    def descend(self, params, gradients, learning_rate):
        return {name: array - 1.01 * learning_rate * gradients[name] for name, array in params.items()}


class Forward(Right):
    \"""Gives forward values only.\"""

    partial = True

    def evaluate(self, problem, *, trace=False):
        answer = manual.evaluate(problem)
        return Evaluation(answer.loss, {}, answer.outputs)

    def prepare(self, problem):
        raise UnsupportedProblemError("there are no gradients")


class WrongForward(Forward):
    def evaluate(self, problem, *, trace=False):
        answer = super().evaluate(problem)
        return replace(answer, outputs=2 * answer.outputs)


class Weights(Forward):
    \"""Gives the weights' gradient only.\"""

    factor = 1

    def evaluate(self, problem, *, trace=False):
        answer = manual.evaluate(problem)
        return Evaluation(answer.loss, {"W1": answer.gradients["W1"]}, None)

    def prepare(self, problem):
        loss, gradients = manual.prepare(problem)()
        return lambda: (loss, {"W1": self.factor * gradients["W1"]})


class WrongWeights(Weights):
    factor = 2


class Once(Right):
    made = 0

    def __init__(self):
        type(self).made += 1
        if self.made > 1:
            raise RuntimeError("there is only one of me")


class Nameless(Right):
    @property
    def name(self):
        raise RuntimeError("no name")


class Manual(Right):
    name = "manual"
"""


@pytest.fixture
def conform(pytester):
    """Runs the conformance suite on backends, with the arguments in front."""

    def run(*arguments, backends=()):
        options = [f"--gradparity-backend={backend}" for backend in backends]
        return pytester.runpytest_subprocess("--pyargs", "gradparity.compare.conformance", *arguments, *options, *LEAN)

    return run


@pytest.mark.parametrize(
    "mode",
    [
        case((), campaign=True, id="as it is"),
        case(("--import-mode=importlib", "-n2"), campaign=False, id="importlib, two workers"),
    ],
)
def test_the_backend_of_the_page_conforms(pytester, conform, mode):
    (code,) = re.findall(r"^```python\n([^`]*class MyBackend.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    pytester.makepyfile(my_backend=code)
    pytester.makeini("[pytest]\npython_files = check_*.py\npython_functions = check_*\nfilterwarnings = error")
    result = conform(*mode, backends=["my_backend:MyBackend", "my_backend:MyBackend"])  # which is asked once
    result.assert_outcomes(passed=7)
    assert result.ret == 0
    reason = "50 × mine has a plain tanh layer with the squared error only"
    result.stdout.fnmatch_lines([f"mine: 50 of 52 problems are not supported and were not run: {reason}"])


RUN = "its_prepared_run_agrees"
LATER = "its_later_answers_agree_and_leave_the_first_as_it_was"
SUPPORTS = "it_says_what_it_supports"
ANSWER = "its_answer_agrees"
FAULTS = {  # by the backend: the tests that fail, and what is reported
    "OtherRun": ({RUN}, "*dW1: OtherRun and manual differ at*"),
    "OtherLoss": ({RUN}, "*loss: OtherLoss and manual differ*"),
    "ShortRun": ({RUN}, "*its run returned the gradients of ?'W1'?, expected ?'W1', 'b1'?*"),
    "Accumulates": ({RUN}, "*dW1: Accumulates and manual differ at*"),
    "OneRun": ({RUN}, "*dW1: OneRun and manual differ at*"),
    "LastPrepared": ({RUN}, "*dW1: LastPrepared and manual differ at*"),
    "LastEvaluated": ({RUN}, "*dW1: LastEvaluated and manual differ at*"),
    "OneRunsArray": ({RUN}, "*OneRunsArray: error: *a later call overwrote dW1 in an earlier answer*"),
    "OneGradient": ({LATER}, "*OneGradient: error: *a later call overwrote dW1 in an earlier answer*"),
    "OneAdjoint": ({LATER}, "*OneAdjoint: error: *a later call overwrote dz1 in an earlier answer*"),
    "OneOutput": ({LATER}, "*OneOutput: error: *a later call overwrote o in an earlier answer*"),
    "FirstAnswer": ({LATER}, "*dW1: FirstAnswer and manual differ at*"),
    "FirstAdjoints": ({LATER}, "*dz1: FirstAdjoints and manual differ at*"),
    "Ignores": (
        {ANSWER, LATER, RUN},
        "*Ignores: error: *it changed how NumPy handles floating-point errors, and left it so*",
    ),
    "Seeds": ({ANSWER, LATER, RUN}, "*Seeds: error: *it changed the state of NumPy's global random numbers*"),
    "Silent": ({SUPPORTS}, "Silent: supports returned a NoneType, expected a str, for elman-softmax-float32-0"),
    "Raises": ({SUPPORTS}, "Raises: supports raised KeyError: 'float32' (faulty.py:*), for elman-softmax-float32-0"),
    "Exits": ({SUPPORTS}, "Exits: supports raised SystemExit: 3 (faulty.py:*), for elman-softmax-float64-0"),
    "Nothing": ({SUPPORTS}, "Nothing: supports no system of the catalogue"),
    "Refuses": ({SUPPORTS}, "Refuses: refuses every problem that it supports when it is asked"),
    "Learner": ({ANSWER}, "*The trajectories part at step 1, first in W1_1.*"),
    "WrongForward": ({ANSWER, LATER}, "*o: WrongForward and manual differ at*"),
    "WrongWeights": ({RUN}, "*dW1: WrongWeights and manual differ at*"),
}


def test_each_fault_fails_the_tests_that_are_about_it_and_no_others(pytester, conform):
    pytester.makepyfile(faulty=FAULTY)
    right = ["Right", "Forward", "Weights", "Once"]
    result = conform("-rf", "-p", "no:xdist", backends=[f"faulty:{name}" for name in [*right, *FAULTS]])
    assert result.ret == 1
    failed = re.findall(r"^FAILED \S*::test_(\w+)\[(\w+)\S*\]", result.stdout.str(), re.MULTILINE)
    assert set(failed) == {(test, name) for name, (tests, _) in FAULTS.items() for test in tests}
    result.stdout.fnmatch_lines_random([line for _, line in FAULTS.values()])


@pytest.mark.campaign
def test_a_failure_names_the_line_that_runs_it_again(pytester, conform):
    pytester.makepyfile(faulty=FAULTY)
    result = conform("-p", "no:xdist", backends=["faulty:Right", "faulty:OtherRun"])
    test = "gradparity.compare.conformance::test_its_prepared_run_agrees[OtherRun-logistic-regression-float64-0]"
    command = f"pytest --pyargs '{test}' --gradparity-backend=faulty:OtherRun"
    assert f"Try: {command}" in result.stdout.str()
    again = pytester.runpytest_subprocess(*shlex.split(command)[1:], *LEAN, "-p", "no:xdist")
    again.assert_outcomes(failed=1)


@pytest.mark.parametrize(
    "mode",
    [case(("-p", "no:xdist"), campaign=False, id="one process"), case(("-n2",), campaign=True, id="two workers")],
)
def test_what_a_backend_refuses_is_counted_among_what_was_left_out(pytester, conform, mode):
    pytester.makepyfile(faulty=FAULTY)
    result = conform(*mode, backends=["faulty:Forward", "faulty:Refuses", "faulty:Silent"])
    result.assert_outcomes(passed=6, skipped=4, failed=2)
    result.stdout.fnmatch_lines(
        [
            "Forward: tests were skipped, since it refused what it was asked: 1 × there are no gradients",
            "Refuses: tests were skipped, since it refused what it was asked: 3 × it is too late",
            "Silent: 51 of 52 problems *: 26 × supports returned a NoneType, expected a str; 25 × Silent does *",
        ]
    )


ONLY_MANUAL = "*manual is what backends are compared with: add --gradparity-certify"


@pytest.mark.parametrize(
    ("backends", "line"),
    [
        case(
            (),
            "*the conformance suite needs a backend: add --gradparity-backend NAME, or module:object",
            campaign=False,
        ),
        case(("nowhere:backend",), "*backend 'nowhere:backend': there is no module 'nowhere'", campaign=True),
        case(
            ("faulty:Nameless",),
            "*backend 'faulty:Nameless' fails at its name: RuntimeError: no name (faulty.py:*)",
            campaign=False,
        ),
        case(("manual",), ONLY_MANUAL, campaign=True),
        case(("faulty:Manual",), ONLY_MANUAL, campaign=False),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(pytester, conform, backends, line):
    pytester.makepyfile(faulty=FAULTY)
    result = conform("-p", "no:xdist", backends=backends)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([line])
    assert len(result.stderr.str().strip().splitlines()) == 1
