"""The fixture `gradparity`: who is asked, what a failure reports, and what is kept."""

from __future__ import annotations

import pytest
from projects import HIDES_JAX, failure_report, run_again, suggested_command

pytest_plugins = ["pytester"]


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
    report = failure_report(result, "test_it[elman-softmax-float64-0]")
    assert "wrong is wrong" in report
    assert "right and manual are right (certified)" in report
    asked = [part for name in ("mine:right", "manual", "mine:wrong") for part in ("--backend", name)]
    assert suggested_command(report)[-7:] == [*asked, "--certify"]


RIGHT_AND_WRONG = """
import mine
import pytest

@pytest.mark.gradparity("elman-softmax", dtype="float64")
@pytest.mark.parametrize("backend", [mine.right, mine.wrong], ids=["right", "wrong"])
def test_it(gradparity, backend):
    gradparity.assert_agree(backend)
"""


@pytest.mark.campaign
def test_a_backend_of_the_command_line_hides_no_failure(project):
    project.pytester.makepyfile(RIGHT_AND_WRONG)
    result = project("--gradparity-backend", "mine:narrow")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["gradparity, 2 ×: narrow was left out: it is too narrow"])
    result = project("--gradparity-backend", "mine:wrong")  # which the second test has already
    result.assert_outcomes(failed=2)
    assert "wrong and manual differ" in failure_report(result, "test_it[elman-softmax-float64-0-wrong]")
    project.pytester.makepyfile(hiding=HIDES_JAX)
    result = project("-p", "hiding", "--gradparity-backend", "jax")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*backend 'jax' needs jax, which is not installed: pip install \"gradparity[[]jax]\""])


@pytest.mark.campaign
@pytest.mark.parametrize("backend", ["none", "another"])
def test_one_that_is_missing_or_has_the_name_of_another_hides_none_either(project, backend):
    project.pytester.makepyfile(RIGHT_AND_WRONG)
    project("--gradparity-backend", f"mine:{backend}").assert_outcomes(failed=2)


def test_a_backend_of_the_command_line_is_asked_beside_all_others(project):
    project.pytester.makepyfile(
        """
        import pytest

        @pytest.mark.gradparity("elman-softmax", dtype="float64")
        def test_it(gradparity):
            assert set(gradparity.assert_agree().answers) == {"manual", "torch", "torch-nn", "right"}

        @pytest.mark.gradparity("elman-softmax", dtype="float64")
        def test_one(gradparity):
            assert set(gradparity.assert_agree("torch").answers) == {"manual", "torch", "right"}
        """,
        hiding=HIDES_JAX,
    )
    project("-p", "hiding", "--gradparity-backend", "mine:right").assert_outcomes(passed=2)


def test_backends_of_the_test_alone_are_noted_to_agree_with_each_other_only(project):
    project.pytester.makepyfile(
        """
        import mine
        import pytest

        @pytest.mark.gradparity("elman-softmax", dtype="float64")
        def test_it(gradparity):
            gradparity.assert_agree(mine.right, mine.Backend("second"))
        """
    )
    result = project()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["gradparity, 1 ×: right and second agree with each other only: no backend of gradparity's own was asked."]
    )


@pytest.mark.campaign
def test_what_cannot_be_certified_is_compared_without_and_said_to_be(project):
    project.pytester.makepyfile(
        """
        import mine
        import pytest
        from gradparity.compare.certificate import enclosure

        @pytest.mark.gradparity("elman-softmax", dtype="float64")
        @pytest.mark.parametrize("backend", [mine.right, mine.wrong], ids=["right", "wrong"])
        def test_it(gradparity, backend, monkeypatch):
            monkeypatch.setattr(enclosure, "MAX_SECONDS", 0)
            gradparity.assert_agree(backend)
        """
    )
    result = project("--gradparity-certify", "-W", "error")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["gradparity, 2 ×: compared without a certificate: *"])
    command = suggested_command(result.stdout.str())
    assert "--certify" not in command
    assert run_again(project, command)[0] == 1


def test_a_command_is_printed_only_if_it_finds_the_backend(project):
    (project.pytester.path / "src").mkdir()
    (project.pytester.path / "mine.py").rename(project.pytester.path / "src" / "mine.py")
    project.pytester.makeini("[pytest]\npythonpath = src")
    project.pytester.makepyfile(
        """
        import importlib.util
        import mine
        import pytest

        spec = importlib.util.spec_from_file_location("by_hand", mine.__file__)
        by_hand = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(by_hand)

        @pytest.mark.gradparity("elman-softmax", dtype="float64")
        @pytest.mark.parametrize("module", [mine, by_hand], ids=["mine", "by_hand"])
        def test_it(gradparity, module):
            gradparity.assert_agree(module.wrong)
        """
    )
    result = project("--gradparity-backend", "mine:right")
    result.assert_outcomes(failed=2)
    for kind in ("mine", "by_hand"):
        command = suggested_command(failure_report(result, f"test_it[elman-softmax-float64-0-{kind}]"))
        assert command[0] == "pytest"
        assert command[-1] == "--gradparity-backend=mine:right"
    assert run_again(project, command)[0] == 1


def test_a_case_that_cannot_be_saved_hides_nothing(project):
    project.pytester.makepyfile(
        """
        import mine
        import shutil

        import pytest

        @pytest.mark.gradparity("elman-softmax", dtype="float64")
        def test_it(gradparity):
            shutil.rmtree("cases")
            open("cases", "w").close()
            gradparity.assert_agree(mine.wrong)
        """
    )
    result = project("--gradparity-save-case", "cases")
    result.assert_outcomes(failed=1)
    assert "wrong and manual differ" in result.stdout.str()
    result.stdout.fnmatch_lines(["gradparity, 1 ×: the problem was not saved: *"])


@pytest.mark.campaign
def test_a_derivation_is_checked_in_the_dtype_and_from_the_seed_of_the_test(project):
    project.pytester.makepyfile(
        """
        import numpy as np
        import pytest

        def sign_of_b(params, inputs, targets, h0):
            U, W, b, V, c = params.values()
            assert U.dtype == "float32"
            h = [h0]
            for x in inputs:
                h.append(np.tanh(x @ U.T + h[-1] @ W.T + b))
            do = [h_t @ V.T + c - y for h_t, y in zip(h[1:], targets)]
            dU, dW, db, dV, dc = (np.zeros_like(array) for array in (U, W, b, V, c))
            later = np.zeros_like(h0)
            for t in reversed(range(len(inputs))):
                da = (do[t] @ V + later) * (1 - h[t + 1] ** 2)
                dU += da.T @ inputs[t]
                dW += da.T @ h[t]
                db -= da.sum(axis=0)
                dV += do[t].T @ h[t + 1]
                dc += do[t].sum(axis=0)
                later = da @ W
            return sum(0.5 * (do_t**2).sum() for do_t in do), {"U": dU, "W": dW, "b": db, "V": dV, "c": dc}

        @pytest.mark.gradparity("elman-squared-error", dtype="float32", seed=7)
        def test_it(gradparity):
            gradparity.check_derivation(sign_of_b)
        """
    )
    result = project("--gradparity-save-case", "cases")
    result.assert_outcomes(failed=1)
    report = failure_report(result, "test_it[elman-squared-error-float32-7]")
    assert "opposite sign" in report
    (case,) = project.pytester.path.glob("cases/*.npz")
    assert f"The problem is saved: cases/{case.name}" in report
    assert suggested_command(report)[-4:] == ["--dtype", "float32", "--seed", "7"]


def test_a_function_of_ones_own_is_judged_and_a_failure_tells_the_whole_story(project):
    project.pytester.makepyfile(
        """
        import numpy as np
        import pytest

        @pytest.mark.parametrize("factor", [2.0, 1.0])
        def test_it(gradparity, factor):
            gradparity.assert_gradients(lambda w: ((w * w).sum(), {"w": factor * w}), np.array([1.0, -2.0]))

        def test_none(gradparity):
            gradparity.assert_gradients(lambda w: w.sum(), np.array([1.0, -2.0]))
        """,
        hiding=HIDES_JAX,  # one engine is enough here
    )
    result = project("-p", "hiding", "--gradparity-save-case", "cases")
    result.assert_outcomes(passed=1, failed=2)
    report = failure_report(result, "test_it[1.0]")
    assert "dw: <lambda> is wrong at" in report
    assert "right up to a factor of 0.5 in all gradients" in report
    result.stdout.fnmatch_lines(["*expected (loss, gradients)*"])
    assert len(list((project.pytester.path / "cases").iterdir())) == 1
