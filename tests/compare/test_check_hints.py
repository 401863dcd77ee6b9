"""What is said of a derivation beside its verdict: refused parts, small problems, hints at sizes, and digits."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from itertools import islice

import numpy as np
import pytest
from derivations import elman, verdicts
from gradparity.backends import Recurrent, Window
from gradparity.compare import SYSTEMS, check_derivation, compare
from gradparity.compare.check.display import show_check
from gradparity.compare.check.export import check_json
from gradparity.compare.check.questions import Question
from gradparity.compare.check.shrinking import SmallProblems, find_smallest, on_smaller_sizes
from gradparity.compare.check.smaller_problems import small_problems
from gradparity.compare.check.smaller_wording import (
    none_of_the_small_text,
    sizes_text,
    small_problem_text,
    smallest_heading,
)
from gradparity.compare.check.user_function import Derivation
from gradparity.compare.diagnosis.search import Diagnosis, Findings
from rich.console import Console
from sampling import case


def with_gradients(change):
    """The derivation above, right but for a change of its gradients, which gets the inputs too."""

    def changed(params, inputs, targets, h0):
        loss, gradients, _ = elman(params, inputs, targets, h0)
        return loss, change(gradients, inputs) or gradients

    return changed


FEW_NUMBERS = replace(
    SYSTEMS["elman-softmax"], model=Recurrent("rnn", 2, 3, 3), seq_len=4, batch_size=2
)  # so that a mistake is found in no time


def judged(function, system=FEW_NUMBERS):
    return check_derivation(function, system, seeds=[0], certify=False, name="mine", ordinary_only=True)


def shown(check):
    """The text of a check on a wide console."""
    on = Console(width=1000, file=StringIO())
    show_check(check, None, on)
    return on.file.getvalue()


@pytest.mark.parametrize(
    "spoil",
    [
        case(lambda gradients: gradients.update(c=gradients["c"].astype("f4")), campaign=False, id="dtype"),
        case(lambda gradients: gradients.update(c=gradients["c"][:, None]), campaign=True, id="shape"),
        case(lambda gradients: gradients.update(c=gradients["c"] * np.inf), campaign=True, id="not finite"),
        case(lambda gradients: gradients.update(c=list(gradients["c"])), campaign=True, id="a list"),
    ],
)
def test_one_refused_array_does_not_hide_a_mistake_in_another(spoil):
    def both(gradients, inputs):
        gradients["W"] = gradients["W"].T.copy()
        spoil(gradients)

    check = judged(with_gradients(both))
    said = verdicts(check)
    assert (check.verdict, said["dc"], said["dW"], said["dU"]) == ("disagree", "refused", "wrong", "right")
    assert check.diagnosis.suspects[0].mistakes == ("dW transposed",)
    assert check.missing == ("h0", "inputs")
    document = json.loads(check_json(check))
    assert [failure["message"][:14] for failure in document["failures"]] == ["gradients['c']"]
    assert {row["quantity"]: row["verdict"] for row in document["quantities"]} == said
    assert any(line.startswith("dW: ") for line in document["report"])
    assert "dc        refused" in shown(check)


def test_a_refused_loss_leaves_the_gradients_to_be_judged():
    def without_a_number(*arguments):
        _, gradients, _ = elman(*arguments)
        return float("nan"), gradients | {"W": gradients["W"].T}

    check = judged(without_a_number)
    assert (verdicts(check)["loss"], verdicts(check)["dW"]) == ("refused", "wrong")
    assert check.diagnosis.suspects[0].mistakes == ("dW transposed",)


def test_an_array_that_was_refused_makes_a_right_rest_no_right_answer():
    def in_singles(gradients, inputs):
        gradients["c"] = gradients["c"].astype("f4")

    check = judged(with_gradients(in_singles))
    assert (check.verdict, check.smallest, check.diagnosis) == ("disagree", None, Diagnosis())
    assert set(verdicts(check).values()) == {"right", "refused"}


def on_small_problems(function):
    """What comes of a function on the five smallest problems, of which one has two steps; and the text."""
    derivation, nothing_named = Derivation(function, "mine"), Findings(Diagnosis(), ())
    problems = islice(small_problems(SYSTEMS["elman-softmax"], 0, "float64"), 5)
    small = find_smallest(problems, lambda problem: compare(problem, [derivation, "manual"]), "mine", nothing_named)
    return small, none_of_the_small_text(small)


def raising_below(steps, change=lambda gradients, inputs: None):
    def raises(*arguments):
        if len(arguments[1]) < steps:
            raise ValueError("too few steps")
        return with_gradients(change)(*arguments)

    return raises


def test_one_that_raises_on_all_small_problems_is_not_said_to_be_right_there():
    small, text = on_small_problems(raising_below(5))
    assert (small.tried, small.failed) == (5, 5)
    first, second = text.splitlines()
    assert first == "It failed on all of the 5 small problems that were tried: it raised ValueError: too few steps"
    assert second.endswith(', in raises: raise ValueError("too few steps")')


def test_one_that_raises_on_some_small_problems_and_is_right_on_the_others_is_said_to_do_so():
    _, text = on_small_problems(raising_below(2))
    assert text.startswith("On none of the small problems that were tried is it wrong. It failed on 4 of 5: it raised ")


def test_one_of_which_a_part_is_refused_on_small_problems_did_not_fail():
    def in_singles(gradients, inputs):
        gradients["c"] = gradients["c"].astype("f4")

    _, text = on_small_problems(with_gradients(in_singles))
    assert text == (
        "On none of the small problems that were tried is it wrong. On 5 of 5 a part of its answer was refused."
    )


def windowed(params, inputs, targets, h0, window=5):
    """The gradient of a truncation to a window, with the recurrent matrix transposed on the way back."""
    U, W, b, V, c = params.values()
    h, loss, dW = [h0], 0.0, np.zeros_like(W)
    for x in inputs:
        h.append(np.tanh(x @ U.T + h[-1] @ W.T + b))
    for t, y in enumerate(targets):
        o = h[t + 1] @ V.T + c
        p = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)
        loss -= np.log(p[np.arange(len(y)), y]).sum()
        dh = (p - np.eye(len(c))[y]) @ V
        for s in range(t, max(-1, t - window), -1):
            da = dh * (1 - h[s + 1] ** 2)
            dW += da.T @ h[s]
            dh = da @ W.T
    return loss, {"W": dW}


def test_the_smallest_problem_has_the_systems_window_and_shows_the_mistake_that_was_named():
    system = replace(SYSTEMS["elman-window"], model=replace(FEW_NUMBERS.model, truncation=Window(5)), seq_len=7)
    check = judged(windowed, system)
    assert check.diagnosis.suspects[0].mistakes == ("W transposed",)
    model = check.smallest.problem.model
    assert model.truncation == Window(5)
    assert model.hidden_size == 2  # of one unit, the matrix is its own transpose


def transposed_on(sizes):
    """dW is transposed for some numbers of units, and wrong by something else for the others."""

    def change(gradients, inputs):
        gradients["W"] = gradients["W"].T.copy() if len(gradients["b"]) in sizes else gradients["W"] + 1

    return change


def test_a_small_problem_on_which_another_error_shows_is_not_shown_for_the_mistake_that_was_named():
    check = judged(with_gradients(transposed_on({2, 3})))
    assert check.diagnosis.suspects[0].mistakes == ("dW transposed",)
    assert check.smallest.problem.model.hidden_size == 2


@pytest.mark.campaign
def test_a_named_mistake_that_no_small_problem_shows_is_said_to_be_seen_on_none():
    check = judged(with_gradients(transposed_on({3})))
    assert check.smallest is None
    assert "wrong on 12 of the 12 small problems that were tried, but the mistake that is named below" in shown(check)


def capped_per_sample(params, inputs, targets, h0):
    """Every sample's gradient is clipped, which one step does not reach in ordinary numbers."""
    total, loss = {name: np.zeros_like(array) for name, array in params.items()}, 0.0
    for n in range(len(h0)):
        part, gradients, _ = elman(params, inputs[:, n : n + 1], targets[:, n : n + 1], h0[n : n + 1])
        loss += part
        for name in total:
            total[name] += np.clip(gradients[name], -1, 1)
    return loss, total


def added_to_large_ones(gradients, inputs):
    """A branch that ordinary numbers take on large problems alone."""
    gradients["b"] = gradients["b"] + 0.1 * (np.abs(gradients["b"]).max() > 1)


def averaged_over_time(gradients, inputs):
    gradients["c"], gradients["W"] = gradients["c"] / len(inputs), gradients["W"] * len(inputs) ** 0.5


def averaged_over_samples(gradients, inputs):
    gradients["c"], gradients["W"] = gradients["c"] / inputs.shape[1] ** 2, gradients["W"] * inputs.shape[1] ** 0.5


def units_turned_round(gradients, inputs):
    gradients["W"], gradients["V"] = gradients["W"][::-1].copy(), gradients["V"][:, ::-1].copy()


@pytest.mark.parametrize(
    ("function", "hidden_by"),
    [
        case(capped_per_sample, set(), campaign=True, id="clipped per sample"),
        case(with_gradients(added_to_large_ones), set(), campaign=False, id="a rare branch"),
        case(with_gradients(averaged_over_time), {"T = 1"}, campaign=False, id="time"),
        case(with_gradients(averaged_over_samples), {"one sample"}, campaign=True, id="samples"),
        case(with_gradients(units_turned_round), {"one unit"}, campaign=True, id="units"),
    ],
)
def test_a_size_is_hinted_at_only_where_no_numbers_show_the_mistake_on_it(function, hidden_by):
    derivation = Derivation(function, "mine")

    def ask(problem):
        return compare(problem, [derivation, "manual"])

    system = SYSTEMS["elman-softmax"]
    question = Question("seed 0", system.problem(seed=0), system)
    cut = on_smaller_sizes(question, ask, "mine", seed=0, dtype="float64", hints=True)
    assert set(cut.hidden_by) == hidden_by
    assert ("that were tried: look at" in sizes_text(cut)) == bool(hidden_by)


@pytest.mark.campaign
def test_no_size_is_hinted_at_where_the_mistake_has_a_name():
    check = judged(lambda *arguments: elman(*arguments, later=0.0))
    assert check.sizes["T = 1"] == "agree"
    assert not check.cut.hidden_by


@pytest.mark.parametrize("shift", [1e-12, 1e-9, 1e-4])
def test_numbers_have_as_many_digits_as_tell_them_apart(shift):
    def shifted(params, inputs, targets, h0):
        loss, gradients, _ = elman(params | {"b": params["b"] + shift}, inputs, targets, h0)
        return loss, gradients

    comparison = compare(FEW_NUMBERS.problem(seed=0), [Derivation(shifted, "mine"), "manual"])
    lines = small_problem_text(comparison, "mine").splitlines()
    pairs = [line.split(": given ")[1].split(", right is ") for line in lines if ": given " in line]
    assert len(pairs) > 2
    assert all(returned != right for returned, right in pairs)


def test_of_a_large_array_the_worst_entry_is_shown():
    problem = SYSTEMS["elman-softmax"].problem(seed=0)
    changed = with_gradients(lambda gradients, inputs: gradients["W"].__setitem__((2, 3), 7.0))
    comparison = compare(problem, [Derivation(changed, "mine"), "manual"])
    assert "  dW: given at [2, 3] 7, right is " in small_problem_text(comparison, "mine")


def test_an_error_as_large_as_rounding_to_float32_is_not_called_float32():
    def waves(gradients, inputs):
        for name in "UWb":
            wave = np.cos(np.arange(gradients[name].size)).reshape(gradients[name].shape)
            gradients[name] = gradients[name] * (1 + 1e-7 * wave)

    text = shown(judged(with_gradients(waves)))
    assert "float32" not in text
    assert "No single mistake of the catalogue gives these numbers" in text


@pytest.mark.campaign
def test_finite_differences_are_not_also_called_float32_nor_a_factor():
    def differences(params, inputs, targets, h0):
        def slope(name, step):
            moved = (elman(params | {name: params[name] + by}, inputs, targets, h0)[0] for by in (step, -step))
            return (next(moved) - next(moved)) / 2e-7

        steps = {name: 1e-7 * np.eye(params[name].size) for name in "Wbc"}
        gradients = {
            name: np.array([slope(name, step.reshape(params[name].shape)) for step in of]).reshape(params[name].shape)
            for name, of in steps.items()
        }
        return elman(params, inputs, targets, h0)[0], gradients

    text = shown(judged(differences))
    assert "finite differences in place of the derivative: steps of 1e-07" in text
    assert "float32" not in text
    assert "a factor" not in text


@pytest.mark.parametrize(
    ("wrong", "heading"),
    [
        (1, "The smallest problem on which it is still wrong:"),
        (2, "The smallest problem that shows all of the mistake that is named below:"),
    ],
)
def test_a_small_problem_is_called_the_smallest_on_which_it_is_wrong_only_if_it_is(wrong, heading):
    assert smallest_heading(SmallProblems(tried=5, wrong=wrong)) == heading
