"""Slips in the backward passes of programs in many styles: which of them are found on their lines."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.loading import module_from_file
from gradparity.compare.detection.own import PROGRAMS, ask, edited, own_cases
from sampling import case

PLACED = {
    "attention": 17,
    "columns": 17,
    "deep_relu": 14,
    "einsum_sequences": 18,
    "flat_buffer": 17,
    "gru": 19,
    "layer_norm": 18,
    "lstm_four_matrices": 14,
    "lstm_one_matrix": 18,
    "model_class": 19,
    "rows": 19,
    "samples": 18,
}
EDITS = {
    "a part of a flat buffer": ("flat_buffer", "da = dh * h[t + 1] * (1 - h[t + 1])", "da = dh * (1 - h[t + 1])"),
    "a gate in a stacked array": ("lstm_one_matrix", "dc * g * i * (1 - i)", "dc * g * i * (1 + i)"),
    "one number of an array": ("columns", "dy[targets[t]] -= 1", "dy[targets[t]] -= 0.5"),
    "arrays for each layer": ("deep_relu", "acts[layer].T @ delta + decay", "acts[layer].T @ delta - decay"),
    "a sum that is subtracted": ("rows", "dc += dout.sum(axis=0)", "dc -= dout.sum(axis=0)"),
    "a term of what is carried on": ("columns", "np.dot(Why.T, dy) + dhnext", "np.dot(Why.T, dy)"),
}
HALVED = """
def gradients(w, x, y):
    e = x @ w - y
    loss = 0.5 * (e * e).sum()
    return loss, {"w": 0.5 * (x.T @ e)}
"""


@pytest.mark.parametrize("name", EDITS)
def test_a_slip_is_found_on_its_line(name):
    said = ask(edited(*EDITS[name]))
    assert (said.outcome, said.contradicted) in [("named", ()), ("among several", ())], str(said)


def test_a_mean_over_samples_in_the_end_is_not_blamed():
    said = ask(edited("samples", "dstate = R.T @ dpre", "dstate = R @ dpre"))
    assert not any("in the end" in one.says for one in said.localization.located), str(said)


def test_a_slip_in_front_of_a_mean_over_samples_is_found():
    said = ask(edited("samples", "dstate = R.T @ dpre", "dstate = R @ dpre"))
    assert [one.line for one in said.localization.located] == [30], str(said)
    assert said.localization.shown.endswith("Here L is the loss before `loss / n`, line 33.")


def test_a_factor_that_the_loss_has_too_is_blamed_where_the_gradients_should_not_have_it(tmp_path):
    path = tmp_path / "halved.py"
    path.write_text(HALVED)
    rng = np.random.default_rng(0)
    arguments = rng.normal(size=3), rng.normal(size=(4, 3)), rng.normal(size=4)
    check = check_gradients(module_from_file(path).gradients, *arguments, wrt={"w": "w"}, ordinary_only=True)
    (found,) = check.localization.located
    assert (found.line, found.says.endswith("it is to be multiplied by 2.")) == (5, True), str(check.localization)


def test_a_mean_of_the_gradients_alone_is_blamed():
    said = ask(edited("samples", "return loss / n", "return loss"))
    assert [one.line for one in said.localization.located] == [33], str(said)
    assert said.localization.located[0].says.endswith("in the end: it multiplies them by 0.333333.")


@pytest.mark.campaign
def test_what_is_returned_after_the_last_run_is_no_part_of_a_step():
    said = ask(edited("gru", "drh * r[t] + Ur.T @ dr", "drh * r[t] - Ur.T @ dr"))
    (found,) = said.localization.located
    assert (said.outcome, "dh0" in found.repairs) == ("named", True), str(said)
    assert "apart from what comes back through `h[t + 1] ** 2`, line 25, and dL/d(h0) in the last run" in found.says


def test_a_sum_is_not_taken_for_what_is_carried_on():
    said = ask(edited("columns", "dy[targets[t]] -= 1", "dWhh[targets[t]] -= 1"))
    assert not any("in the last run" in one.says for one in said.localization.located), str(said)


RETURNED = ('dV, "c": dc, "h0": carry', 'dV, "c": dc, "h0": h0')
NEVER_COMPUTED = {
    "depends on no argument": ("carry = da @ W.T", "pass"),
    "is taken from the arguments as it stands": RETURNED,
}


@pytest.mark.parametrize("why", NEVER_COMPUTED)
def test_what_is_never_computed_is_said_once_where_it_is_returned(why):
    localization = ask(edited("rows", *NEVER_COMPUTED[why])).localization
    assert str(localization).count("dh0") == 1, str(localization)
    never = localization.located[-1]
    assert (never.line, never.says) == (35, f"dh0 is never computed: what is returned here {why}.")


LEFT_OUT = {
    "the last step": (
        (
            "columns",
            "reversed(range(len(inputs)))",
            "reversed(range(len(inputs) - 1))",
            "the part of step 4 is missing.",
        ),
        {"dWxh", "dWhh", "dWhy", "dbh", "dby"},
        "With what the missing steps carry on put there, the way back as it stands gives the right dWxh, dWhh, dbh but "
        "for the missing parts.",
    ),
    "the first step": (
        ("rows", "range(T - 1, -1, -1)", "range(T - 1, 0, -1)", "the part of step 1 is missing."),
        {"dU", "dW", "db", "dV", "dc"},
        "dh0 is carried up to the missing steps only.",
    ),
    "a step of a flat buffer": (
        ("flat_buffer", "range(T - 1, -1, -1)", "range(T - 1, 0, -1)", "the part of step 1 is missing."),
        {"dtheta"},
        "",
    ),
    "the last step of each sample": (
        (
            "samples",
            "range(len(sequence), 0, -1)",
            "range(len(sequence) - 1, 0, -1)",
            "the parts of the steps 3, 7, 10 are missing.",
        ),
        {"dA", "dR", "dbias"},
        "With what the missing steps carry on put there, the way back as it stands gives the right dA, dR, dbias but "
        "for the missing parts.",
    ),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_steps_that_are_left_out_are_said_and_no_line_behind_them(name):
    (program, was, now, end), arrays, shown = LEFT_OUT[name]
    said = ask(edited(program, was, now))
    (found,) = said.localization.located
    assert found.says.endswith(end), str(said)
    assert (set(found.repairs), said.localization.shown) == (arrays, shown)


def test_a_fault_beside_steps_that_are_left_out_is_found_as_well(tmp_path, monkeypatch):
    path = tmp_path / "short.py"
    path.write_text(PROGRAMS["rows"].read_text().replace("range(T - 1, -1, -1)", "range(T - 2, -1, -1)"))
    monkeypatch.setitem(PROGRAMS, "short", path)
    said = ask(edited("short", "h[t + 1].T @ dout", "h[t].T @ dout"))
    assert [one.line for one in said.localization.located] == [27, 31], str(said)
    assert said.localization.shown.startswith("With this value and what the missing steps carry on put there, ")


COPIES = {
    "a name": ("rows", "da = dh * (1 - h[t + 1] ** 2)", "da = dh"),
    "a part of an array": ("rows", "dout = error[t] / B", "dout = error[t]"),
    "what is carried, zeros at first": ("columns", "np.dot(Why.T, dy) + dhnext", "dhnext"),
    "a number of the loss's part, read transposed": ("attention", "weights * (dweights - inner)", "weights"),
    "a name whose last value nobody reads": ("model_class", "dh * (1.0 - self.hs[t + 1] ** 2)", "dh"),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_line_that_only_copies_a_name_is_meant_and_none_beside_it(name):
    said = ask(edited(*COPIES[name]))
    assert (said.outcome, said.contradicted) == ("named", ()), str(said)
    assert said.now.split(" = ")[-1] in said.localization.located[0].source[0]


@pytest.mark.parametrize("slip", [("1 - h[t + 1] ** 2", "1 - h[t + 1]"), ("x[t].T @ da", "x[t - 1].T @ da")])
def test_a_copy_of_a_wrong_value_and_a_copy_that_is_misused_are_not_blamed(tmp_path, monkeypatch, slip):
    path = tmp_path / "copying.py"
    text = PROGRAMS["rows"].read_text()
    path.write_text(text.replace("da = dh * (1 - h[t + 1] ** 2)", "d = dh * (1 - h[t + 1] ** 2)\n        da = d"))
    monkeypatch.setitem(PROGRAMS, "copying", path)
    said = ask(edited("copying", *slip))
    assert [one.line for one in said.localization.located] == [said.line], str(said)


def test_of_lines_that_hand_a_right_value_on_the_last_one_is_meant():
    said = ask(edited("rows", "(1 - h[t + 1] ** 2)", "1"))
    assert [one.line for one in said.localization.located] == [30], str(said)


def test_an_expression_is_in_parentheses_where_it_is_a_part_of_a_factor():
    said = ask(edited("samples", "1 / (1 + np.exp(-logit))", "1 / (1 - np.exp(-logit))"))
    assert "(1 - np.exp(logit))" in said.localization.located[0].says
    assert "(1 - 1" not in said.localization.located[0].says, str(said)


@pytest.mark.parametrize("now", ["(probs + onehot)", "probs"])
def test_a_factor_that_is_zero_where_the_values_are_not_is_none(now):
    said = ask(edited("deep_relu", "(probs - onehot)", now))
    assert (said.outcome, "factor" in said.localization.located[0].says) == ("named", False), str(said)


def test_the_text_of_an_einsum_is_no_operand():
    said = ask(edited("einsum_sequences", "(1 - S[:, t + 1] ** 2)", "(1 - S[:, t] ** 2)"))
    assert (said.outcome, "'bh" in said.localization.located[0].says) == ("named", False), str(said)


def test_a_row_in_the_place_of_a_column_is_its_transpose():
    said = ask(edited("columns", "inputs[t].T", "inputs[t - 1].T"))
    assert said.localization.located[0].says.endswith("belongs the transpose of `inputs[t]`, line 17."), str(said)


def test_a_missing_term_is_said_before_a_factor_that_happens_to_fit():
    said = ask(edited("samples", "1 / (1 + np.exp(-logit)) - label", "1 / (1 + np.exp(-logit))"))
    assert said.localization.located[0].says.endswith("it lacks what comes back through `label * logit`, line 20.")


def test_what_is_not_finite_resembles_nothing():
    said = ask(edited("samples", "1 / (1 + np.exp(-logit))", "1 / (1 - np.exp(-logit))"))
    assert said.outcome == "named"
    assert "`loss`" not in said.localization.located[0].says, str(said)


def test_a_right_line_behind_a_wrong_one_is_not_blamed():
    said = ask(edited("flat_buffer", "dh = da @ W", "dh = da @ W.T"))
    assert 39 not in {one.line for one in said.localization.located}, str(said)


@pytest.mark.parametrize("slip", [("R.T @ dpre", "R @ dpre"), ("1 - states[t] ** 2", "1 - states[t]")])
def test_the_steps_of_samples_of_other_lengths_are_not_mixed_up(tmp_path, monkeypatch, slip):
    mean = "return loss / n, {name: total / n for name, total in sums.items()}"
    path = tmp_path / "sums.py"
    path.write_text(PROGRAMS["samples"].read_text().replace(mean, "return loss, sums"))
    monkeypatch.setitem(PROGRAMS, "sums", path)
    said = ask(edited("sums", *slip))
    assert (said.outcome, len(said.localization.located)) == ("named", 1), str(said)


@pytest.mark.parametrize("name", [case(name, campaign=name != "rows") for name in PROGRAMS])
def test_the_programs_are_right(name, tmp_path):
    path = tmp_path / f"{name}.py"
    path.write_text(PROGRAMS[name].read_text())
    module = module_from_file(path)
    arguments = module.arguments(np.random.default_rng(0))
    check = check_gradients(module.gradients, *arguments, wrt=getattr(module, "WRT", None), ordinary_only=True)
    assert check.verdict == "agree"


@pytest.mark.campaign
@pytest.mark.parametrize("name", PROGRAMS)
def test_as_many_slips_are_found_on_their_lines_as_were_and_nothing_untrue_is_said(name):
    results = [ask(one) for one in own_cases(20, [name])]
    assert [one for one in results if one.is_fault] == []
    placed = [one for one in results if one.is_placed]
    assert len(placed) >= PLACED[name], "\n".join(map(str, results))
