"""Who is right among functions of the same arguments: which gradients belong together, and what judges them."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.backends.errors import DerivationError
from gradparity.compare.function_bench import verification
from gradparity.compare.function_bench.alignment import align
from gradparity.compare.function_bench.float_rounding import spread_between
from gradparity.compare.function_bench.verification import verify
from gradparity.compare.functions.calls import named_arguments
from gradparity.compare.functions.own_function import OwnFunction
from gradparity.compare.functions.recorded_function import Setting
from gradparity.compare.functions.returned import Returned
from gradparity.compare.referee import compare

W, X = np.array([[0.3, -0.2], [0.5, 0.1]]), np.array([1.0, 2.0])
DTYPES = {"W": "float64", "x": "float64"}
RIGHT = {"dW": np.outer(2 * (W @ X), X), "dx": 2 * W.T @ (W @ X)}
LOSS = float(((W @ X) ** 2).sum())


def squares(W, x):
    y = W @ x
    return (y * y).sum(), {"dW": np.outer(2 * y, x), "dx": 2 * W.T @ y}


def doubled(W, x):
    loss, gradients = squares(W, x)
    return 2 * loss, {name: 2 * array for name, array in gradients.items()}


def answer(gradients=None, loss=LOSS, **changed):
    return Returned(np.float64(loss), (RIGHT if gradients is None else gradients) | changed)


def recorded(function):
    given = named_arguments(function, [W.copy(), X.copy()])
    return OwnFunction(function, lambda setting: given).record(Setting("as given"))


def nobody_measured():
    raise AssertionError("the rounding was measured although there is a recording")


def spreads(*names, size=1e-7):
    return lambda: {name: dict.fromkeys(("loss", *RIGHT), size) for name in names}


def verified(answers, recordings=(), measured=nobody_measured):
    functions = dict(recordings)
    return verify(align(answers, DTYPES), list(functions), lambda name: recorded(functions[name]), measured)


WRONG = answer(dW=RIGHT["dW"] + [[0, 1e-9], [0, 0]])
TWICE = answer({name: 2 * array for name, array in RIGHT.items()}, loss=2 * LOSS)


# Which gradient is which


@pytest.mark.parametrize("names", [("W", "x"), ("grad_W", "grad_x"), ("[0]", "[1]"), ("dx", "dW")])
def test_gradients_belong_together_by_name_or_by_position(names):
    arrays = {"x": RIGHT["dx"], "dx": RIGHT["dx"]}
    other = Returned(np.float64(LOSS), {name: arrays.get(name, RIGHT["dW"]) for name in names})
    if names[1] in ("grad_x", "[1]"):
        other.gradients[names[1]] = RIGHT["dx"]
    aligned = align({"one": answer(), "other": other}, DTYPES)
    assert not aligned.refused
    for name, array in RIGHT.items():
        assert np.array_equal(aligned.answers["other"].gradients[name], array)


@pytest.mark.parametrize(
    ("gradients", "reason"),
    [
        ({"dW": RIGHT["dW"]}, "it returns 1 gradient: dx missing, where one returns dW, dx"),
        (RIGHT | {"db": X}, "it returns 3 gradients (dW, dx, db), where one returns dW, dx"),
        ({"dW": RIGHT["dW"], "db": X}, "it returns gradients of other names: dW, db, where one returns dW, dx"),
        ({"[0]": RIGHT["dx"], "[1]": RIGHT["dW"]}, "dW has shape (2,), that of one (2, 2)"),
        (RIGHT | {"dx": np.array([1, 2])}, "dx is of int64, expected float64"),
        (RIGHT | {"dx": np.array([1.0, np.inf])}, "dx[1] is inf, expected a finite number"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason(gradients, reason):
    aligned = align({"one": answer(), "two": answer(), "other": Returned(np.float64(LOSS), gradients)}, DTYPES)
    assert aligned.refused == {"other": ("disagrees", reason)}


def test_a_loss_in_float32_is_refused():
    aligned = align({"one": answer(), "other": Returned(np.float32(LOSS), RIGHT)}, DTYPES)
    assert aligned.refused["other"][1].startswith("its loss is of float32, expected float64")


# By a recording


def test_an_error_of_a_billionth_is_told_from_the_exact_gradient():
    result = verified({"squares": answer(), "other": WRONG}, [("squares", squares)])
    assert result.is_certified
    assert list(result.refused) == ["other"]
    assert result.refused["other"][1].startswith("dW[0, 1] is -0.4, 1.0e-09 away from -0.4 (the exact gradient of")


def test_two_that_share_a_mistake_do_not_outvote_the_recording():
    result = verified({"squares": answer(), "one": WRONG, "other": WRONG}, [("squares", squares)])
    assert sorted(result.refused) == ["one", "other"]


def test_without_a_certificate_the_recording_is_not_outvoted_either(monkeypatch):
    monkeypatch.setattr(verification, "compare_certified_if_possible", compare)
    answers = {"squares": answer(), "one": WRONG, "two": WRONG, "three": WRONG}
    result = verified(answers, [("squares", squares)])
    assert result.how == "by the recording of squares, to rounding"
    assert sorted(result.refused) == ["one", "three", "two"]
    assert "(the recorded gradient of the loss of squares)" in result.refused["one"][1]


def test_a_recorded_function_can_be_wrong_by_its_own_loss():
    result = verified({"squares": WRONG, "other": answer()}, [("squares", squares)])
    assert list(result.refused) == ["squares"]


def test_a_loss_that_most_do_not_return_defines_nothing():
    answers = {"doubled": TWICE, "one": answer(), "squares": answer()}
    result = verified(answers, [("doubled", doubled), ("squares", squares)])
    assert result.how == "by the recording of squares, certified"
    assert list(result.refused) == ["doubled"]
    assert result.refused["doubled"][1].startswith("loss is 1, 5.0e-01 away from 0.5 (as one returns): ")


def test_only_what_is_needed_is_recorded():
    asked = []

    def record(name):
        asked.append(name)
        return recorded(squares) if name != "cannot" else "it cannot"

    answers = dict.fromkeys(("cannot", "squares", "other"), answer())
    result = verify(align(answers, DTYPES), list(answers), record, nobody_measured)
    assert asked == ["cannot", "squares"]
    assert (result.refused, result.notes) == ({}, ("cannot was not recorded: it cannot",))


def test_of_two_losses_neither_is_right_by_itself():
    result = verified({"doubled": TWICE, "squares": answer()}, [("doubled", doubled), ("squares", squares)])
    assert sorted(result.refused) == ["doubled", "squares"]
    assert all("which is right nobody says" in reason for _, reason in result.refused.values())


# Pairwise


def test_the_larger_group_is_accepted_and_the_place_is_said_of_the_other():
    result = verified({"one": answer(), "two": answer(), "other": WRONG}, measured=spreads("one", "two", "other"))
    assert list(result.refused) == ["other"]
    assert result.refused["other"][1].startswith("dW[0, 1] is -0.4, 1.0e-09 away from -0.4 (as one returns): ")
    assert not result.is_certified


def test_what_rounding_explains_is_no_difference():
    """In float32 they round by 1e-1: in float64 that is 2e-10, of which a few are allowed."""
    result = verified({"one": answer(), "other": WRONG}, measured=spreads("one", "other", size=0.1 * 2**3))
    assert not result.refused


def test_two_that_differ_are_both_refused():
    result = verified({"one": answer(), "other": WRONG}, measured=spreads("one", "other"))
    assert sorted(result.refused) == ["one", "other"]


def test_who_could_not_be_measured_is_judged_by_the_others_rounding_and_that_is_said():
    result = verified({"one": answer(), "two": answer()}, measured=spreads("two"))
    assert not result.refused
    assert result.notes == ("one: how far it rounds was not measured, and the others' was taken for it",)


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"one": answer()}, "nothing verifies it"),
        ({"one": answer(), "two": answer()}, "how far it rounds is not known"),
    ],
)
def test_what_nothing_verifies_is_undecidable(answers, reason):
    result = verified(answers, measured=spreads())
    assert {verdict for verdict, _ in result.refused.values()} == {"undecidable"}
    assert all(text.startswith(reason) for _, text in result.refused.values())


def test_a_function_that_computes_in_float64_whatever_it_is_given_measures_nothing():
    wide = Returned(np.float64(1), {"w": np.ones(2)})
    with pytest.raises(DerivationError, match="of arguments in float32 it returns w in float64"):
        spread_between(wide, wide)


def test_the_gradient_of_a_number_of_pythons_has_its_own_dtype():
    narrow = Returned(np.float32(1), {"w": np.ones(2, "float32"), "b": np.array(1.0)})
    wide = Returned(np.float64(1), {"w": np.ones(2), "b": np.array(1.0)})
    assert spread_between(narrow, wide) == {"loss": 0.0, "w": 0.0, "b": 0.0}
