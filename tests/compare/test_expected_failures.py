"""Lists of tests that are known to fail, and entries of them that are out of date."""

from __future__ import annotations

import subprocess
import sys

from projects import LEAN

pytest_plugins = ["pytester"]

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
gradparity.compare.conformance::test_its_answer_agrees[mine-*]  # in the conformance suite
"""


def test_expected_failures_do_not_fail_and_an_entry_that_is_out_of_date_does(project):
    project.pytester.makepyfile(test_known=KNOWN, test_other="def test_x(): assert False")
    project.pytester.makefile(".txt", known=LIST)
    project.pytester.makeini("[pytest]\ngradparity_expected_failures = known.txt")

    result = project("test_known.py", "-k", "not two")
    result.assert_outcomes(xfailed=1, failed=3, deselected=1)
    output = result.stdout.str()
    assert "[XPASS(strict)] it was ill (known.txt:5)" in output
    for entry in ("known.txt:6: 'test_known.py::test_gone'", "known.txt:8: 'test_[ab].py"):
        assert entry in output
    assert output.count("matches no test that was collected: correct the entry, or remove it") == 2
    assert "test_other.py" not in output

    project("test_known.py::test_fails").assert_outcomes(xfailed=2)

    result = project()  # everything: now the parameter is missed, too
    result.assert_outcomes(xfailed=3, failed=4)
    assert "known.txt:7: 'three-*' matches no test" in result.stdout.str()
    assert "test_its_answer_agrees" not in result.stdout.str()
    (project.pytester.path / "sub").mkdir()
    for partial in (["--ignore", "test_other.py"], ["sub"], ["--deselect", "test_other.py"]):
        assert "three-*" not in project(*partial).stdout.str()
    assert "three-*" in project(".").stdout.str()


def test_an_entry_is_held_against_the_file_however_that_is_written(project):
    project.pytester.makepyfile(
        test_a="import pytest\n@pytest.mark.xfail\ndef test_well(): pass\ndef test_ill(): assert False"
    )
    listed = [
        "./test_a.py::test_ill  # ill",
        f"{project.pytester.path}/test_a.py::test_well  # well again",
        "./test_a.py::test_no  # gone",
    ]
    (project.pytester.path / "known.txt").write_text("\n".join(listed), encoding="utf-8-sig")
    result = project("--gradparity-expected-failures", "known.txt")
    result.assert_outcomes(xfailed=1, failed=2)
    assert "[XPASS(strict)] well again (known.txt:2)" in result.stdout.str()
    assert "known.txt:3: 'test_a.py::test_no' matches no test" in result.stdout.str()


def test_the_list_of_the_ini_file_is_beside_it_and_that_of_the_option_is_here(project):
    project.pytester.makeini("[pytest]\ngradparity_expected_failures = known.txt")
    project.pytester.makepyfile(test_a="def test_ill(): assert False")
    project.pytester.makefile(".txt", known="test_a.py::test_ill  # ill")
    folder = project.pytester.mkdir("sub")
    (folder / "here.txt").write_text("test_a.py::test_ill  # ill\n")
    for options in ([], ["--gradparity-expected-failures", "here.txt"]):
        command = [sys.executable, "-m", "pytest", *LEAN, "../test_a.py", *options]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert "1 xfailed" in done.stdout


def test_entries_about_the_conformance_suite_are_held_against_the_backend_that_is_asked(project):
    suite = "gradparity.compare.conformance"
    listed = [
        f"{suite}::test_its_*[wrong-*  # a factor of 2",
        f"{suite}::test_its_*[other-*  # another backend",
        f"{suite}::test_gone  # no longer there",
        f"{suite}::test_its_*[wrong-no-such-system-*  # nor this",
    ]
    (project.pytester.path / "known.txt").write_text("\n".join(listed))
    options = ("--gradparity-backend", "mine:wrong", "--gradparity-expected-failures", "known.txt")
    result = project("--pyargs", suite, *options, "-k", "elman-softmax-float64")
    output = result.stdout.str()
    assert "known.txt:3" in output
    assert "known.txt:4" in output
    assert "known.txt:2" not in output
    result.assert_outcomes(xfailed=3, failed=2)
