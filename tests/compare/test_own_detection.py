"""Slips in programs of our own, as `gradparity detect` shows them: what is planted, counted, and computed once more."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from gradparity.compare.detection import OwnCase, chosen_cases, detect, own_cases
from gradparity.compare.detection import own as own_module
from gradparity.compare.detection.checks import CheckResult
from gradparity.compare.detection.own import PROGRAMS, ask, edited
from gradparity.compare.detection.own_claims import contradicted, is_derivative
from gradparity.compare.detection.own_results import OwnResult, own_rows
from gradparity.compare.functions.own_function import OwnFunction
from gradparity.compare.localization import Localization, Located, in_words
from gradparity.compare.localization.derivatives import derivatives

SIGN = ("rows", "dU += x[t].T @ da", "dU -= x[t].T @ da")
ELSEWHERE = ("attention", "(dweights * weights).sum", "weights.sum")  # which is no derivative: the next line is one
UNSAID = ("rows", "carry = da @ W.T", "pass")  # dh0 is never computed
LEFT_OUT = ("rows", "range(T - 1, -1, -1)", "range(T - 1, 0, -1)")


@pytest.fixture(scope="module")
def searched():
    """What is found of a slip, the run, and the right gradients."""
    case = edited("rows", "dU += x[t].T @ da", "dU += 2 * x[t].T @ da")
    with own_module._loaded("rows", case.slip.source) as module:
        own = own_module._own_function(module)
        own.record(own_module.GIVEN)
        found, program, _ = own.searched(own_module.GIVEN)
    right = {f"d{name}": gradient for name, gradient in own_module._right("rows").items() if name}
    return found, program, right


def test_planted_are_edits_behind_the_comment_that_make_gradients_wrong():
    first, *others = own_cases(5, ["rows"])
    assert first == OwnCase("rows")
    assert len(others) == 5
    backward = PROGRAMS["rows"].read_text().splitlines().index("    # backward") + 1
    right = own_module._right("rows")
    for case in others:
        assert case.slip.line > backward
        given = own_module._returned("rows", case.slip.source)
        assert given[""] == right[""]
        assert not all(np.allclose(given[name], right[name]) for name in right)


@pytest.mark.parametrize("now", ["dU += 1.0 * x[t].T @ da", "dU += x[t].T @ nothing", "dU += x[t].T @ da * np.inf"])
def test_an_edit_that_changes_nothing_or_makes_the_program_fail_is_not_planted(monkeypatch, now):
    was = "dU += x[t].T @ da"
    monkeypatch.setattr(own_module, "slips", lambda source: [edited("rows", was, now).slip, edited(*SIGN).slip])
    assert [case.slip and case.slip.now for case in own_cases(5, ["rows"])] == [None, SIGN[2]]


def test_slips_are_named_elsewhere_or_not_named_and_counted():
    result = detect([OwnCase("rows"), *(edited(*edit) for edit in (SIGN, ELSEWHERE, UNSAID))], ["gradparity"])
    of_rows, of_attention, total = own_rows(result.own)
    assert [one.outcome for one in result.own[1:]] == ["named", "elsewhere", "not named"]
    counts = {"slips": 3, "seen": 3, "named": 1, "among several": 0, "elsewhere": 1, "not named": 1, "placed": 1}
    assert total.items() >= {"program": "all programs", "false": 0, **counts}.items()
    assert (
        of_rows.items() >= (total | {"program": "rows", "slips": 2, "seen": 2, "elsewhere": 0} | times(of_rows)).items()
    )
    assert of_attention["elsewhere"] == of_attention["slips"] == 1
    assert 0 < total["median s"] <= total["most s"]
    assert not result.has_catalogue
    assert result.own_faults == []


def times(row):
    return {name: seconds for name, seconds in row.items() if name.endswith(" s")}


def test_a_true_story_is_not_contradicted(searched):
    found, program, right = searched
    assert [one.written.place.line for one in found.findings] == [31]
    assert contradicted(found, program, in_words(found, program), right) == ()


def with_expected(found, change):
    """The findings, with another value in the place of what should stand there."""
    return found._replace(findings=tuple(replace(one, expected=change(one.expected)) for one in found.findings))


def doubled(expected):
    derivative = expected.derivative._replace(values=2 * expected.derivative.values)
    return expected._replace(derivative=derivative, values=2 * expected.values)


def on_another_line(found, program):
    other = next(
        program.operation(number).place
        for number in program.of_loss
        if program.operation(number).place.line != found.findings[0].expected.derivative.place.line
    )
    return with_expected(found, lambda one: one._replace(derivative=one.derivative._replace(place=other)))


UNTRUE = {
    "a value that does not put it right": (
        lambda found, program: with_expected(found, lambda one: one._replace(values=2 * one.values)),
        ["dU is said to be right, and is wrong", "what should be a derivative with respect to line 18 is none"],
    ),
    "a derivative that is none": (
        lambda found, program: with_expected(found, doubled),
        ["dU is said to be right, and is wrong", "with respect to line 18 is no slope of the loss"],
    ),
    "the derivative of another line": (on_another_line, ["is no slope of the loss"]),
    "what is right is still wrong": (
        lambda found, program: found._replace(left=("dV",)),
        ["dV is said to be still wrong, and is right"],
    ),
    "nothing else is wrong": (
        lambda found, program: found._replace(findings=()),
        ["dU is said to be right, and is wrong"],
    ),
}


@pytest.mark.parametrize("name", UNTRUE)
def test_an_untrue_sentence_is_contradicted(searched, name):
    found, program, right = searched
    change, expected = UNTRUE[name]
    sentences = contradicted(change(found, program), program, Localization(shown="all is well"), right)
    assert len(sentences) == len(expected)
    assert all(part in sentence for part, sentence in zip(expected, sentences, strict=True)), sentences


def test_gradients_are_compared_with_those_of_the_program_without_the_slip(searched):
    found, program, right = searched
    other = right | {"dV": 2 * right["dV"]}
    sentences = contradicted(found, program, in_words(found, program), other)
    assert sentences == ("dV is said to be right, and is wrong",)


@pytest.fixture
def kept(monkeypatch):
    """What is found, and the run, of each program that is asked."""
    kept = []
    searched = OwnFunction.searched
    monkeypatch.setattr(OwnFunction, "searched", lambda *of: kept.append(searched(*of)) or kept[-1])
    return kept


def test_what_an_array_is_said_to_lack_has_to_make_up_the_difference(kept):
    assert ask(edited(*LEFT_OUT)).contradicted == ()
    found, program, _ = kept[0]
    assert {stop.name for stop in found.stopped} == {"dU", "dW", "db", "dV", "dc"}
    right = {name: program.right[name] for name in program.outputs}
    another = right | {"dU": 2 * right["dU"], "dh0": 2 * right["dh0"]}
    sentences = contradicted(found, program, Localization(shown="so"), another)
    assert sentences == ("the parts of some steps are said to be missing of dU, and it lacks something else",)
    is_of_other_steps = replace_left_out(found)
    sentences = contradicted(is_of_other_steps, program, Localization(shown="so"), right)
    assert len(sentences) == len(found.stopped)


def replace_left_out(found):
    """The same, where other steps are said to be missing: the last in the place of the first."""
    changed = [
        stop._replace(expected=stop.expected._replace(order=tuple(step - 1 for step in stop.expected.order)))
        for stop in found.stopped
    ]
    return found._replace(stopped=tuple(changed))


def test_what_is_carried_to_missing_steps_only_has_to_be_wrong(kept):
    ask(edited(*LEFT_OUT))
    found, program, _ = kept[0]
    right = {name: program.right[name] for name in program.outputs}
    as_returned = program.returned({dtype: row[None] for dtype, row in program.values.items()}, (1,))
    sentences = contradicted(found, program, Localization(shown="so"), right | {"dh0": as_returned["dh0"][0]})
    assert (found.carried_to_missing, sentences) == (("dh0",), ("dh0 is said to be still wrong, and is right",))


def test_before_a_mean_the_gradients_are_those_of_the_sum_and_right_in_the_end(kept):
    assert ask(edited("samples", "dstate = R.T @ dpre", "dstate = R @ dpre")).contradicted == ()
    found, program, _ = kept[0]
    assert found.mean
    right = {name: 2 * program.right[name] for name in program.outputs}
    sentences = contradicted(found, program, Localization(shown="so"), right)
    assert sentences == tuple(f"{name} is said to be right in the end, and is wrong" for name in right)


def test_what_follows_from_missing_steps_is_put_right_as_well(kept):
    assert ask(edited("columns", "reversed(range(len(inputs)))", "reversed(range(len(inputs) - 1))")).contradicted == ()
    found, program, _ = kept[0]
    assert found.behind_missing
    right = {name: program.right[name] for name in program.outputs}
    sentences = contradicted(found._replace(behind_missing=()), program, Localization(shown="so"), right)
    assert "the parts of some steps are said to be missing of dWxh, and it lacks something else" in sentences


@pytest.mark.campaign
def test_what_the_last_run_returns_has_to_be_the_derivative_that_it_is_called(kept):
    assert ask(edited("gru", "drh * r[t] + Ur.T @ dr", "drh * r[t] - Ur.T @ dr")).contradicted == ()
    found, program, _ = kept[0]
    assert [one.expected.last for one in found.findings] == ["h0"]
    changed = with_expected(found, lambda one: one._replace(values=np.concatenate([one.values[:-1], [[1, 2, 3, 4]]])))
    right = {name: program.right[name] for name in program.outputs}
    sentences = contradicted(changed, program, Localization(shown="so"), right)
    assert [sentence.split(",")[0] for sentence in sentences] == [
        "dh0 is said to be right",
        "what should be a derivative with respect to line 24 is none of its values",
    ]


def test_every_derivative_that_may_be_named_is_held_against_a_slope(searched):
    """Those of results and of operands, of results apart from one path, and of arguments: doubled, they are none."""
    program = searched[1]
    named = derivatives(program)
    assert {(one.place is None, one.operand is None, one.without is None) for one in named} == {
        (False, True, True),
        (False, False, True),
        (False, True, False),
        (True, True, True),
    }
    assert [one for one in named if not is_derivative(program, one)] == []
    assert [one for one in named if is_derivative(program, one._replace(values=2 * one.values))] == []


def test_what_is_said_of_a_program_without_a_slip_is_false(monkeypatch):
    blamed = Located("rows.py", "gradients", 31, (), "dU should be another.", ("dU",))
    monkeypatch.setattr(own_module, "in_words", lambda *searched: Localization((blamed,)))
    result = ask(OwnCase("rows"))
    assert result.contradicted == ("of a program that is right it is said of line 31: dU should be another.",)
    assert result.is_fault


def test_a_program_without_a_slip_that_is_called_wrong_is_a_fault(monkeypatch):
    monkeypatch.setattr(own_module, "_verdict", lambda own, recorded: CheckResult("wrong"))
    assert ask(OwnCase("rows")).contradicted == ("it is called wrong, and is right",)


def test_a_slip_that_is_missed_is_a_fault_and_not_named(monkeypatch):
    monkeypatch.setattr(own_module, "_verdict", lambda own, recorded: CheckResult("right"))
    result = ask(edited(*SIGN))
    assert (result.is_seen, result.outcome, result.is_fault) == (False, "not named", True)


@pytest.fixture
def few(monkeypatch):
    """The command on few slips."""
    asked = []

    def cases(count, programs):
        asked.append((count, list(programs)))
        return [OwnCase("rows"), edited(*SIGN), edited(*ELSEWHERE)]

    monkeypatch.setattr(chosen_cases, "own_cases", cases)
    return asked


def test_the_command_shows_a_program_alone(gradparity, few, tmp_path):
    shown = ("detect", "--program", "rows", "--check", "gradparity")
    code, out, err = gradparity(*shown, "--quick", "--markdown", "page.md", "--json", "-")
    assert (code, few) == (0, [(5, ["rows"])])
    conclusion = "Of 2 slips in 2 programs of our own, gradparity sees 2, names 1 as the mistake and 0 among several"
    page = (tmp_path / "page.md").read_text()
    assert conclusion in err
    assert conclusion in page
    assert "| rows | 1 | 1 | 1 | 0 | 0 | 0 | 1 | 0 |" in page
    assert "| attention | 1 | 1 | 0 | 0 | 1 | 0 | 0 | 0 |" in page
    assert "- elsewhere: attention, line 30: an edit: `(dweights * weights).sum` became `weights.sum`: found on" in page
    assert "## Mistakes detected" not in page
    document = json.loads(out)
    assert [row["program"] for row in document["own"]] == ["rows", "attention", "all programs"]
    assert [one["outcome"] for one in document["slips"]] == ["not named", "named", "elsewhere"]
    assert document["slips"][1]["localization"]["located"][0]["line"] == document["slips"][1]["line"] == 31
    assert document["planted"] == []


@pytest.mark.parametrize(
    ("verdict", "untrue", "line"),
    [
        ("right", (), "missed: rows, line 31: a sign: `a` became `b`: right"),
        ("wrong", ("dU is wrong",), "false: rows, line 31: a sign: `a` became `b`: dU is wrong"),
    ],
)
def test_the_exit_code_is_1_if_gradparity_is_mistaken(gradparity, few, monkeypatch, verdict, untrue, line):
    result = OwnResult(
        "rows", "a sign", 31, "a", "b", CheckResult(verdict), "named", True, Localization(shown="so"), untrue, 0.1
    )
    assert [row["false"] for row in own_rows([result])] == [len(untrue)] * 2
    monkeypatch.setattr("gradparity.compare.detection.run.ask", lambda case: result)
    code, out, _ = gradparity("detect", "--only", "own", "--check", "gradparity")
    assert code == 1
    assert line in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--program", "row", "--check", "gradparity"], "unknown program 'row': did you mean 'rows'?"),
        (["--program", "rows", "--only", "catalogue", "--check", "gradparity"], "--only catalogue leaves these out"),
        (["--only", "own", "--check", "differences"], "shown to gradparity alone: expected --check gradparity"),
    ],
)
def test_a_request_that_leaves_nothing_is_one_line_and_exit_code_2(gradparity, arguments, message):
    code, out, err = gradparity("detect", *arguments)
    assert (code, out) == (2, "")
    assert message in err
