"""The judgement on hand-made values and limits: every number of it is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import FeedForward, Problem, get_backend
from gradparity.compare.answers import Quantity, QuantityName, Training, quantities
from gradparity.compare.referee.gathering import Gathered
from gradparity.compare.referee.judgement import bitwise_equal, judge, judge_values
from gradparity.compare.referee.results import Failure
from gradparity.compare.tolerance import Entries, Tolerance, measure_tolerance

NAME = QuantityName("W", is_derivative=True)
ULP = 2.0**-50  # of numbers from 4 to 8 in float64
TINY = float(np.finfo("float64").tiny)


def one_block(*values, dtype="float64"):
    return {"dW": Quantity(NAME, np.array(values, dtype), (NAME,))}


def steps(values):
    values = np.array(values, "float64")
    return {"dh_t": Quantity(QuantityName("h", True, index="t"), values, QuantityName("h", True).steps(len(values)))}


def limits(name="dW", *, allowed=(6 * ULP,), scale=None, undecidable=None, overflows=False, dtype="float64"):
    """A tolerance of one quantity."""
    allowed = np.array(allowed)
    scale = np.full(allowed.shape, 4.0) if scale is None else np.array(scale)
    undecidable = np.zeros(allowed.shape, bool) if undecidable is None else np.array(undecidable)
    spreads = {
        source: {name: np.zeros_like(allowed)} for source in ("kink", "underflow", "cancellation", "own formulas")
    }
    spreads["rounding"] = {name: allowed / 16}
    return Tolerance(
        np.dtype(dtype), {name: scale}, {name: allowed / 16}, {name: allowed}, {name: undecidable}, overflows, spreads
    )


def judged(tolerance=None, certificate=None, **answers):
    (block,) = judge_values(answers, tolerance or limits(), certificate)
    return block


def test_the_distance_is_from_the_median_entry_by_entry_in_units_of_the_scale():
    block = judged(a=one_block(1, 4), b=one_block(1, 4 + 2 * ULP), c=one_block(1 + 5 * ULP, 4 + 6 * ULP))
    assert block.distance_ulp == {"a": 2.0, "b": 0.0, "c": 5.0}


def test_of_two_answers_the_median_lies_halfway():
    assert judged(a=one_block(4), b=one_block(4 + 3 * ULP)).distance_ulp == {"a": 2.0, "b": 1.0}  # to even, in float64
    assert judged(a=one_block(2), b=one_block(2 + ULP)).distance_ulp == {"a": 0.5, "b": 0.5}


def test_the_distance_is_counted_in_units_of_the_problems_dtype_and_subtracted_in_double_precision():
    ulp = float(np.spacing(np.float32(4)))
    tolerance = limits(allowed=[8 * ulp], dtype="float32")
    block = judged(tolerance, a=one_block(4, dtype="float32"), b=one_block(4 + 2 * ulp, dtype="float32"))
    assert block.distance_ulp == {"a": 1.0, "b": 1.0}
    assert block.difference == 2 * ulp


@pytest.mark.parametrize(
    ("allowed", "verdict"), [(6 * ULP, "agree"), (np.nextafter(6 * ULP, 0), "disagree"), (np.nan, "disagree")]
)
def test_a_difference_that_is_exactly_the_limit_is_allowed_and_one_above_it_is_not(allowed, verdict):
    for one, other in ((4, 4 + 6 * ULP), (4 + 6 * ULP, 4), (-4, -4 - 6 * ULP)):
        block = judged(limits(allowed=[allowed]), a=one_block(one), b=one_block(other))
        assert (block.verdict, block.difference) == (verdict, 6 * ULP)


def test_the_largest_difference_of_all_pairs_and_entries_is_shown_with_its_place():
    a, b, c = np.ones((3, 2, 2, 3))
    b[1, 0, 2] += 0.25  # step 2
    c[1, 1, 0] -= 0.5
    first, second = judge_values(
        {"a": steps(a), "b": steps(b), "c": steps(c)}, limits("dh_t", allowed=[0.25, 0.375], scale=[1.0, 2.0])
    )
    assert (first.label, first.verdict, first.difference) == ("dh_1", "agree", 0.0)
    assert (second.label, second.name, second.verdict, second.difference) == ("dh_2", "dh_t", "disagree", 0.5)
    assert (second.between, second.index) == (("a", "c"), (1, 1, 0))
    assert second.groups == (("a", "b"), ("c",))
    assert (second.scale, second.spread, second.allowed) == (2.0, 0.375 / 16, 0.375)
    assert second.distance_ulp == {"a": 0.0, "b": 0.25 / 2**-51, "c": 0.5 / 2**-51}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_never_within_a_limit(bad):
    block = judged(limits(allowed=[1e300]), a=one_block(4, 4), b=one_block(4, 4), c=one_block(4, bad))
    assert (block.verdict, block.between, block.index) == ("disagree", ("a", "c"), (1,))
    assert not np.isfinite(block.difference)
    assert block.groups == (("a", "b"), ("c",))


def test_two_infinities_are_apart():
    assert judged(limits(allowed=[1e300]), a=one_block(np.inf), b=one_block(np.inf)).verdict == "disagree"


def test_a_block_is_undecidable_where_its_tolerance_says_so_and_its_neighbour_is_not():
    tolerance = limits("dh_t", allowed=[1.0, 1.0], undecidable=[False, True])
    first, second = judge_values({"a": steps([[1.0], [1.0]]), "b": steps([[1.0], [9.0]])}, tolerance)
    assert (first.verdict, first.reason) == ("agree", "")
    assert (second.verdict, second.reason, second.groups) == ("undecidable", "rounding", (("a",), ("b",)))


def with_choice(moved, **options):
    """A tolerance of one block at a kink, whose sides move the entries so far."""
    tolerance = limits(allowed=[8.0], undecidable=[True], **options)
    tolerance.spread_by_source["rounding"]["dW"][:] = ULP / 4
    tolerance.spread_by_source["kink"]["dW"][:] = np.max(moved)
    tolerance.spread["dW"][:] = np.max(moved)
    rounded = np.where(np.array([moved]) > 0.5, moved, ULP / 4)  # a rounding may take another side too
    return replace(tolerance, entries=Entries({"dW": np.array([moved])}, {"dW": rounded}))


def test_beside_entries_that_are_a_choice_the_others_are_judged():
    tolerance, right = with_choice([0.0, 1.0, 0.0]), one_block(4, 1, 2)
    for chosen in (1, 2, 9):
        block = judged(tolerance, a=right, b=one_block(4, chosen, 2))
        assert (block.verdict, block.reason, block.choices) == ("undecidable", "kink", (1,))
    block = judged(tolerance, a=right, b=one_block(4, 2, 2 + 100 * ULP))
    assert (block.verdict, block.choices, block.index) == ("disagree", (1,), (2,))
    assert (block.difference, block.allowed) == (100 * ULP, 8 * (ULP / 4) + 8 * (ULP + TINY))


def test_beside_a_choice_the_certificate_tells_who_is_wrong():
    tolerance, exact = with_choice([0.0, 1.0, 0.0]), Exact(dW=[[4, 1, 2]])
    block = judged(tolerance, exact, a=one_block(4, 1, 2), b=one_block(4, 0, 2), c=one_block(4, 0, 2 + 100 * ULP))
    assert (block.verdict, block.truth.wrong, block.truth.error["c"]) == ("disagree", ("c",), 100 * ULP)
    assert (block.choices, block.truth.rounding_dominated) == ((1,), False)
    block = judged(tolerance, exact, a=one_block(4, 1, 2), b=one_block(4, 0, 2))
    assert (block.verdict, block.truth.wrong, block.truth.beyond_limit) == ("undecidable", (), ("b",))


@pytest.mark.parametrize("moved", [[1.0, 1.0, 1.0], [np.inf, np.inf, np.inf]])
def test_a_block_of_choices_alone_is_undecidable(moved):
    block = judged(with_choice(moved), a=one_block(4, 1, 2), b=one_block(4, 1, 3))
    assert (block.verdict, block.choices) == ("undecidable", ())


def test_what_a_choice_moves_by_little_is_allowed_beside_it():
    tolerance = with_choice([2.0**-12, 1.0, 0.0])
    assert judged(tolerance, a=one_block(4, 1, 2), b=one_block(4 + 2.0**-10, 1, 2)).verdict == "undecidable"
    assert judged(tolerance, a=one_block(4, 1, 2), b=one_block(4 + 2.0**-8, 1, 2)).verdict == "disagree"


def test_out_of_range_nothing_beside_a_choice_is_decided():
    tolerance = with_choice([0.0, 1.0, 0.0], overflows=True)
    assert judged(tolerance, a=one_block(4, 1, 2), b=one_block(4, 1, 3)).verdict == "undecidable"


def test_every_block_is_undecidable_if_the_numbers_leave_the_range():
    assert judged(limits(overflows=True), a=one_block(4), b=one_block(4)).verdict == "undecidable"


def test_a_likely_cause_is_named_of_the_block_where_it_is_seen():
    values = np.arange(1.0, 13).reshape(2, 2, 3) ** 2
    wrong = values * np.array([1, -1])[:, None, None]
    first, second = judge_values({"a": steps(values), "b": steps(wrong)}, limits("dh_t", allowed=[1e-12, 1e-12]))
    assert (first.likely_cause, second.likely_cause) == ("", "opposite sign")
    allowed = judged(limits(allowed=[1e3]), a=one_block(1, 2, 4), b=one_block(-1, -2, -4))
    assert (allowed.verdict, allowed.likely_cause) == ("agree", "")


def test_what_one_backend_alone_answers_or_nobody_measured_is_not_judged():
    extra = {"dV": one_block(1)["dW"]}
    assert judge_values({"a": one_block(1) | extra, "b": extra}, limits()) == ()
    judged_among_two = judged(a=one_block(4) | extra, b=extra, c=one_block(4))
    assert (judged_among_two.name, judged_among_two.between) == ("dW", ("a", "c"))


def test_what_is_not_judged_keeps_nothing_after_it_from_being_judged():
    tolerance = limits()
    parts = {part: getattr(tolerance, part) for part in ("scale", "spread", "allowed", "undecidable")}
    tolerance = replace(tolerance, **{part: {"dV": arrays["dW"]} | arrays for part, arrays in parts.items()})
    assert judged(tolerance, a=one_block(4) | {"dV": one_block(1)["dW"]}, b=one_block(4)).name == "dW"


def test_the_blocks_come_in_the_order_of_the_tolerance():
    tolerance = limits()
    both = {part: getattr(tolerance, part) for part in ("scale", "spread", "allowed", "undecidable")}
    tolerance = replace(tolerance, **{part: {"dV": arrays["dW"]} | arrays for part, arrays in both.items()})
    answer = one_block(4) | {"dV": Quantity(QuantityName("V", True), np.array([4.0]), (QuantityName("V", True),))}
    assert [block.name for block in judge_values({"a": answer, "b": answer}, tolerance)] == ["dV", "dW"]


# With a certificate


class Exact:
    """A certificate without balls: the exact answer is known."""

    bits = 77

    def __init__(self, **exact):
        self.exact = {name: np.array(blocks, "float64") for name, blocks in exact.items()}

    def errors(self, name, answered):
        return np.abs(answered.blocks - self.exact[name])

    def scale(self, name):
        return np.abs(self.exact[name]).max(axis=1)


@pytest.mark.parametrize(("allowed", "wrong"), [(6 * ULP, ()), (np.nextafter(6 * ULP, 0), ("b",))])
def test_with_a_certificate_an_error_above_the_limit_is_wrong_and_the_limit_itself_is_not(allowed, wrong):
    block = judged(
        limits(allowed=[allowed]), Exact(dW=[[4, 1]]), a=one_block(4, 1 + ULP / 2), b=one_block(4 + 6 * ULP, 1)
    )
    assert (block.verdict, block.truth.wrong) == ("disagree" if wrong else "agree", wrong)
    assert (block.truth.error, block.truth.error_ulp) == ({"a": 0.5 * ULP, "b": 6 * ULP}, {"a": 0.5, "b": 6.0})
    assert (block.truth.scale, block.truth.rounding_dominated, block.truth.beyond_limit) == (4.0, False, ())


def test_with_a_certificate_one_answer_is_enough_and_differs_from_itself_by_nothing():
    block = judged(limits(), Exact(dW=[[4]]), a=one_block(4 + 8 * ULP))
    assert (block.verdict, block.difference, block.between) == ("disagree", 0.0, ("a", "a"))
    assert judge_values({"a": {}}, limits(), Exact(dW=[[4]])) == ()


def test_a_nan_is_wrong_whatever_is_allowed():
    tolerance = limits(allowed=[1e300], undecidable=[True])
    block = judged(tolerance, Exact(dW=[[4]]), a=one_block(np.nan))
    assert (block.verdict, block.truth.wrong, block.truth.beyond_limit) == ("disagree", ("a",), ("a",))


@pytest.mark.parametrize(
    ("exact", "error", "verdict"),
    [
        (4.0, 0.04, "agree"),
        (4.0, 0.03, "agree"),
        (4.0, np.nextafter(0.04, 1), "undecidable"),
        (0.0, 8 * (5e-324 + TINY), "agree"),
        (0.0, np.nextafter(8 * (5e-324 + TINY), 1), "undecidable"),
    ],
)
def test_in_a_block_that_rounding_dominates_a_hundredth_of_it_or_the_floor_is_allowed(exact, error, verdict):
    class Off(Exact):
        def errors(self, name, answered):
            return np.array([error])

    block = judged(limits(allowed=[1.0], undecidable=[True]), Off(dW=[[exact]]), a=one_block(exact))
    beyond = () if verdict == "agree" else ("a",)
    assert (block.verdict, block.truth.beyond_limit, block.truth.wrong) == (verdict, beyond, ())
    assert block.truth.rounding_dominated is True


def test_what_is_wrong_stays_wrong_where_rounding_dominates_and_nothing_is_decided_out_of_range():
    answers = {"a": one_block(4), "b": one_block(9)}
    assert judged(limits(undecidable=[True]), Exact(dW=[[4]]), **answers).verdict == "disagree"
    block = judged(limits(overflows=True), Exact(dW=[[4]]), **answers)
    assert (block.verdict, block.truth.rounding_dominated, block.truth.wrong) == ("undecidable", True, ("b",))


def test_every_block_of_a_quantity_has_its_own_error():
    tolerance = limits("dh_t", allowed=[0.5, 0.5], scale=[4.0, 4.0], undecidable=[False, True])
    first, second = judge_values({"a": steps([[3.0], [8.25]])}, tolerance, Exact(dh_t=[[2.0], [8.0]]))
    assert (first.truth.error, first.truth.scale, first.verdict) == ({"a": 1.0}, 2.0, "disagree")
    assert (second.truth.error, second.truth.scale, second.verdict) == ({"a": 0.25}, 8.0, "undecidable")
    assert second.truth.error_ulp == {"a": 0.25 / 2**-49}


# All answers to a problem

PROBLEM = Problem.from_seed(FeedForward((2, 3, 2)), batch_size=2, seed=0)
RIGHT = get_backend("manual").evaluate(PROBLEM, trace=True)
WRONG = replace(RIGHT, gradients=RIGHT.gradients | {"W1": -RIGHT.gradients["W1"]})
MEASURED = measure_tolerance(PROBLEM)
REFUSED = Failure("c", "dtype", "gradients['b1'] is float32", "b1")


def verdict(*, other=RIGHT, failures=(), **changes):
    gathered = Gathered({"a": RIGHT, "b": other}, failures, {"d": "cannot"})
    return judge(PROBLEM, gathered, replace(MEASURED, **changes))


def test_the_verdict_is_disagree_before_undecidable_before_agree():
    dominated = MEASURED.undecidable | {"dW2": np.array([True])}
    assert verdict().verdict == "agree"
    assert verdict(other=WRONG).verdict == "disagree"
    assert verdict(failures=(REFUSED,)).verdict == "disagree"
    assert verdict(undecidable=dominated).verdict == "undecidable"
    assert verdict(undecidable=dominated, other=WRONG).verdict == "disagree"
    assert verdict(undecidable=dominated, failures=(REFUSED,)).verdict == "disagree"
    assert verdict(overflows=True).verdict == "undecidable"


def test_out_of_range_nothing_is_decided_even_if_there_is_nothing_to_compare():
    alone = Gathered({"a": RIGHT}, (), {})
    assert judge(PROBLEM, alone, replace(MEASURED, overflows=True)).verdict == "undecidable"
    assert judge(PROBLEM, alone, MEASURED).blocks == ()


def test_a_comparison_says_what_was_asked_who_was_skipped_and_of_how_many_bits_the_certificate_is():
    found = verdict(failures=(REFUSED,))
    assert (found.problem, found.failures, found.skipped) == (PROBLEM, (REFUSED,), {"d": "cannot"})
    assert (found.overflows, found.training, found.bits, found.bitwise) == (False, None, None, True)
    assert verdict(overflows=True).overflows
    exact = Exact(**{name: quantity.blocks for name, quantity in quantities(RIGHT, PROBLEM).items()})
    training = Training(0.1, 1)
    certified = judge(PROBLEM, Gathered({"a": WRONG}, (), {}), MEASURED, exact, training)
    assert (certified.bits, certified.training, certified.verdict) == (77, training, "disagree")
    assert [block.name for block in certified.blocks if block.truth.wrong] == ["dW1"]


def test_a_refused_loss_is_left_out_of_its_backend_and_of_no_other():
    refused = Failure("b", "non-finite", "loss is nan", "loss")
    nan = replace(RIGHT, loss=float("nan"))
    found = judge(PROBLEM, Gathered({"a": RIGHT, "b": nan, "c": RIGHT}, (refused,), {}), MEASURED)
    (loss,) = (block for block in found.blocks if block.name == "loss")
    assert (loss.verdict, set(loss.distance_ulp)) == ("agree", {"a", "c"})
    assert all("b" in block.distance_ulp for block in found.blocks if block.name != "loss")


@pytest.mark.parametrize(("backend", "name"), [("z", "loss"), ("b", "W1"), ("b", "outputs"), ("b", "")])
def test_another_refusal_takes_no_loss_away(backend, name):
    failure = Failure(backend, "non-finite", "…", name)
    found = judge(PROBLEM, Gathered({"a": RIGHT, "b": RIGHT}, (failure,), {}), MEASURED)
    assert {"a", "b"} == set(found.blocks[0].distance_ulp)
    assert found.blocks[0].name == "loss"


@pytest.mark.parametrize(
    ("answers", "equal"),
    [
        ([one_block(1.0), one_block(1.0)], True),
        ([one_block(0.0), one_block(-0.0)], False),
        ([one_block(-0.0), one_block(0.0)], False),
        ([one_block(np.nan), one_block(np.nan)], True),
        ([one_block(1.0), one_block(1.0), one_block(1 + 2.0**-52)], False),
        ([one_block(1.0) | {"dV": one_block(2.0)["dW"]}, one_block(1.0)], True),
        ([one_block(1.0)], True),
    ],
)
def test_answers_are_bitwise_equal_in_what_they_have_in_common(answers, equal):
    assert bitwise_equal(answers) is equal
