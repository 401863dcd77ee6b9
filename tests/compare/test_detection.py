"""The detection matrix: five checks, what each sees, and the command that shows it."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from itertools import islice

import jax
import numpy as np
import pytest
import torch
from gradparity.backends import Problem, Recurrent, RequestError
from gradparity.compare.detection import PART_OF, choose_checks, chosen_cases, detect, mistake_of
from gradparity.compare.detection import checks as detection_checks
from gradparity.compare.detection.cases import (
    SYSTEMS_TO_PLANT,
    RightLoss,
    correct_cases,
    mistake_cases,
    systems_to_plant,
    with_small_gradients,
)
from gradparity.compare.detection.checks import CHECKS, Program, problem_at, run_check
from gradparity.compare.mistakes import MISTAKES, run
from gradparity.compare.systems.catalogue import SYSTEMS

OF_SLOPES = ("gradcheck", "check_grads", "differences")
OF_ANSWERS = ("allclose", "gradparity")
TINY = Problem.from_seed(Recurrent("rnn", 1, 2, 3), seed=5, seq_len=2, batch_size=1)
ORDERED = SYSTEMS["ordered-derivatives"].problem(seed=5)


@pytest.fixture(scope="module")
def planted():
    return list(mistake_cases(quick=True))


def find(cases, mistake, *, small=False):
    return next(case for case in cases if case.mistake.name == mistake and case.small is small)


def right_program(problem):
    return Program(problem, run(problem).values, RightLoss(problem))


def wrong_program(problem, name):
    right = right_program(problem)
    changed = right.answer[name].copy()
    changed.flat[-2 if name == "A" else 0] += 0.01 * max(1, np.abs(changed).max())  # A is strictly lower triangular
    return Program(problem, right.answer | {name: changed}, right.loss)


def verdicts_on(program, checks=CHECKS):
    results = {check: run_check(check, program) for check in checks}
    assert {check: result.error for check, result in results.items()} == dict.fromkeys(checks, "")
    return {check: result.verdict for check, result in results.items()}


@pytest.mark.parametrize("problem", [TINY, ORDERED], ids=["tiny", "ordered"])
def test_every_check_calls_a_right_gradient_right(problem):
    assert verdicts_on(right_program(problem)) == dict.fromkeys(CHECKS, "right")


@pytest.mark.parametrize(
    ("problem", "name"), [(TINY, "W"), (TINY, "c"), (TINY, "h0"), (TINY, "inputs"), (ORDERED, "A"), (ORDERED, "inputs")]
)
def test_every_check_calls_a_wrong_gradient_wrong(problem, name):
    assert verdicts_on(wrong_program(problem, name)) == dict.fromkeys(CHECKS, "wrong")


def test_of_an_ordered_system_what_lies_below_the_diagonal_is_varied():
    arrays = right_program(ORDERED).arrays
    assert arrays["A"].tolist() == [2, 1, 3, 1, 2, 4]
    varied = problem_at(ORDERED, arrays | {"A": arrays["A"] + 1}).params["A"]
    assert varied.tolist() == [[0, 0, 0, 0], [3, 0, 0, 0], [2, 4, 0, 0], [2, 3, 5, 0]]


def test_a_gradient_that_is_nan_is_wrong():
    right = right_program(TINY)
    nan = right.answer | {"W": np.full_like(right.answer["W"], np.nan)}
    assert verdicts_on(Program(TINY, nan, right.loss)) == dict.fromkeys(CHECKS, "wrong")


@pytest.mark.parametrize(
    "mistake", [pytest.param("another activation", marks=pytest.mark.campaign), "sum for mean, or mean for sum"]
)
def test_a_wrong_forward_pass_differentiated_rightly_is_seen_by_a_second_answer_only(planted, mistake):
    assert verdicts_on(find(planted, mistake).program) == dict.fromkeys(OF_SLOPES, "right") | dict.fromkeys(
        OF_ANSWERS, "wrong"
    )


def test_small_gradients_hide_a_mistake_from_absolute_tolerances_alone(planted):
    variant = find(planted, "path through a gate dropped on the way to h_{t−1}").variant
    ordinary = Problem.from_seed(Recurrent("lstm", 1, 2, 3), seed=5, seq_len=2, batch_size=1)
    small = with_small_gradients(ordinary)
    plain, hidden = (
        verdicts_on(Program(problem, variant.predict(problem), RightLoss(problem))) for problem in (ordinary, small)
    )
    assert plain == dict.fromkeys(CHECKS, "wrong")
    assert hidden == dict.fromkeys(OF_SLOPES, "right") | dict.fromkeys(OF_ANSWERS, "wrong")


def test_a_right_gradient_in_float32_is_called_wrong_by_all_checks_but_those_that_know_the_dtype():
    problem = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seed=1, seq_len=6, batch_size=2, dtype="float32")
    verdicts = verdicts_on(right_program(problem), ("gradcheck", "allclose", "differences", "gradparity"))
    assert verdicts == dict.fromkeys(("gradcheck", "allclose", "differences"), "wrong") | {"gradparity": "right"}


def test_a_check_that_raises_has_failed_and_says_what_it_raised():
    def broken(problem):
        raise ZeroDivisionError("by nothing")

    program = right_program(TINY)
    verdict = run_check("differences", Program(TINY, program.answer, broken))
    assert verdict == ("failed", "ZeroDivisionError: by nothing")


def state():
    return {
        "x64": jax.config.jax_enable_x64,
        "dtype": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "threads": torch.get_num_threads(),
        "torch random": torch.random.get_rng_state().tolist(),
        "numpy random": np.random.get_state()[1].tolist(),  # noqa: NPY002 # what a check might have drawn from
        "numpy errors": np.geterr(),
        "warnings": list(warnings.filters),
    }


@pytest.mark.parametrize("check", CHECKS)
def test_global_state_is_after_a_check_as_it_was_before(check):
    before = state()
    assert verdicts_on(right_program(TINY), [check]) == {check: "right"}
    assert verdicts_on(wrong_program(TINY, "W"), [check]) == {check: "wrong"}
    assert {name: value for name, value in state().items() if value != before[name]} == {}


def test_every_mistake_is_planted_and_has_a_part(planted):
    assert {case.mistake.name for case in planted} == {mistake.name for mistake in MISTAKES} == PART_OF.keys()
    assert {case.small for case in planted} == {False, True}
    assert len({(case.mistake.name, case.small) for case in planted}) == len(planted)


def test_nothing_is_planted_at_the_catalogues_sizes():
    for name in SYSTEMS_TO_PLANT:
        planted, catalogued = systems_to_plant()[name], SYSTEMS[name]
        assert planted.model.parameter_shapes != catalogued.model.parameter_shapes
        assert planted.leading != catalogued.leading or not planted.leading


def test_a_loss_that_is_taken_for_the_right_one_is_the_mistakes_own_everywhere(planted):
    taken = [case for case in planted if isinstance(case.program.loss, RightLoss) and not case.variant.recognizes]
    assert len(taken) > 50
    rng = np.random.default_rng(7)
    for case in taken:
        arrays = {name: array + rng.normal(0, 0.5, array.shape) for name, array in case.program.arrays.items()}
        elsewhere = problem_at(case.problem, arrays)
        assert case.program.loss(elsewhere) == case.variant.predict(elsewhere)["loss"], case.mistake.name


def test_a_mistakes_own_loss_is_asked_at_changed_numbers(planted):
    program = find(planted, "another activation").program
    elsewhere = problem_at(program.problem, program.arrays | {"b": program.arrays["b"] + 1})
    assert program.loss(program.problem) == program.answer["loss"] != RightLoss(program.problem)(program.problem)
    assert program.loss(elsewhere) != program.answer["loss"]


def test_a_mistake_is_known_by_its_name_even_where_it_begins_with_anothers(monkeypatch):
    names = ("sign", "sign: of the loss")
    known = [MISTAKES[0], *(replace(MISTAKES[0], name=name) for name in names)]
    monkeypatch.setattr("gradparity.compare.detection.run.MISTAKES", known)
    suspects = ("sign", "sign: all gradients", "sign: of the loss", "sign: of the loss: and more", "signs")
    assert [mistake_of(suspect) for suspect in suspects] == ["sign", "sign", *["sign: of the loss"] * 2, ""]


def test_what_is_planted_is_found_and_named(planted):
    two = [find(planted, "φ′ missing"), find(planted, "another activation")]
    detection = detect([*two, *islice(correct_cases(1), 1)], ["gradparity", "differences"])
    assert detection.checks == ("differences", "gradparity")
    assert (detection.missed, detection.unnamed, detection.own_false_positives) == ([], [], [])
    assert detection.rows() == [
        {"part": part, "planted": (1, 0), "differences": (seen, 0), "gradparity": (1, 0), "named": (1, 0)}
        for part, seen in (("plain cell", 1), ("changed problems", 0))
    ]
    verdicts = {"differences": {"right": 1}, "gradparity": {"right": 1}}
    assert detection.correct_rows() == [{"kind": "ordinary", "correct": 1} | verdicts]


@pytest.fixture
def few(monkeypatch, planted):
    """The command on few of what it would show."""
    chosen = [find(planted, name) for name in ("φ′ missing", "sign", "labels shifted by a step")]
    chosen.append(find(planted, "sign", small=True))
    monkeypatch.setattr(chosen_cases, "mistake_cases", lambda **_: chosen)
    monkeypatch.setattr(chosen_cases, "correct_cases", lambda count: islice(correct_cases(count), 2))
    monkeypatch.setattr(chosen_cases, "own_cases", lambda count, programs: [])
    return chosen


def test_the_command_writes_a_row_for_every_mistake_that_was_planted(gradparity, few, tmp_path):
    code, out, err = gradparity("detect", "--quick", "--markdown", "page.md", "--json", "-", "--check", "gradparity")
    assert code == 0
    page = (tmp_path / "page.md").read_text()
    table = page.partition("## Every mistake")[2]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")]
    assert rows == ["mistake", "---", "φ′ missing", "labels shifted by a step", "sign"]
    assert "| sign | 1/1 · 1/1 | 1/1 · 1/1 |" in table
    assert "`gradparity detect --quick --check gradparity --markdown FILE`" in page
    assert "## What gradparity does not detect or name" not in page
    assert "Of 3 mistakes, planted 4 times, and 2 right gradients: gradparity detects 4, with 0 false positives." in err
    document = json.loads(out)
    assert [result["mistake"] for result in document["planted"]] == [case.mistake.name for case in few]
    assert document["right"] == [{"kind": "ordinary", "correct": 2, "gradparity": {"right": 2}}]


@pytest.mark.parametrize(
    ("verdict", "line"),
    [
        ("right", "missed: φ′ missing, on elman-softmax: within what rounding allows"),
        ("wrong", "false positive: ordinary"),
    ],
)
def test_the_exit_code_is_1_if_gradparity_is_wrong(gradparity, few, monkeypatch, verdict, line):
    always = CHECKS["gradparity"]._replace(judge=lambda program: verdict)
    monkeypatch.setitem(detection_checks.CHECKS, "gradparity", always)
    code, out, _ = gradparity("detect", "--check", "gradparity")
    assert code == 1
    assert line in out


@pytest.mark.campaign
def test_a_mistake_that_is_named_otherwise_is_listed(gradparity, few, monkeypatch):
    monkeypatch.setattr("gradparity.compare.detection.run.mistake_of", lambda suspect: "another")
    code, out, _ = gradparity("detect", "--check", "gradparity")
    assert code == 0
    assert "not named: φ′ missing, on elman-softmax: taken for φ′ missing" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--check", "gradchek"], "unknown check 'gradchek': did you mean 'gradcheck'?"),
        (["--markdown", "none/page.md"], "there is no folder none"),
        (["--json", "none/page.json"], "there is no folder none"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(gradparity, arguments, message):
    code, out, err = gradparity("detect", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_what_is_not_installed_is_left_out_with_a_note(hide):
    hide("torch")
    checks, notes = choose_checks([])
    assert checks == ("check_grads", "differences", "gradparity")
    assert len(notes) == 2
    assert all('torch, which is not installed: pip install "gradparity[torch]"' in note for note in notes)
    with pytest.raises(RequestError, match="check 'gradcheck' needs torch, which is not installed"):
        choose_checks(["gradcheck"])
    detection = detect(list(islice(correct_cases(1), 1)), ["gradparity"])
    assert detection.correct_rows() == [{"kind": "ordinary", "correct": 1, "gradparity": {"right": 1}}]
