"""Projects with tests, in which pytest is run in another process."""

from __future__ import annotations

import shlex
import sys

LEAN = ("-p", "no:xdist", "-p", "no:hypothesispytest", "-p", "no:jaxtyping", "-p", "no:cacheprovider", "-rs")

BACKENDS = """
from gradparity.backends import UnsupportedProblemError, get_backend


class Backend:
    def __init__(self, name, factor=1.0, reason=""):
        self.name, self.factor, self.reason = name, factor, reason

    def supports(self, model, dtype):
        return self.reason

    def evaluate(self, problem, *, trace=False):
        answer = get_backend("manual").evaluate(problem, trace=trace)
        if trace and "a" in answer.adjoints:
            answer.adjoints["a"][3] *= self.factor
        answer.gradients["inputs"] *= self.factor
        return answer

    def prepare(self, problem):
        return lambda: self.evaluate(problem)


class Another(Backend):
    pass


another = Another("right")
right, wrong, narrow = Backend("right"), Backend("wrong", factor=2.0), Backend("narrow", reason="it is too narrow")
"""

HIDES_JAX = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "jax" else find(name, *rest)
"""


def failure_report(result, test):
    """The part of a run's output that is about one failing test."""
    text = result.stdout.str()
    start = text.index(f"_ {test} _")
    return text[start : text.find("\n___", start + 1)]


def suggested_command(report):
    """The command of a report's next step."""
    (line,) = (line for line in report.splitlines() if "Try: " in line)
    return shlex.split(line.partition("Try: ")[2])


def run_again(project, command):
    """The exit code and the output of a command that was printed."""
    modules = {"gradparity": "gradparity.compare", "pytest": "pytest"}
    done = project.pytester.run(sys.executable, "-m", modules[command[0]], *command[1:])
    return done.ret, done.stdout.str()
