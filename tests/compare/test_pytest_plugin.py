"""The pytest plugin, in runs of pytest in a process of their own."""

from __future__ import annotations

import shlex
import subprocess
import sys

import gradparity.compare
import pytest

pytest_plugins = ["pytester"]
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


right, wrong, narrow = Backend("right"), Backend("wrong", factor=2.0), Backend("narrow", reason="it is too narrow")
"""

OUTCOMES = """
import mine
import numpy as np
import pytest
from gradparity.backends import Problem, Recurrent
from gradparity.compare.fixture import Gradparity

own = Problem.from_seed(Recurrent("rnn", 2, 3, 2), seq_len=4, batch_size=1, seed=5)
local = mine.Backend("local", factor=0.5)


@pytest.mark.gradparity("lstm", "gru", dtype="float64", seed=[0, 3])
def test_right(gradparity: Gradparity):
    comparison = gradparity.assert_agree(mine.right)
    assert set(comparison.answers) == {"right", "manual"}
    assert comparison.problem is gradparity.problem
    assert gradparity.system.name in ("lstm", "gru")


@pytest.mark.gradparity("elman-sgd", dtype=["float32"])
def test_learning(gradparity):
    assert gradparity.assert_agree(mine.right).training == gradparity.system.training


@pytest.mark.gradparity("elman-softmax", dtype="float32", seed=1)
def test_wrong(gradparity):
    gradparity.assert_agree(mine.wrong)


def test_wrong_on_a_problem_of_its_own(gradparity):
    gradparity.assert_agree("mine:wrong", problem=own)


def test_wrong_and_known_here_alone(gradparity):
    gradparity.assert_agree(local, problem=own)


def test_missing(gradparity):
    gradparity.assert_agree("jax", problem=own)


def test_narrow(gradparity):
    gradparity.assert_agree(mine.narrow, problem=own)


def test_unknown(gradparity):
    gradparity.assert_agree("troch", problem=own)


def test_without_a_problem(gradparity):
    gradparity.assert_agree(mine.right)


def derivation(params, first, objective):
    return 0.0, {}


@pytest.mark.gradparity("ordered-derivatives", dtype="float64", seed=4)
def test_derivation(gradparity):
    gradparity.check_derivation(derivation)
"""

HIDES_JAX = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "jax" else find(name, *rest)
"""


@pytest.fixture
def project(pytester):
    """A project with three backends; runs pytest in it."""
    pytester.makepyfile(mine=BACKENDS)

    def run(*arguments):
        return pytester.runpytest_subprocess(*LEAN, *arguments)

    run.pytester = pytester
    return run


def told(result, test):
    """What a run says of one failure."""
    text = result.stdout.str()
    start = text.index(f"_ {test} _")
    return text[start : text.find("\n___", start + 1)]


def tried(story):
    """The command of a story's next step."""
    (line,) = (line for line in story.splitlines() if "Try: " in line)
    return shlex.split(line.partition("Try: ")[2])


def run_again(project, command):
    """The exit code and the output of a command that was printed."""
    modules = {"gradparity": "gradparity.compare", "pytest": "pytest"}
    done = project.pytester.run(sys.executable, "-m", modules[command[0]], *command[1:])
    return done.ret, done.stdout.str()


def test_every_outcome_of_a_test_tells_what_there_is_to_know(project):
    project.pytester.makepyfile(test_all=OUTCOMES)
    project.pytester.makeconftest(HIDES_JAX)
    result = project("--strict-markers", "--gradparity-save-case", "cases")
    result.assert_outcomes(passed=5, failed=6, skipped=2)
    output = result.stdout.str()
    assert "backend 'jax' needs jax, which is not installed: pip install \"gradparity[jax]\"" in output
    assert "narrow: it is too narrow" in output
    assert "unknown backend 'troch': did you mean 'torch'?" in told(result, "test_unknown")
    assert "add @pytest.mark.gradparity(...), or give problem=" in told(result, "test_without_a_problem")

    story = told(result, "test_wrong[elman-softmax-float32-1]")
    assert "da_4: wrong and manual differ" in story
    assert "Going backwards, first in da_4." in story
    assert "fixture.py" not in story  # no frame but the test's own
    command = tried(story)
    assert command == shlex.split("gradparity compare elman-softmax --dtype float32 --seed 1 --backend mine:wrong")
    code, again = run_again(project, command)
    assert code == 1
    assert "da_4: wrong and manual differ" in again

    command = tried(told(result, "test_wrong_on_a_problem_of_its_own"))
    (case,) = project.pytester.path.glob("cases/case-*.npz")
    assert command == ["gradparity", "compare", "--case", f"cases/{case.name}", "--backend", "mine:wrong"]
    assert run_again(project, command)[0] == 1

    command = tried(told(result, "test_wrong_and_known_here_alone"))
    assert command == ["pytest", "test_all.py::test_wrong_and_known_here_alone"]
    assert run_again(project, command)[0] == 1

    story = told(result, "test_derivation[ordered-derivatives-float64-4]")
    assert "The smallest problem on which it is still wrong:" in story
    command = tried(story)
    assert command[:-4] == ["gradparity", "check", "test_all.py:derivation", "--system", "ordered-derivatives"]
    assert command[-4:] == ["--dtype", "float64", "--seed", "4"]
    assert run_again(project, command)[0] == 1


def test_a_backend_of_the_command_line_is_asked_too_and_certified_against_the_truth(project):
    project.pytester.makepyfile(
        """
        import mine
        import pytest

        @pytest.mark.gradparity("elman-softmax", dtype="float64")
        def test_it(gradparity):
            gradparity.assert_agree(mine.right)
        """
    )
    result = project("--gradparity-backend", "mine:wrong", "--gradparity-certify")
    result.assert_outcomes(failed=1)
    story = told(result, "test_it[elman-softmax-float64-0]")
    assert "wrong is wrong" in story
    assert "right is right (certified)" in story
    assert tried(story)[-5:] == ["--backend", "mine:right", "--backend", "mine:wrong", "--certify"]


KNOWN = """
import pytest

@pytest.mark.parametrize("n", [1, 2], ids=["one-1", "two-2"])
def test_fails(n):
    assert n == 0

def test_is_well_again():
    pass
"""
LIST = """
# what is known

one-*  # it is not zero
test_known.py::test_fails[two-2]  # neither is this
test_known.py::test_is_*  # it was ill
test_known.py::test_gone  # it is no longer there
three-*  # there is no such parameter
test_[ab].py::test_x  # a file that is not there
test_other.py::test_x  # its file is not part of the run
"""


def test_expected_failures_do_not_fail_and_an_entry_that_is_out_of_date_does(project):
    project.pytester.makepyfile(test_known=KNOWN, test_other="def test_x(): assert False")
    project.pytester.makefile(".txt", known=LIST)
    project.pytester.makeini("[pytest]\ngradparity_expected_failures = known.txt")

    result = project("test_known.py", "-k", "not two")
    result.assert_outcomes(xfailed=1, failed=4, deselected=1)
    output = result.stdout.str()
    assert "[XPASS(strict)] it was ill (known.txt:5)" in output
    for entry in ("known.txt:6: 'test_known.py::test_gone'", "known.txt:7: 'three-*'", "known.txt:8: 'test_[ab].py"):
        assert entry in output
    assert output.count("matches no test that was collected: correct the entry, or remove it") == 3
    assert "test_other.py" not in output

    project("test_known.py::test_fails").assert_outcomes(xfailed=2)


def test_the_marker_and_the_options_are_checked_before_anything_runs(project):
    project.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.gradparity("lstn")
        def test_system(gradparity):
            pass
        """,
        test_keyword="import pytest\n@pytest.mark.gradparity(dtyp='float32')\ndef test_it(gradparity): pass",
        test_dtype="import pytest\n@pytest.mark.gradparity(dtype='float23')\ndef test_it(gradparity): pass",
        test_seed="import pytest\n@pytest.mark.gradparity(seed=-1)\ndef test_it(gradparity): pass",
        test_fixture="import pytest\n@pytest.mark.gradparity('lstm')\ndef test_it(): pass",
    )
    result = project()
    result.assert_outcomes(errors=5)
    result.stdout.fnmatch_lines_random(
        [
            "test_system: unknown system 'lstn': did you mean 'lstm'?",
            "test_it: unknown keyword of the marker gradparity 'dtyp': did you mean 'dtype'?",
            "test_it: unknown dtype 'float23': did you mean 'float32'?",
            "test_it: seed = -1, expected an integer of at least 0",
            "test_it: the marker gradparity is for a test that uses the fixture gradparity",
        ]
    )
    assert "Traceback" not in result.stdout.str()

    project.pytester.makefile(".txt", bad="# a list\nlstm-*")
    for arguments, line in (
        (
            ["--gradparity-expected-failures", "bad.txt"],
            "*bad.txt:2: 'lstm-*' has no reason, expected PATTERN  # reason",
        ),
        (["--gradparity-expected-failures", "none.txt"], "*none.txt: the expected failures cannot be read: No such*"),
        (["--gradparity-backend", "troch"], "*unknown backend 'troch': did you mean 'torch'?"),
    ):
        result = project(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([line])
        assert len(result.stderr.str().strip().splitlines()) == 1


def test_a_pytest_that_asks_for_nothing_loads_nothing():
    code = (
        "import sys, gradparity.compare.pytest_plugin; print(*(m for m in sys.modules if m.startswith('gradparity.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + "; print('numpy' in sys.modules)"], capture_output=True, text=True
    )
    assert done.stdout.split() == ["gradparity.compare", "gradparity.compare.pytest_plugin", "False"]


def test_the_lazy_face_of_the_package_is_like_any_other():
    scope = {}
    exec("from gradparity.compare import *", scope)
    assert set(gradparity.compare.__all__) <= set(scope)
    assert set(gradparity.compare.__all__) <= set(dir(gradparity.compare))
    with pytest.raises(AttributeError, match=r"module 'gradparity.compare' has no attribute 'comprae'"):
        _ = gradparity.compare.comprae
    with pytest.raises(ImportError, match=r"cannot import name 'comprae' from 'gradparity.compare'"):
        exec("from gradparity.compare import comprae")
