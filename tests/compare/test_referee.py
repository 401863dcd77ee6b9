from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from faults import Faulty, in_adjoints, in_gradients, move_one_entry, nothing, rounded_to_float32
from gradparity.backends import (
    FeedForward,
    Problem,
    Recurrent,
    RequestError,
    UnknownNameError,
    UnsupportedProblemError,
    get_backend,
)
from gradparity.compare import SYSTEMS, DisagreementError, assert_agree, compare
from gradparity.compare.referee.explanation import explain

PROBLEM = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seq_len=7, batch_size=2, seed=0)


def test_names_objects_and_module_object_may_be_mixed():
    comparison = compare(PROBLEM, ["torch", get_backend("jax"), Faulty(nothing)])
    assert list(comparison.answers) == ["torch", "jax", "mine"]
    assert comparison.verdict == "agree"


def test_without_names_all_installed_backends_are_asked():
    assert list(compare(PROBLEM).answers) == ["manual", "torch", "torch-nn", "jax"]


def test_a_single_backend_is_compared_with_the_hand_derivation():
    comparison = compare(PROBLEM, [Faulty(in_gradients("W", np.transpose))])
    assert set(comparison.answers) == {"mine", "manual"}
    assert comparison.verdict == "disagree"


def test_two_backends_of_ones_own_agree_with_each_other_only():
    def three_more(answer, problem):
        return replace(answer, loss=answer.loss + 3)

    wrong = [Faulty(three_more, "mine"), Faulty(three_more, "yours")]
    for comparison in (compare(PROBLEM, wrong), assert_agree(PROBLEM, wrong)):
        said = "mine and yours agree with each other only: no backend of gradparity's own was asked."
        assert (comparison.verdict, comparison.without_reference, comparison.reservation) == ("agree", True, said)
        assert explain(comparison).splitlines()[1:] == [said]
    assert compare(PROBLEM, [*wrong, "jax"]).reservation == ""
    right = [Faulty(nothing, "mine"), Faulty(nothing, "yours")]
    assert compare(PROBLEM, [*right, "torch"]).reservation == ""
    assert compare(PROBLEM, right[:1]).reservation == ""  # the hand derivation is asked too
    assert compare(PROBLEM, wrong, certify=True).verdict == "disagree"
    assert compare(PROBLEM, right, certify=True).reservation == ""


def test_who_is_called_as_a_reference_is_none_for_that():
    own = {"manual": Faulty(nothing), "torch": Faulty(nothing)}
    assert compare(PROBLEM, own).reservation.startswith("manual and torch agree with each other only")


def test_the_hand_derivation_alone_has_nobody_to_agree_with():
    comparison = compare(PROBLEM, ["manual"])
    assert (comparison.verdict, comparison.strength, comparison.blocks) == ("agree", "alone", ())
    with pytest.raises(UnsupportedProblemError, match="an agreement needs at least two backends"):
        assert_agree(PROBLEM, ["manual"])


def refuse_all(answer, problem):
    raise UnsupportedProblemError("never")


def test_a_wrong_backend_is_not_right_because_the_other_one_refuses():
    wrong = Faulty(in_gradients("W", np.negative), "wrong")
    comparison = compare(PROBLEM, [wrong, Faulty(refuse_all, "refusing")])
    assert (comparison.verdict, set(comparison.answers)) == ("disagree", {"wrong", "manual"})


def test_where_no_two_can_answer_nothing_is_called_an_agreement():
    with pytest.raises(UnsupportedProblemError, match="no two backends can compute this: mine: never"):
        compare(PROBLEM, [Faulty(refuse_all)])


def test_an_assertion_does_not_pass_without_a_backend_that_was_named():
    with pytest.raises(UnsupportedProblemError, match="not every backend that was named can compute this: mine: never"):
        assert_agree(PROBLEM, ["manual", "torch", Faulty(refuse_all)])


def test_a_class_is_made_an_object_and_one_that_cannot_be_is_explained():
    class NoArguments(Faulty):
        def __init__(self):
            super().__init__(nothing)

    assert "mine" in compare(PROBLEM, ["manual", NoArguments]).answers
    with pytest.raises(RequestError, match="cannot be made: TypeError"):
        compare(PROBLEM, ["manual", Faulty])


def test_a_disagreement_is_reported_even_where_the_case_cannot_be_saved(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DisagreementError, match="dW: "):
        assert_agree(PROBLEM, [Faulty(in_gradients("W", np.negative))], save_case=tmp_path / "file")


def test_a_backend_that_cannot_compute_the_model_is_skipped_with_its_reason():
    problem = Problem.from_seed(Recurrent("rnn", 3, 5, 4, activation="sigmoid"), seq_len=3, batch_size=2, seed=0)
    comparison = compare(problem, ["manual", "torch", "torch-nn"])
    assert comparison.skipped == {"torch-nn": "torch.nn.RNN has tanh and relu, not sigmoid"}
    assert list(comparison.answers) == ["manual", "torch"]


def test_a_backend_may_refuse_a_single_problem():
    def refuse(answer, problem):
        if problem.lengths is not None:
            raise UnsupportedProblemError("mine has no lengths")

    with_lengths = Problem.from_seed(PROBLEM.model, seq_len=7, batch_size=2, seed=0, lengths=[7, 2])
    comparison = compare(with_lengths, ["manual", "torch", Faulty(refuse)])
    assert comparison.verdict == "agree"
    assert comparison.skipped == {"mine": "mine has no lengths"}
    assert set(compare(PROBLEM, ["manual", Faulty(refuse)]).answers) == {"manual", "mine"}


def test_bitwise_equality_is_called_so():
    comparison = compare(PROBLEM, ["manual", Faulty(nothing)])
    assert comparison.strength == "bitwise"
    assert compare(PROBLEM, ["manual", "jax"]).strength == "rounding"


@pytest.mark.parametrize(
    ("backends", "error", "message"),
    [
        (["torhc"], UnknownNameError, "did you mean 'torch'"),
        ([], RequestError, "no backend was named"),
        ("torch", RequestError, r"expected a list of names such as \['torch'\]"),
        (["torch", "torch"], RequestError, "two backends are called 'torch'"),
        ([3], RequestError, "backend '3' is not a Backend: it has no name, supports"),
    ],
)
def test_a_wrong_request_is_refused(backends, error, message):
    with pytest.raises(error, match=message):
        compare(PROBLEM, backends)


def report(problem, change, backends=("manual", "torch")):
    """The lines of the report on a fault."""
    with pytest.raises(DisagreementError) as error:
        assert_agree(problem, [*backends, Faulty(change)])
    return str(error.value).splitlines()


def test_the_message_says_what_where_how_bad_the_limit_and_the_next_step():
    def wrong_at_step_5(answer, problem):
        answer.adjoints["a"][4] *= 1.5
        answer.gradients["W"][3, 1] += 2.1e-4

    lines = report(PROBLEM, wrong_at_step_5, ("manual", "torch", "jax"))
    assert lines[0] == f"disagree: manual, torch, jax, mine on {PROBLEM.summary}, case {PROBLEM.fingerprint[:12]}"
    assert lines[1].startswith("dW: mine differs from manual, torch and jax at [3, 1]: 2.1e-04, ")
    assert lines[1].endswith(" times what rounding explains.")
    assert lines[2].startswith("da_5: mine differs from manual, torch and jax at [4, ")
    assert lines[2].endswith(" Likely cause: a factor of 1.5.")
    assert lines[3] == "The forward pass agrees. Going backwards, first in da_5."
    assert lines[4] == "Keep the case: --save-case DIR, or save_case=DIR."


def test_two_answers_cannot_tell_which_is_wrong():
    with pytest.raises(DisagreementError, match=r"dW: manual and mine differ at \["):
        assert_agree(PROBLEM, ["manual", Faulty(in_gradients("W", np.transpose))])


def problem_with(model):
    """A problem with 7 steps, or 7 samples."""
    sizes = {"seq_len": 7, "batch_size": 2} if isinstance(model, Recurrent) else {"batch_size": 7}
    return Problem.from_seed(model, seed=0, **sizes)


PLAIN = problem_with(Recurrent("rnn", 3, 5, 4))
LSTM = problem_with(Recurrent("lstm", 3, 5, 4))
STACK = problem_with(Recurrent("gru", 3, 5, 4, num_layers=2))
BOTH = problem_with(Recurrent("rnn", 3, 5, 4, bidirectional=True))
STACK_OF_BOTH = problem_with(Recurrent("lstm", 3, 5, 4, num_layers=2, bidirectional=True))
LAYERS = problem_with(FeedForward((3, 6, 5, 4)))
ORDERED = SYSTEMS["ordered-derivatives"].problem(seed=0)


@pytest.mark.parametrize(
    ("problem", "wrong", "first"),
    [
        (PLAIN, [("a", 2), ("h", 5)], "dh_5"),
        (PLAIN, [("a", 6), ("h", 5)], "da_6"),
        (PLAIN, [("a", 4), ("h", 4)], "dh_4"),
        (PLAIN, [("o", 1), ("h", 7)], "do_1"),
        (LSTM, [("a", 3), ("c", 3), ("h", 3)], "dh_3"),
        (LSTM, [("a", 3), ("c", 3), ("h", 2)], "dc_3"),
        (STACK, [("layer0.h", 7), ("layer1.h", 2)], "layer1.dh_2"),
        (STACK, [("layer0.h", 3), ("layer0.a", 6)], "layer0.da_6"),
        (BOTH, [("h.reverse", 6), ("h.reverse", 2)], "dh_2.reverse"),
        (BOTH, [("a.reverse", 2), ("h.reverse", 2)], "dh_2.reverse"),
        (STACK_OF_BOTH, [("layer0.h", 7), ("layer0.h.reverse", 1), ("layer1.c.reverse", 5)], "layer1.dc_5.reverse"),
        (LAYERS, [("z1", 1), ("z2", 1), ("z3", 1)], "dz3"),
        (LAYERS, [("z1", 1), ("z2", 1)], "dz2"),
        (ORDERED, [("z", 1), ("z", 3)], "dz_3"),
    ],
)
def test_the_first_difference_is_reported_in_the_order_of_the_backward_pass(problem, wrong, first):
    """The read-out first, then the topmost layer, against the direction in which its steps were computed."""
    assert report(problem, in_adjoints(*wrong))[-2] == f"The forward pass agrees. Going backwards, first in {first}."


@pytest.mark.parametrize(("problem", "first"), [(PLAIN, "o_4"), (STACK, "o_4"), (LAYERS, "o"), (ORDERED, "z_4")])
def test_a_difference_in_the_forward_pass_is_reported_by_its_first_step(problem, first):
    def forward(answer, problem):
        answer.outputs[3:] += 0.5

    assert report(problem, forward)[-2] == f"The forward pass differs already, first in {first}."


def test_a_wrong_loss_of_right_outputs_is_reported_as_such():
    def change(answer, problem):
        return replace(answer, loss=answer.loss / 2)

    for problem in (PLAIN, LAYERS, ORDERED):
        assert report(problem, change)[-2] == "The outputs agree, but the loss differs."


def test_a_right_backward_pass_with_a_wrong_sum_is_told_apart():
    for problem, name in ((PLAIN, "U"), (STACK, "layer0.W"), (LAYERS, "W1")):
        assert "the adjoints of every step agree: look at how" in report(problem, move_one_entry(name, 0.5))[-2]


def test_without_adjoints_the_first_wrong_step_is_not_known():
    def change(answer, problem):
        answer.gradients["U"] *= 2
        return replace(answer, adjoints={})

    assert report(PLAIN, change)[-2].endswith(
        "With all adjoints it would be known whether a step is wrong, and which is the first."
    )


def test_the_reproducer_is_saved_where_it_was_asked_for(tmp_path):
    with pytest.raises(DisagreementError) as error:
        assert_agree(PROBLEM, [Faulty(in_gradients("W", np.transpose))], save_case=tmp_path / "cases")
    (path,) = (tmp_path / "cases").iterdir()
    assert str(error.value).endswith(f"Try: gradparity compare --case {path}")
    assert Problem.load(path).fingerprint == PROBLEM.fingerprint


def test_an_undecidable_problem_does_not_pass_and_says_why():
    model = Recurrent("rnn", 3, 32, 4)
    chaotic = Problem.from_seed(model, seq_len=80, batch_size=2, seed=0, dtype="float32", recurrent_gain=3.0)
    with pytest.raises(DisagreementError, match="rounding alone moves it by") as error:
        assert_agree(chaotic, ["manual", "torch"])
    assert "or float64, can" in str(error.value)


def test_the_rows_are_plain_values():
    comparison = compare(PROBLEM)
    rows = comparison.rows()
    assert json.loads(json.dumps(rows)) == rows
    assert [row["block"] for row in rows][:3] == ["loss", "o_1", "o_2"]
    assert all(math.isfinite(row["difference"]) for row in rows)
    assert len(rows) == len(comparison.blocks) == 1 + len("UWbVc") + 1 + len(["o", "dx", "do", "dh", "da"]) * 7


def test_a_host_that_turns_floating_point_errors_into_exceptions_is_served_too():
    problem = Problem.from_seed(
        Recurrent("rnn", 3, 5, 4, activation="relu"),
        seq_len=100,
        batch_size=2,
        seed=0,
        dtype="float32",
        recurrent_gain=3,
    )
    with np.errstate(all="raise"):
        assert compare(problem, ["manual", "torch"]).verdict == "undecidable"
        assert compare(PROBLEM).verdict == "agree"


@pytest.mark.parametrize(("change", "is_float32"), [(rounded_to_float32, True), (move_one_entry("W", 1e-3), False)])
def test_a_float32_inside_is_told_from_a_mistake(change, is_float32):
    problem = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seq_len=6, batch_size=2, seed=0)
    report = explain(compare(problem, ["manual", "torch", Faulty(change)]))
    assert ("than rounding to float32 explains: mine may compute in float32 inside." in report) == is_float32


def test_only_the_loss_is_said_to_agree_where_no_outputs_were_given():
    def change(answer, problem):
        answer.gradients["U"] *= 2
        return replace(answer, outputs=None, adjoints={})

    partial = Faulty(change)
    partial.partial = True
    assert "\nThe loss agrees. With all adjoints" in explain(compare(PLAIN, ["manual", partial]))


def test_nothing_is_said_to_agree_of_a_loss_that_was_refused():
    def change(answer, problem):
        answer.gradients["U"] *= 2
        return replace(answer, loss=math.nan, outputs=None, adjoints={})

    partial = Faulty(change)
    partial.partial = True
    lines = explain(compare(PLAIN, ["manual", partial])).splitlines()
    assert lines[1] == "mine: non-finite: loss is nan."
    assert lines[2].startswith("dU: manual and mine differ")
    assert lines[3].startswith("With all adjoints")


def test_sums_are_not_suspected_where_adjoints_are_missing():
    def without_a(answer, problem):
        del answer.adjoints["a"]
        answer.gradients["U"] *= 2

    assert report(PLAIN, without_a)[-2].startswith("The forward pass agrees. With all adjoints")


@pytest.mark.parametrize("size", [1e-8, 1e-7, 1e-6])
def test_an_error_as_large_as_that_of_float32_is_not_called_float32(size):
    noise = np.random.default_rng(0)

    def noisy(answer, problem):
        for array in (answer.outputs, *answer.gradients.values(), *answer.adjoints.values()):
            array += size * np.abs(array).max() * noise.standard_normal(array.shape)

    assert "float32" not in explain(compare(PLAIN, ["manual", "torch", Faulty(noisy)])).partition("\n")[2]


def test_of_two_that_differ_the_one_with_the_numbers_of_float32_is_suspected():
    report = explain(compare(PLAIN, ["manual", Faulty(rounded_to_float32)]))
    assert "explains: mine may compute in float32 inside." in report


def test_a_factor_close_to_one_is_no_float32_and_has_the_digits_that_tell_it_from_one():
    def through_a_single(answer, problem):
        for array in answer.gradients.values():
            array *= float(np.float32(0.1)) * 10

    lines = explain(compare(PLAIN, ["manual", "torch", Faulty(through_a_single)])).splitlines()
    assert lines[1].endswith(" Likely cause: a factor of 1.0000000149.")
    assert not any("float32 inside" in line for line in lines)


def test_a_difference_just_beyond_the_limit_is_not_shown_as_the_limit_itself():
    limit = next(block.allowed for block in compare(PLAIN, ["manual", "torch"]).blocks if block.label == "dW")

    def change(answer, problem):
        answer.gradients["W"][0, 0] += 1.04 * limit

    (line,) = (line for line in report(PLAIN, change, ["manual"]) if line.startswith("dW: "))
    assert " 1.0" in line
    assert " 1 times" not in line


@pytest.mark.parametrize("reason", [None, True, ["it is too narrow"]])
def test_a_backend_that_does_not_say_whether_it_can_is_wrong(reason):
    class Silent(Faulty):
        def supports(self, model, dtype):
            return reason

    comparison = compare(PROBLEM, ["manual", Silent(nothing)])
    assert comparison.verdict == "disagree"
    assert f"mine: error: supports returned a {type(reason).__name__}, expected a str" in explain(comparison)


def test_there_is_no_verdict_on_a_backend_that_did_not_answer():
    comparison = compare(SYSTEMS["gru-reset-before"].problem(seed=0), ["manual", "torch", "torch-nn"])
    assert comparison.verdict_on("torch") == "agree"
    assert "torch-nn" in comparison.skipped
    for name in ("torch-nn", "jax"):
        with pytest.raises(UnknownNameError, match=f"unknown backend of this comparison '{name}'"):
            comparison.verdict_on(name)
