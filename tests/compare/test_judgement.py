"""Each kind of wrong answer is caught as what it is, in the order of judgement."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from faults import Faulty, in_adjoints, in_gradients, nothing
from gradparity.backends import FeedForward, Problem, Recurrent
from gradparity.compare import SYSTEMS, DisagreementError, assert_agree, compare
from gradparity.compare.referee.judgement import agreeing_groups, find_likely_cause

PROBLEM = Problem.from_seed(Recurrent("rnn", 3, 5, 4), seq_len=7, batch_size=2, seed=0)


def against(change, problem=PROBLEM):
    return compare(problem, ["manual", "torch", Faulty(change)])


def nan(answer, problem):
    answer.gradients["W"][0, 2] = np.nan


def infinity(answer, problem):
    answer.adjoints["h"][3, 1, 0] = np.inf


def nan_loss(answer, problem):
    return replace(answer, loss=float("nan"))


def missing(answer, problem):
    del answer.gradients["b"]


def unknown(answer, problem):
    answer.gradients["Wxh"] = answer.gradients.pop("U")
    answer.gradients["U"] = answer.gradients["Wxh"]


def overwritten(answer, problem):
    problem.params["W"] *= 2


def replaced(answer, problem):
    problem.params["W"] = problem.params["W"] + 1


def a_list(answer, problem):
    answer.gradients["b"] = answer.gradients["b"].tolist()


def masked(answer, problem):
    answer.gradients["b"] = np.ma.masked_array(answer.gradients["b"], mask=True)


def ragged(answer, problem):
    answer.gradients["b"] = [[1.0], [1.0, 2.0]]


def added(answer, problem):
    problem.params["extra"] = np.zeros(1)


def destroyed(answer, problem):
    object.__setattr__(problem, "params", None)


def exiting(answer, problem):
    raise SystemExit(0)


def no_dict(answer, problem):
    return replace(answer, gradients=list(answer.gradients.values()))


def numpy_loss(answer, problem):
    return replace(answer, loss=np.float32(answer.loss))


def not_an_answer(answer, problem):
    return answer.loss, answer.gradients


def raising(answer, problem):
    raise ValueError("shapes (5,) and (3,) not aligned\nand more")


FAILURES = [
    (nan, "non-finite", "gradients['W'][0, 2] is nan"),
    (infinity, "non-finite", "adjoints['h'][3, 1, 0] is inf"),
    (nan_loss, "non-finite", "loss is nan"),
    (in_gradients("U", lambda array: array.astype("float32")), "dtype", "gradients['U'] is float32, expected float64"),
    (masked, "dtype", "gradients['b'] is a MaskedArray, expected a NumPy array"),
    (ragged, "dtype", "gradients['b'] is a list, expected a NumPy array"),
    (added, "mutation", "it changed params.extra, which it was given"),
    (destroyed, "mutation", "it changed the problem, which it was given"),
    (exiting, "error", "it raised SystemExit: 0"),
    (a_list, "dtype", "gradients['b'] is a list, expected a NumPy array"),
    (numpy_loss, "dtype", "loss is a float32, expected a float"),
    (missing, "names", "gradients has no 'b', expected U, W, b, V, c, h0, inputs"),
    (unknown, "names", "gradients has an unknown 'Wxh', expected U, W, b, V, c, h0, inputs"),
    (no_dict, "names", "gradients is a list, expected a dict of arrays by name"),
    (
        in_gradients("U", np.transpose),
        "shape",
        "gradients['U'] has shape (3, 5), expected (5, 3): the shape of its transpose",
    ),
    (in_gradients("b", lambda array: array[None]), "shape", "gradients['b'] has shape (1, 5), expected (5,)"),
    (overwritten, "mutation", "it changed params.W, which it was given"),
    (replaced, "mutation", "it changed params.W, which it was given"),
    (not_an_answer, "error", "it returned a tuple, expected an Evaluation"),
    (raising, "error", "it raised ValueError: shapes (5,) and (3,) not aligned"),
]


@pytest.mark.parametrize(("change", "kind", "message"), FAILURES)
def test_a_wrong_form_is_caught_as_its_own_kind(change, kind, message):
    comparison = against(change)
    assert comparison.verdict == "disagree"
    (failure,) = comparison.failures
    assert (failure.backend, failure.kind, failure.message.splitlines()[0]) == ("mine", kind, message)


@pytest.mark.parametrize(("change", "kind", "message"), FAILURES)
def test_the_others_are_still_compared(change, kind, message):
    assert {block.verdict for block in against(change).blocks} == {"agree"}


OTHER_FAMILIES = {
    "feed-forward": Problem.from_seed(FeedForward((3, 5, 4)), batch_size=2, seed=0),
    "ordered": SYSTEMS["ordered-derivatives"].problem(seed=0),
    "lstm-stacked": SYSTEMS["lstm-stacked"].problem(seed=0),
}


def without(kind, *names):
    def change(answer, problem):
        for name in names:
            del getattr(answer, kind)[name]

    return change


def with_adjoint(name):
    def change(answer, problem):
        answer.adjoints[name] = np.zeros(3)

    return change


def outputs_at_every_step(answer, problem):
    return replace(answer, outputs=answer.outputs[None])


@pytest.mark.parametrize(
    ("family", "change", "kind", "message"),
    [
        ("feed-forward", without("gradients", "b2"), "names", "gradients has no 'b2', expected W1, b1, W2, b2, inputs"),
        (
            "feed-forward",
            in_gradients("W2", np.transpose),
            "shape",
            "gradients['W2'] has shape (5, 4), expected (4, 5): the shape of its transpose",
        ),
        ("feed-forward", with_adjoint("h"), "names", "adjoints has an unknown 'h', expected z1, z2"),
        ("feed-forward", outputs_at_every_step, "shape", "outputs has shape (1, 2, 4), expected (2, 4)"),
        ("ordered", without("gradients", "A", "inputs"), "names", "gradients has no 'A', 'inputs', expected A, inputs"),
        (
            "ordered",
            in_gradients("A", lambda array: array[np.tril_indices(4, -1)]),
            "shape",
            "gradients['A'] has shape (6,), expected (4, 4)",
        ),
        ("ordered", with_adjoint("z"), "shape", "adjoints['z'] has shape (3,), expected (4,)"),
        (
            "lstm-stacked",
            in_gradients("layer1.W", lambda array: array[:8]),
            "shape",
            "gradients['layer1.W'] has shape (8, 8), expected (32, 8)",
        ),
        (
            "lstm-stacked",
            in_gradients("c0", lambda array: array[0]),
            "shape",
            "gradients['c0'] has shape (3, 8), expected (2, 3, 8)",
        ),
    ],
)
def test_a_wrong_form_is_caught_in_every_family(family, change, kind, message):
    (failure,) = against(change, OTHER_FAMILIES[family]).failures
    assert (failure.kind, failure.message) == (kind, message)


@pytest.mark.parametrize("family", OTHER_FAMILIES)
def test_no_fault_is_no_failure_in_any_family(family):
    assert against(nothing, OTHER_FAMILIES[family]).verdict == "agree"


@pytest.mark.parametrize(
    ("change", "block", "likely_cause"),
    [
        (in_gradients("W", np.transpose), "dW", "transposed"),
        (in_gradients("W", np.negative), "dW", "opposite sign"),
        (in_gradients("V", lambda array: array / 14), "dV", "a factor of 14"),
        (in_gradients("c", lambda array: array + 0.1), "dc", ""),
    ],
)
def test_wrong_values_are_caught_with_the_simple_mistake_behind_them(change, block, likely_cause):
    comparison = against(change)
    assert not comparison.failures
    assert [(b.name, b.verdict, b.outliers, b.likely_cause) for b in comparison.blocks if b.verdict != "agree"] == [
        (block, "disagree", ("mine",), likely_cause)
    ]


def test_answers_in_shared_arrays_are_not_compared_with_themselves():
    shared = {}

    def reuse(sign):
        def change(answer, problem):
            for name, array in answer.gradients.items():
                buffer = shared.setdefault(name, np.empty_like(array))
                buffer[...] = sign * array
            return replace(answer, gradients=shared)

        return change

    assert compare(PROBLEM, [Faulty(reuse(1), "one"), Faulty(reuse(-1), "other")]).verdict == "disagree"


def test_no_fault_is_no_failure():
    comparison = against(nothing)
    assert comparison.verdict == "agree"
    assert not comparison.failures


def test_every_part_that_is_refused_is_reported_in_the_order_of_the_checks():
    def everything(answer, problem):
        nan(answer, problem)
        in_gradients("U", lambda array: array.astype("float32"))(answer, problem)
        in_gradients("V", np.transpose)(answer, problem)
        overwritten(answer, problem)
        missing(answer, problem)

    failures = against(everything).failures
    assert [(failure.kind, failure.name) for failure in failures] == [
        ("names", ""),
        ("shape", "V"),
        ("dtype", "U"),
        ("non-finite", "W"),
        ("mutation", ""),
    ]


def test_an_array_that_fails_two_checks_is_refused_for_the_first():
    (failure,) = against(in_gradients("V", lambda array: array.T.astype("float32") * np.nan)).failures
    assert failure.kind == "shape"


@pytest.mark.parametrize(
    ("spoil", "refused"),
    [
        (in_gradients("c", lambda array: array.astype("float32")), "dc"),
        (in_gradients("c", lambda array: array[None]), "dc"),
        (in_gradients("c", lambda array: array * np.nan), "dc"),
        (lambda answer, problem: answer.gradients.pop("c") is None or None, "dc"),
        (lambda answer, problem: replace(answer, loss=float("inf")), "loss"),
        (lambda answer, problem: replace(answer, outputs=None), "o_t"),
    ],
    ids=["dtype", "shape", "not finite", "missing", "loss", "outputs"],
)
def test_what_is_left_beside_a_refused_part_is_judged(spoil, refused):
    def both(answer, problem):
        in_gradients("W", np.transpose)(answer, problem)
        return spoil(answer, problem)

    comparison = against(both)
    judged = {block.name for block in comparison.blocks if "mine" in block.distance_ulp}
    assert judged == {block.name for block in comparison.blocks} - {refused}
    assert [block.label for block in comparison.blocks if block.is_wrong("mine")] == ["dW"]
    assert comparison.has_wrong_numbers("mine")
    assert len(comparison.failures) == 1


def test_who_has_a_refused_part_is_never_right_whatever_is_left():
    comparison = against(in_gradients("c", lambda array: array.astype("float32")))
    assert {block.verdict for block in comparison.blocks} == {"agree"}
    assert (comparison.verdict, comparison.strength) == ("disagree", "")
    assert (comparison.verdict_on("mine"), comparison.verdict_on("manual")) == ("disagree", "agree")
    assert not comparison.has_wrong_numbers("mine")


def test_who_gave_no_gradient_that_is_fit_is_not_said_to_have_given_none():
    def singles(answer, problem):
        return replace(answer, gradients={name: array.astype("f4") for name, array in answer.gradients.items()})

    assert against(singles).forward_only == []


def test_adjoints_may_be_left_out_but_not_invented():
    def without_a(answer, problem):
        del answer.adjoints["a"]

    def with_z(answer, problem):
        answer.adjoints["z"] = answer.adjoints["a"]

    assert against(without_a).verdict == "agree"
    (failure,) = against(with_z).failures
    assert failure.kind == "names"


def test_a_wrong_adjoint_is_found_at_its_step():
    (block,) = (block for block in against(in_adjoints(("a", 3))).blocks if block.verdict == "disagree")
    assert (block.label, block.outliers, block.likely_cause) == ("da_3", ("mine",), "opposite sign")
    assert block.index[0] == 2


def test_assert_agree_raises_for_every_fault():
    for change, *_ in FAILURES:
        with pytest.raises(DisagreementError):
            assert_agree(PROBLEM, ["manual", Faulty(change)])


@pytest.mark.parametrize(
    ("backends", "apart", "groups"),
    [
        ("abc", [], "abc"),
        ("abc", ["ab", "bc"], "ac b"),
        ("abc", ["ab", "ac", "bc"], "a b c"),
        ("ab", ["ab"], "a b"),
        ("abcd", ["ac", "ad", "bc", "bd"], "ab cd"),
        ("abcd", ["ab", "ac", "ad"], "bcd a"),
        ("abcde", ["ac", "ad", "ae", "bc", "bd", "be"], "cde ab"),
        ("abc", ["ab"], "ac b"),  # c agrees with both: rounding is not transitive, and the first group is taken
    ],
)
def test_backends_are_grouped_by_agreement_the_largest_group_first(backends, apart, groups):
    grouped = agreeing_groups(list(backends), [tuple(pair) for pair in apart])
    assert " ".join("".join(group) for group in grouped) == groups


def test_outliers_stand_outside_a_majority():
    def shifted(name, by):
        return Faulty(in_gradients("c", lambda array: array + by), name)

    def outliers(*backends):
        (block,) = (block for block in compare(PROBLEM, backends).blocks if block.name == "dc")
        return block.outliers

    assert outliers("manual", "torch") == ()
    assert outliers("manual", shifted("a", 1)) == ()
    assert outliers("manual", "torch", shifted("a", 1)) == ("a",)
    assert outliers("manual", "torch", shifted("a", 1), shifted("b", 1)) == ()
    assert outliers("manual", "torch", "jax", shifted("a", 1), shifted("b", 2)) == ("a", "b")


def test_no_likely_cause_is_named_where_there_is_none():
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 4, 4))
    assert find_likely_cause(one, other, 1e-14) == ""
    assert find_likely_cause(one[:1, 0], other[:1, 0], 1e-14) == ""
    assert find_likely_cause(np.zeros(3), np.ones(3), 1e-14) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.array([[0.0, 1, 2], [-1, 0, 3], [-2, -3, 0]]), np.array([[0.0, -1, -2], [1, 0, -3], [2, 3, 0]])),
        (np.array([0.3, -0.3]), np.array([0.5, -0.5])),
        (np.array([[0.3, 0.1, 0.7]]), np.array([[0.6, 0.2, 1.4]])),
        (np.array([[0.3, 0.1, 0.7], [-0.3, -0.1, -0.7]]), np.array([[0.6, 0.2, 1.4], [-0.6, -0.2, -1.4]])),
        (np.array([0, 0, 0.4, 0]), np.array([0, 0, 0.5, 0])),
    ],
    ids=["transposed is the opposite sign", "two entries", "one row", "two rows of one softmax", "one entry is not 0"],
)
def test_no_likely_cause_is_named_where_the_numbers_allow_another(one, other):
    assert find_likely_cause(one, other, 1e-14) == ""


@pytest.mark.parametrize("shape", [(3, 5), (20,), (4, 4), (7, 3, 2)])
@pytest.mark.parametrize("times_allowed", [1.1, 3, 20])
def test_no_factor_is_named_for_a_difference_hardly_larger_than_what_is_allowed(shape, times_allowed):
    rng = np.random.default_rng(0)
    block = rng.standard_normal(shape)
    for allowed in (1e-14, 1e-6):
        factor = 1 + times_allowed * allowed / np.abs(block).max()
        noise = allowed * rng.uniform(-0.5, 0.5, shape)
        assert find_likely_cause(block, factor * block + noise, allowed) == ""


@pytest.mark.parametrize("factor", [1 + 1e-9, 1 - 3e-7, 1.5, 12.0, -0.25, 1 / 3])
def test_a_factor_is_named_with_the_digits_that_tell_it_from_one(factor):
    block = np.random.default_rng(0).standard_normal((4, 3))
    cause = find_likely_cause(block, factor * block, 1e-15)
    shown = float(cause.removeprefix("a factor of "))
    larger = factor if abs(factor) > 1 else 1 / factor
    assert abs(shown - larger) <= 1e-3 * abs(abs(larger) - 1)
