"""Saved recordings in Python and on the command line: compared, certified, exported; what makes no sense is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import Problem, RequestError, get_backend
from gradparity.backends.tracing.trace import trace
from gradparity.compare import Training, check_derivation, compare
from gradparity.compare.referee import explain
from gradparity.compare.referee.cost_estimate import TooLargeError, estimate_cost, require_affordable

WRONG = """
from gradparity.backends import Evaluation, get_backend


class Wrong:
    name = "wrong"

    def supports(self, model, dtype):
        return ""

    def evaluate(self, problem, *, trace=False):
        answer = get_backend("tape").evaluate(problem)
        gradients = {name: array * (2 if name == "x_t" else 1) for name, array in answer.gradients.items()}
        return Evaluation(answer.loss, gradients, None)

    def prepare(self, problem):
        return lambda: self.evaluate(problem)


wrong = Wrong()
"""


def loss(w, x_t):
    h = np.tanh(w @ x_t)
    if h[0] > 0:
        h = 2 * h
    return (h * h).sum()


def made():
    given = {"w": np.linspace(1, -1, 12).reshape(3, 4), "x_t": np.array([1.0, -2.0, 0.5, 2.0])}
    traced = trace(loss, given)
    return Problem(traced.model(traced.returned, {"w": "w", "x_t": "x_t"}), given)


PROBLEM = made()


@pytest.fixture
def case(tmp_path):
    return PROBLEM.save(tmp_path / "case.npz")


def test_a_saved_recording_is_judged_as_before(case):
    loaded = Problem.load(case)
    for certify in (False, True):
        one, other = (compare(problem, ["tape", "torch", "jax"], certify=certify) for problem in (PROBLEM, loaded))
        assert one.verdict == other.verdict == "agree"
        assert one.rows() == other.rows()
        assert explain(one) == explain(other)
        assert "loss, recorded, float64, 16 numbers, 5 operations, case " in explain(other)
    assert other.bits is not None


def test_a_saved_recording_on_the_command_line(gradparity, case, tmp_path):
    code, out, err = gradparity("compare", "--case", case, "--certify", "--json", "out.json")
    assert code == 0, err
    assert "agree (certified)" in out
    (result,) = json.loads((tmp_path / "out.json").read_text())["results"]
    assert result["model"] == {"family": "Traced", **PROBLEM.model.description}
    assert result["fingerprint"] == PROBLEM.fingerprint
    assert set(result["backends"]) == {"tape", "torch", "jax"}
    assert len(json.dumps(result["model"])) < 200


def test_a_wrong_backend_is_found_and_its_case_kept(gradparity, case, tmp_path):
    (tmp_path / "mine_wrong.py").write_text(WRONG)
    asked = ("compare", "--backend", "mine_wrong:wrong", "--backend", "tape", "--backend", "torch")
    code, out, _ = gradparity(*asked, "--case", case, "--save-case", "kept")
    assert code == 1
    assert "dx_t: wrong differs from " in out
    assert "The loss agrees." in out
    assert "inputs" not in out
    (kept,) = (tmp_path / "kept").iterdir()
    assert f"Try: gradparity compare --case kept/{kept.name}" in out
    assert Problem.load(kept).fingerprint == PROBLEM.fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("compare", "--steps", "3"), "--steps: case.npz is a recorded function, expected a network"),
        (("compare", "--learning-rate", "1"), "--learning-rate is about learning, but case.npz does not learn"),
        (("compare", "--backend", "manual"), "manual: a recorded function has no derivation by hand"),
        (("compare", "--backend", "torch-nn"), "torch-nn: torch.nn has recurrent layers only"),
        (("check", "mine.py:f"), "a case of a recorded function has no network to derive by hand"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(gradparity, case, tmp_path, options, message):
    (tmp_path / "mine.py").write_text("def f(params, inputs, targets):\n    return 0.0, {}\n")
    code, out, err = gradparity(*options, "--case", case)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1
    assert out == ""


@pytest.mark.parametrize(("asked", "answered"), [("torch", {"tape", "torch"}), ("tape", {"tape"})])
def test_where_one_engine_answers_the_tape_is_asked_too(asked, answered):
    comparison = compare(PROBLEM, [asked])
    assert set(comparison.answers) == answered
    assert comparison.skipped == {}
    assert (comparison.strength == "alone") is (len(answered) == 1)


def test_a_recorded_function_does_not_learn():
    with pytest.raises(RequestError, match="loss, recorded: it has no batches, and learning needs a network"):
        compare(PROBLEM, ["tape", "torch"], training=Training(0.1, 3))


def test_a_derivation_is_not_asked_about_a_recorded_function():
    with pytest.raises(RequestError, match="has no network to derive by hand"):
        check_derivation(lambda params, inputs, targets: 0.0, cases=[PROBLEM])


def test_outputs_that_a_recorded_function_does_not_have_are_refused():
    class WithOutputs:
        name = "mine"

        def supports(self, model, dtype):
            return ""

        def evaluate(self, problem, *, trace=False):
            return replace(get_backend("tape").evaluate(problem), outputs=np.ones(3))

        def prepare(self, problem):
            return lambda: self.evaluate(problem)

    comparison = compare(PROBLEM, [WithOutputs(), "tape"])
    (failure,) = comparison.failures
    assert failure.message == "outputs has an unknown 'outputs', expected none"


def test_the_cost_is_that_of_what_is_computed_and_not_of_the_answer(monkeypatch):
    def long(w):
        for _ in range(50):
            w = np.tanh(w) * w
        return w.sum()

    def problem(size):
        traced = trace(long, {"w": np.ones(size)})
        return Problem(traced.model(traced.returned, {"w": "w"}), {"w": np.ones(size)})

    small, large = (estimate_cost(problem(size), 3) for size in (100, 1000))
    assert 5 < large.memory / small.memory < 15
    assert large.memory > 8 * 38 * 100 * 1000 / 2
    monkeypatch.setenv("GRADPARITY_MEMORY", "0.001")
    with pytest.raises(TooLargeError, match=r"long, recorded.* but .* are allowed"):
        require_affordable(problem(1000), 3)
