"""The pytest plugin, in runs of pytest in other processes."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import gradparity.compare
import pytest
from projects import HIDES_JAX, failure_report, run_again, suggested_command
from sampling import case

pytest_plugins = ["pytester"]

OUTCOMES = """
import mine
import numpy as np
import pytest
from gradparity.backends import Problem, Recurrent
from gradparity.compare.testing.fixture import Gradparity

other_problem = Problem.from_seed(Recurrent("rnn", 2, 3, 2), seq_len=4, batch_size=1, seed=5)
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
    gradparity.assert_agree("mine:wrong", problem=other_problem)


def test_wrong_and_known_here_alone(gradparity):
    gradparity.assert_agree(local, problem=other_problem)


def test_missing(gradparity):
    gradparity.assert_agree("jax", problem=other_problem)


def test_narrow(gradparity):
    gradparity.assert_agree(mine.narrow, problem=other_problem)


def test_unknown(gradparity):
    gradparity.assert_agree("troch", problem=other_problem)


def test_without_a_problem(gradparity):
    gradparity.assert_agree(mine.right)


def derivation(params, first, objective):
    return 0.0, {}


@pytest.mark.gradparity("ordered-derivatives", dtype="float64", seed=4)
def test_derivation(gradparity):
    gradparity.check_derivation(derivation)
"""


def test_every_outcome_of_a_test_tells_what_there_is_to_know(project):
    project.pytester.makepyfile(test_all=OUTCOMES)
    project.pytester.makeconftest(HIDES_JAX)
    result = project("--strict-markers", "--gradparity-save-case", "cases")
    result.assert_outcomes(passed=5, failed=6, skipped=2)
    output = result.stdout.str()
    assert "backend 'jax' needs jax, which is not installed: pip install \"gradparity[jax]\"" in output
    assert "narrow: it is too narrow" in output
    assert "unknown backend 'troch': did you mean 'torch'?" in failure_report(result, "test_unknown")
    assert "add @pytest.mark.gradparity(...), or give problem=" in failure_report(result, "test_without_a_problem")

    report = failure_report(result, "test_wrong[elman-softmax-float32-1]")
    assert "da_4: wrong and manual differ" in report
    assert "Going backwards, first in da_4." in report
    assert "fixture.py" not in report  # no frame but the test's own
    command = suggested_command(report)
    assert command == shlex.split("gradparity compare elman-softmax --dtype float32 --seed 1 --backend mine:wrong")
    code, again = run_again(project, command)
    assert code == 1
    assert "da_4: wrong and manual differ" in again

    command = suggested_command(failure_report(result, "test_wrong_on_a_problem_of_its_own"))
    (case,) = project.pytester.path.glob("cases/case-*.npz")
    assert command == ["gradparity", "compare", "--case", f"cases/{case.name}", "--backend", "mine:wrong"]
    assert run_again(project, command)[0] == 1

    command = suggested_command(failure_report(result, "test_wrong_and_known_here_alone"))
    assert command == ["pytest", "test_all.py::test_wrong_and_known_here_alone"]
    assert run_again(project, command)[0] == 1

    report = failure_report(result, "test_derivation[ordered-derivatives-float64-4]")
    assert "The smallest problem on which it is still wrong:" in report
    command = suggested_command(report)
    assert command[:-4] == ["gradparity", "check", "test_all.py:derivation", "--system", "ordered-derivatives"]
    assert command[-4:] == ["--dtype", "float64", "--seed", "4"]
    assert run_again(project, command)[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        case(("{path}", "-c", "tox.ini"), campaign=True, id="by its path"),
        case(("--pyargs", "gradparity.compare.conformance", "--doctest-modules"), campaign=False, id="by its name"),
    ],
)
def test_the_suite_is_found_however_it_is_named_and_doctests_are_kept_away(project, arguments):
    folder = os.path.dirname(gradparity.compare.__file__)
    path = os.path.relpath(os.path.join(folder, "conformance.py"), project.pytester.path)
    project.pytester.makeini("[pytest]")
    given = [argument.format(path=path) for argument in arguments]
    result = project(*given, "--gradparity-backend", "mine:narrow")
    result.assert_outcomes(failed=1, skipped=3)
    result.stdout.fnmatch_lines(["*narrow: supports no system of the catalogue*"])


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
        test_list="import pytest\n@pytest.mark.gradparity(['lstm', 'gru'])\ndef test_it(gradparity): pass",
        test_none="import pytest\n@pytest.mark.gradparity(dtype=None)\ndef test_it(gradparity): pass",
        test_no_seed="import pytest\n@pytest.mark.gradparity(seed=[])\ndef test_it(gradparity): pass",
        test_two="""
            import pytest

            @pytest.mark.gradparity('lstm')
            @pytest.mark.gradparity('gru')
            def test_it(gradparity): pass
            """,
        test_fixture="import pytest\n@pytest.mark.gradparity('lstm')\ndef test_it(): pass",
    )
    result = project()
    result.assert_outcomes(errors=9)
    result.stdout.fnmatch_lines_random(
        [
            "test_system: unknown system 'lstn': did you mean 'lstm'?",
            "test_it: unknown keyword of the marker gradparity 'dtyp': did you mean 'dtype'?",
            "test_it: unknown dtype 'float23': did you mean 'float32'?",
            "test_it: seed = -1, expected an integer of at least 0",
            "test_it: the marker gradparity is for a test that uses the fixture gradparity",
            "test_it: [[]'lstm', 'gru'] is no system, expected its name",
            "test_it: dtype = None, expected one or several",
            "test_it: seed = [[]], expected one or several",
            "test_it: it has several markers gradparity: name all systems in one",
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


def test_what_the_marker_takes(project):
    project.pytester.makepyfile(
        """
        import unittest
        import pytest
        from gradparity.compare import SYSTEMS

        @pytest.mark.gradparity("gru")
        class TestAll:
            @pytest.mark.gradparity(SYSTEMS["lstm"], dtype=("float32", "float64"), seed=range(2))
            def test_it(self, gradparity):
                assert gradparity.system.name == "lstm"

            def test_its_own(self, gradparity):
                assert gradparity.system.name == "gru"

        class TestCase(unittest.TestCase):
            @pytest.mark.gradparity("lstm")
            def test_it(self):
                pass
        """
    )
    result = project()
    result.assert_outcomes(passed=6, errors=1)
    assert "parametrizes functions, and this is no function of pytest's" in result.stdout.str()


def test_options_that_cannot_be_met_end_the_run_before_it_begins(project):
    project.pytester.makepyfile(
        test_a="def test_it(): pass", hiding=HIDES_JAX.replace('"jax"', '"flint"'), file="a file where a folder is due"
    )
    for arguments, line in (
        (["--gradparity-save-case", "file.py"], "*file.py: cannot be created as a folder: *"),
        (["-p", "hiding", "--gradparity-certify"], '*needs python-flint, *pip install "gradparity[[]certify]"'),
    ):
        result = project(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([line])


def test_a_pytest_that_asks_for_nothing_loads_nothing():
    code = (
        "import sys, gradparity.compare.testing.pytest_plugin;"
        "print(*(m for m in sys.modules if m.startswith('gradparity.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + "; print('numpy' in sys.modules)"], capture_output=True, text=True
    )
    assert done.stdout.split() == [
        *(f"gradparity.compare{name}" for name in ("", ".testing", ".testing.session", ".testing.pytest_plugin")),
        "False",
    ]


def test_the_lazy_face_of_the_package_is_like_any_other():
    scope = {}
    exec("from gradparity.compare import *", scope)
    assert set(gradparity.compare.__all__) <= set(scope)
    assert set(gradparity.compare.__all__) <= set(dir(gradparity.compare))
    with pytest.raises(AttributeError, match=r"module 'gradparity.compare' has no attribute 'comprae'"):
        _ = gradparity.compare.comprae
    with pytest.raises(ImportError, match=r"cannot import name 'comprae' from 'gradparity.compare'"):
        exec("from gradparity.compare import comprae")
