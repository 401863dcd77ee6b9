"""The conformance suite, run on backends that are right and on some with one fault each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
LEAN = ("-p", "no:hypothesispytest", "-p", "no:jaxtyping", "-p", "no:cacheprovider")
README = Path(__file__).parents[2] / "README.md"

FAULTY = """
from dataclasses import replace

from gradparity.backends import FeedForward, get_backend
from gradparity.compare import SYSTEMS

manual = get_backend("manual")


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
        return lambda: (loss, {name: 2 * gradient for name, gradient in gradients.items()})


class ShortRun(Right):
    def prepare(self, problem):
        loss, gradients = manual.prepare(problem)()
        return lambda: (loss, {"W1": gradients["W1"]})


class OneArray(Right):
    def __init__(self):
        self.kept = {}

    def evaluate(self, problem, *, trace=False):
        answer = manual.evaluate(problem, trace=trace)
        for name, gradient in answer.gradients.items():
            self.kept.setdefault(name, gradient)[...] = gradient
        return replace(answer, gradients=dict(self.kept))


class FirstAnswer(Right):
    def __init__(self):
        self.first = None

    def evaluate(self, problem, *, trace=False):
        self.first = self.first or manual.evaluate(problem, trace=trace)
        return self.first


class Silent(Right):
    def supports(self, model, dtype):
        return super().supports(model, dtype) or None


class Nothing(Right):
    system = "elman-softmax"

    def supports(self, model, dtype):
        return "nothing at all"


class Learner(Right):
    system = "mlp-minibatch-sgd"

    def descend(self, params, gradients, learning_rate):
        return {name: array - 1.01 * learning_rate * gradients[name] for name, array in params.items()}
"""


@pytest.fixture
def conform(pytester):
    """Runs the conformance suite on backends, with the arguments in front."""

    def run(*arguments, backends=()):
        options = [f"--gradparity-backend={each}" for each in backends]
        return pytester.runpytest_subprocess("--pyargs", "gradparity.compare.conformance", *arguments, *options, *LEAN)

    return run


@pytest.mark.parametrize("mode", [(), ("--import-mode=importlib", "-n2")], ids=["as it is", "importlib, two workers"])
def test_the_readmes_backend_conforms(pytester, conform, mode):
    (code,) = re.findall(r"^```python\n([^`]*class MyBackend.*?)^```$", README.read_text(), re.DOTALL | re.MULTILINE)
    pytester.makepyfile(my_backend=code)
    pytester.makeini("[pytest]\npython_files = check_*.py\npython_functions = check_*\nfilterwarnings = error")
    result = conform(*mode, backends=["my_backend:MyBackend"])
    result.assert_outcomes(passed=7)
    assert result.ret == 0
    reason = "50 × mine has a plain tanh layer with the squared error only"
    result.stdout.fnmatch_lines([f"mine: 50 of 52 problems are not supported and were not run: {reason}"])


def test_each_fault_fails_the_test_that_is_about_it_and_no_other(pytester, conform):
    pytester.makepyfile(faulty=FAULTY)
    names = ["Right", "OtherRun", "ShortRun", "OneArray", "FirstAnswer", "Silent", "Nothing", "Learner"]
    result = conform("-rf", "-p", "no:xdist", backends=[f"faulty:{name}" for name in names])
    assert result.ret == 1
    failed = re.findall(r"^FAILED \S*::test_(\w+)\[(\w+)\S*\]", result.stdout.str(), re.MULTILINE)
    assert set(failed) == {
        ("its_prepared_run_agrees", "OtherRun"),
        ("its_prepared_run_agrees", "ShortRun"),
        ("its_later_answers_agree_and_leave_the_first_as_it_was", "OneArray"),
        ("its_later_answers_agree_and_leave_the_first_as_it_was", "FirstAnswer"),
        ("it_says_what_it_supports", "Silent"),
        ("it_says_what_it_supports", "Nothing"),
        ("its_answer_agrees", "Learner"),
    }
    result.stdout.fnmatch_lines_random(
        [
            "*dW1: OtherRun and manual differ at*",
            "*its run returned the gradients of ?'W1'?, expected ?'W1', 'b1'?*",
            "*a later call overwrote the gradient of W1 in an earlier answer*",
            "*dW1: FirstAnswer and manual differ at*",
            "Silent: supports returned a NoneType for * expected a str",
            "Nothing: supports no system of the catalogue",
            "*The trajectories part at step 1, first in W1_1.",
            "*Try: gradparity compare mlp-minibatch-sgd --dtype float64 --seed 0 --backend faulty:Learner",
        ]
    )


def test_what_cannot_be_run_is_refused_in_one_line(conform):
    for backends, line in (
        ((), "*the conformance suite needs a backend: add --gradparity-backend NAME, or module:object"),
        (("nowhere:backend",), "*backend 'nowhere:backend': there is no module 'nowhere'"),
        (("manual",), "*manual is what backends are compared with: add --gradparity-certify"),
    ):
        result = conform("-p", "no:xdist", backends=backends)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([line])
        assert len(result.stderr.str().strip().splitlines()) == 1
