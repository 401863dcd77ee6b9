"""What backends, and their answers, leave out is said."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import faults
import pytest
from faults import Faulty
from gradparity.backends import Problem, Recurrent
from gradparity.compare import compare
from gradparity.compare.referee.explanation import explain

pytest_plugins = ["pytester"]

PROBLEM = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seq_len=7, batch_size=2, seed=0)
FAULTS_PATH = f"import sys\nsys.path.append({faults.__file__.removesuffix('faults.py')!r})\n"
BACKENDS = """
from faults import Faulty, nothing
from gradparity.backends import UnsupportedProblemError

class Singles(Faulty):
    def supports(self, model, dtype):
        return "" if dtype == "float32" else "float32 only"

def refuse_seed_1(answer, problem):
    if problem.dtype == "float64" and round(problem.inputs.flat[0], 5) == 0.17397:
        raise UnsupportedProblemError("never")

def without_inputs(answer, problem):
    del answer.gradients["inputs"]

singles = Singles(nothing, "singles")
choosy = Faulty(refuse_seed_1, "choosy")
incomplete = Faulty(without_inputs, "incomplete")
incomplete.partial = True
"""


@pytest.fixture
def backends(tmp_path, monkeypatch):
    (tmp_path / "leaving_out.py").write_text(BACKENDS)
    monkeypatch.delitem(sys.modules, "leaving_out", raising=False)


@pytest.mark.parametrize(
    ("backend", "which"), [("singles", "float64"), ("choosy", "float64 from seed 1")], ids=["dtype", "seed"]
)
def test_what_was_left_out_of_a_system_is_said_and_no_more(gradparity, backends, backend, which):
    options = ("--backend", f"leaving_out:{backend}", "--backend", "manual", "--seed", 0, "--seed", 1)
    _, out, _ = gradparity("compare", "elman-relu", *options)
    (note,) = [line for line in out.splitlines() if "left out" in line]
    assert note.startswith(f"note: elman-relu in {which} was left out: no two backends can compute this: {backend}: ")


def test_what_a_backend_leaves_out_of_its_answers_is_said(gradparity, backends, tmp_path):
    options = ("--backend", "leaving_out:incomplete", "--seed", 0, "--json", "result.json")
    code, out, _ = gradparity("compare", "elman-relu", "elman-window", *options)
    assert code == 0
    notes = [line for line in out.splitlines() if line.startswith("note: ")]
    assert notes == ["note: elman-relu, elman-window: incomplete gave no dx: not compared"]
    results = json.loads((tmp_path / "result.json").read_text())["results"]
    assert [result["not_given"] for result in results] == [{"incomplete": ["dx"]}] * 4


@pytest.mark.parametrize(
    ("left_out", "outputs", "said"),
    [
        (("inputs", "h0"), True, "mine gave no dh0, dx: not compared."),
        (("W", "V"), False, "mine gave no dW, dV, outputs: not compared."),
        ((), False, "mine gave no outputs: not compared."),
        (None, True, "mine gives forward values only: of its answers, loss and outputs were compared."),
        (None, False, "mine gives forward values only: of its answers, the loss alone was compared."),
        ((), True, None),
    ],
)
def test_an_agreement_says_what_an_answer_leaves_out(left_out, outputs, said):
    def change(answer, problem):
        names = () if left_out is None else [name for name in answer.gradients if name not in left_out]
        gradients = {name: answer.gradients[name] for name in names}
        return replace(answer, gradients=gradients, outputs=answer.outputs if outputs else None, adjoints={})

    partial = Faulty(change)
    partial.partial = True
    comparison = compare(PROBLEM, ["manual", partial])
    assert comparison.verdict == "agree"
    assert explain(comparison).splitlines()[1:] == ([said] if said else [])


@pytest.mark.parametrize(
    ("wrong", "end"), [(6, []), (7, ["… and 1 more quantity."]), (8, ["… and 2 more quantities."])]
)
def test_quantities_that_are_not_shown_are_counted(wrong, end):
    def change(answer, problem):
        for name in list(answer.gradients)[: min(wrong, 7)]:
            answer.gradients[name] *= 2
        return replace(answer, adjoints={}, loss=answer.loss + (wrong == 8))

    lines = explain(compare(PROBLEM, ["manual", Faulty(change)])).splitlines()
    assert [line for line in lines if line.startswith("…")] == end


def test_a_note_of_pytest_says_what_an_answer_leaves_out(project):
    project.pytester.makepyfile(leaving_out=BACKENDS.replace("from faults", FAULTS_PATH + "from faults"))
    project.pytester.makepyfile(
        """
        import leaving_out
        import pytest

        @pytest.mark.gradparity("elman-softmax", dtype="float64")
        def test_it(gradparity):
            gradparity.assert_agree(leaving_out.incomplete)
        """
    )
    result = project("-p", "no:xdist")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["gradparity, 1 ×: incomplete gave no dx: not compared"])
