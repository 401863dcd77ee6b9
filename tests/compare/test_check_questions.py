"""What a check asks beside ordinary numbers, and what it makes of two answers to the same ones."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.backends import FeedForward, Problem, Recurrent, RequestError
from gradparity.compare import SYSTEMS, System, check_derivation
from gradparity.compare.check import checking, questions, shrinking
from gradparity.compare.check.user_function import Derivation
from gradparity.compare.check.wording import asked_text, conclusion, report
from gradparity.compare.diagnosis import Findings
from gradparity.compare.mistakes import Diagnosis
from gradparity.compare.systems.sizes import resized
from sampling import case

# small, so that a check is quick; the sizes differ from each other
SMALL = resized(SYSTEMS["elman-softmax"], (6, 2, 1, 3, 4))
RELU = resized(SYSTEMS["elman-relu"], (6, 2, 1, 3, 4))
LOGISTIC = SYSTEMS["logistic-regression"]
LAYER = System("layer", "one layer of relu", (), FeedForward((3, 4), "relu", "squared_error"), batch_size=5)


def elman(
    params, inputs, targets, h0, *, slope=lambda a, h: 1 - h**2, phi=np.tanh, steps=10**6, clip=np.inf, least=0.0
):
    """A plain network under softmax cross-entropy; with the slips of this file to choose from."""
    U, W, b, V, c = params.values()
    h, a, do, loss, rows = [h0], [], [], 0.0, np.arange(len(h0))
    for x, y in zip(inputs, targets, strict=True):
        a.append(x @ U.T + h[-1] @ W.T + b)
        h.append(phi(a[-1]))
        o = h[-1] @ V.T + c
        o = o - o.max(axis=1, keepdims=True)
        log_p = o - np.log(np.exp(o).sum(axis=1, keepdims=True))
        loss -= np.maximum(log_p[rows, y], np.log(least) if least else -np.inf).sum()
        do.append(np.exp(log_p))
        do[-1][rows, y] -= 1
    gradients = {name: np.zeros_like(array) for name, array in params.items()}
    later = np.zeros_like(h0)
    for t in reversed(range(max(0, len(inputs) - steps), len(inputs))):
        da = (do[t] @ V + later) * slope(a[t], h[t + 1])
        gradients["U"] += da.T @ inputs[t]
        gradients["W"] += da.T @ h[t]
        gradients["b"] += da.sum(axis=0)
        later = da @ W
    for t in range(len(inputs)):
        gradients["V"] += do[t].T @ h[t + 1]
        gradients["c"] += do[t].sum(axis=0)
    return loss, {name: np.clip(array, -clip, clip) for name, array in gradients.items()}


def slip(**changes):
    return lambda *arguments: elman(*arguments, **changes)


def softmax_without_maximum(*arguments):
    params, inputs, _, h = arguments
    loss, gradients = elman(*arguments)
    for x in inputs:
        h = np.tanh(x @ params["U"].T + h @ params["W"].T + params["b"])
        loss += 0 * np.log(np.exp(h @ params["V"].T + params["c"]).sum())
    return loss, gradients


def logistic(params, x, y):
    z = x @ params["W1"].T + params["b1"]
    dz = (1 / (1 + np.exp(-z)) - y) / len(x)
    return (np.logaddexp(0, z) - y * z).mean(), {"W1": dz.T @ x, "b1": dz.sum(axis=0)}


def naive_logistic(params, x, y):
    p = 1 / (1 + np.exp(-(x @ params["W1"].T + params["b1"])))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(), logistic(params, x, y)[1]


def divided_by_x(params, x, y):
    """dW = (dW x) / x, as in a derivation that keeps the product."""
    loss, gradients = logistic(params, x, y)
    return loss, gradients | {"W1": gradients["W1"] * x[:1] / x[:1]}


def among_the_other_samples(*arguments):
    """A bias that is divided by B − 1, as an unbiased variance is: 0 / 0 of one sample."""
    loss, gradients = relu_layer(*arguments)
    others = np.float64(len(arguments[1]) - 1)
    return loss, gradients | {"b1": gradients["b1"] * others / others}


def relu_at_0_half(*arguments):
    return relu_layer(*arguments, slope_at_0=0.5)


def relu_layer(params, x, y, slope_at_0=0.0):
    z = x @ params["W1"].T + params["b1"]
    error = np.maximum(z, 0) - y
    dz = error * np.where(z > 0, 1.0, np.where(z < 0, 0.0, slope_at_0))
    return 0.5 * (error**2).sum(), {"W1": dz.T @ x, "b1": dz.sum(axis=0)}


RELU_AT_0 = {"phi": lambda a: np.maximum(a, 0), "slope": lambda a, h: a >= 0}


BOTH = {"confident", "large gradients"}


@pytest.mark.parametrize(
    ("function", "system", "wrong_on"),
    [
        case(slip(**RELU_AT_0), RELU, {"zeros and ties"}, campaign=False, id="relu' at exact ties"),
        case(slip(clip=40), SMALL, BOTH, campaign=False, id="a clip at 40"),
        case(slip(clip=1000), SMALL, BOTH, campaign=True, id="a clip at 1000"),
        case(slip(steps=20), SMALL, {"T = 60"}, campaign=False, id="a truncation after 20 steps"),
        case(slip(steps=50), SMALL, {"T = 60"}, campaign=True, id="a truncation after 50 steps"),
        case(slip(least=1e-8), SMALL, BOTH, campaign=False, id="a loss that clips probabilities"),
        case(softmax_without_maximum, SMALL, BOTH, campaign=False, id="a softmax that overflows"),
        case(among_the_other_samples, LAYER, {"one sample"}, campaign=False, id="an average over the other samples"),
        case(relu_at_0_half, LAYER, {"zeros and ties"}, campaign=False, id="relu'(0) is a half"),
        case(naive_logistic, LOGISTIC, BOTH, campaign=False, id="the logarithm of a probability of 0"),
        case(divided_by_x, LOGISTIC, {"zeros and ties"}, campaign=False, id="a division by an input"),
    ],
)
def test_what_ordinary_numbers_hide_is_wrong_on_the_problem_that_shows_it(function, system, wrong_on, monkeypatch):
    # these take long, and have tests of their own
    monkeypatch.setattr(checking, "find_mistakes", lambda answers, wrong: Findings(Diagnosis()))
    monkeypatch.setattr(checking, "small_problems", lambda *arguments: ())
    monkeypatch.setattr(shrinking, "cut_down", lambda system: {})
    if "T = 60" not in wrong_on:
        monkeypatch.setattr(questions, "LONG", 0)
    check = check_derivation(function, system, seeds=[0], certify=False, name="mine")
    assert check.verdict == "disagree"
    assert {asked.name for asked in check.asked if asked.verdict == "disagree"} == wrong_on
    assert {asked.verdict for asked in check.asked if asked.name not in wrong_on} == {"agree"}
    said = conclusion(check, check.rows())
    assert f"mine is wrong on {len(wrong_on)} of {len(check.asked)} problems of {system.name}" in said


@pytest.mark.parametrize(
    ("function", "system"),
    [(elman, SMALL), (relu_layer, LAYER), (logistic, LOGISTIC)],
    ids=["elman", "relu", "logistic"],
)
def test_what_is_right_is_right_on_all_of_them_and_they_are_listed(function, system):
    """The sigmoid of `logistic` overflows, and is right all the same."""
    check = check_derivation(function, system, seeds=[0, 3], name="mine")
    assert check.verdict == "agree"
    assert report(check) == ""
    names = [asked.name for asked in check.asked]
    assert names[:2] == ["seed 0", "seed 3"]
    assert asked_text(check).endswith(f": {', '.join(names)}.")
    assert {"zeros and ties", "large gradients", "one sample"} < set(names)


def accumulating():
    kept = {}

    def gradients(*arguments):
        loss, new = logistic(*arguments)
        for name, array in new.items():
            kept[name] = kept[name] + array if name in kept else array
        return loss, dict(kept)

    return gradients


def alternating():
    calls = []

    def gradients(*arguments):
        calls.append(1)
        loss, new = logistic(*arguments)
        return loss, (new if len(calls) % 2 else {"W1": new["W1"]})

    return gradients


def failing_the_second_time():
    calls = []

    def gradients(*arguments):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("backward was called twice")
        return logistic(*arguments)

    return gradients


def failing_the_first_time():
    calls = []

    def gradients(*arguments):
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("no buffers yet")
        return logistic(*arguments)

    return gradients


def noisy():
    generator = np.random.default_rng(0)

    def gradients(*arguments):
        loss, new = logistic(*arguments)
        return loss, new | {"W1": new["W1"] * (1 + 0.1 * generator.random(new["W1"].shape))}

    return gradients


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (accumulating, "a second call on the same numbers gave another d"),
        (noisy, "a second call on the same numbers gave another dW1 (first "),
        (alternating, "of two calls on the same numbers, only the first gave db1"),
        (
            failing_the_second_time,
            "a second call on the same numbers: it raised RuntimeError: backward was called twice",
        ),
        (
            failing_the_first_time,
            "a second call on the same numbers: it was answered (the first: it raised RuntimeError: no buffers yet",
        ),
    ],
)
def test_a_second_answer_that_differs_is_said_and_no_hint_is_given(make, message):
    check = check_derivation(make(), LOGISTIC, seeds=[0], certify=False, name="mine")
    assert check.verdict == "not reproducible"
    assert check.asked[0].reason.startswith(message)
    assert (check.smallest, dict(check.sizes), check.diagnosis.suspects) == (None, {}, ())
    assert check.not_asked[0] == "confident"
    assert conclusion(check, check.rows()).startswith("mine is not reproducible on logistic-regression (seed 0): ")


def test_two_answers_that_differ_by_rounding_are_a_note():
    signs = [1, -1]

    def gradients(*arguments):
        signs.reverse()
        loss, new = logistic(*arguments)
        return loss, new | {"W1": new["W1"] * (1 + signs[0] * 2.0**-52)}

    check = check_derivation(gradients, LOGISTIC, seeds=[0], ordinary_only=True, name="mine")
    assert check.verdict == "agree"
    assert check.asked[0].reason.startswith("a second call on the same numbers gave another dW1 (first ")
    assert check.asked[0].reason.endswith("), which rounding explains")
    assert check.asked[0].reason in report(check)


def test_a_function_that_fails_is_not_wrong():
    def gradients(*arguments):
        return logistic(*arguments) if len(arguments[1]) > 1 else 1 / 0

    check = check_derivation(gradients, LOGISTIC, seeds=[0], certify=False, name="mine")
    assert check.verdict == "failed"
    assert check.is_judged
    said = conclusion(check, check.rows())
    assert said.startswith(
        "mine failed on 1 of 5 problems of logistic-regression: one sample: it raised ZeroDivisionError"
    )
    assert "at test_check_questions.py:" in said
    assert "wrong" not in said + report(check) + asked_text(check)


def test_one_that_fails_on_all_problems_judges_nothing():
    check = check_derivation(lambda *arguments: 1 / 0, LOGISTIC, seeds=[0], name="mine")
    assert (check.verdict, check.is_judged, check.rows(), check.missing) == ("failed", False, [], ())
    assert conclusion(check, []).endswith("; nothing was judged.")


def test_one_that_fails_on_some_and_is_wrong_on_others_is_wrong_and_both_are_said():
    def gradients(*arguments):
        if len(arguments[1]) == 1:
            raise ValueError("too few")
        loss, new = logistic(*arguments)
        return loss + 1, new

    check = check_derivation(gradients, LOGISTIC, seeds=[0], certify=False, name="mine")
    assert check.verdict == "disagree"
    assert "Failed: one sample." in asked_text(check)
    assert "one sample: it raised ValueError: too few" in report(check)


def test_sizes_steps_and_scale_are_those_that_were_asked_for():
    check = check_derivation(elman, "elman-softmax", seeds=[0], sizes=(3, 2, 1, 2, 3), scale=2.0, ordinary_only=True)
    asked = check.comparisons[0].problem
    assert asked.summary.endswith("T=3 B=2 D=1 H=2 K=3")
    ordinary = resized(SYSTEMS["elman-softmax"], (3, 2, 1, 2, 3)).problem(seed=0)
    assert np.array_equal(asked.params["W"], 2 * ordinary.params["W"])
    assert check_derivation(elman, SMALL, seeds=[0], seq_len=4, ordinary_only=True).comparisons[0].problem.seq_len == 4


def test_a_case_is_asked_as_it_is_and_nothing_else():
    saved = Problem.from_seed(Recurrent("rnn", 2, 3, 4), seed=7, seq_len=2, batch_size=1)
    check = check_derivation(elman, cases=[saved])
    assert (check.verdict, [asked.name for asked in check.asked]) == ("agree", [f"case {saved.fingerprint[:12]}"])
    assert check.comparisons[0].problem.fingerprint == saved.fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": (3, 2), "system": "lstm"}, "sizes = 3,2, expected T, B, D, H and K"),
        ({"sizes": (3, 2, 1, 1, 1), "seq_len": 3}, "sizes and seq_len were given, expected one of them"),
        ({"seq_len": 0}, "seq_len = 0, expected "),
        ({"scale": 0.0}, "scale = 0.0, expected a finite number other than 0"),
        ({"cases": [SMALL.problem(seed=0)], "system": "lstm"}, "a case has its model and numbers"),
        ({"cases": [SMALL.problem(seed=0)], "seq_len": 3}, "a case has its model and numbers"),
        ({"cases": [SMALL.problem(seed=0), LAYER.problem(seed=0)]}, "the cases have two models, expected one: "),
    ],
)
def test_options_that_do_not_fit_are_refused_in_a_line(options, message):
    with pytest.raises(RequestError) as error:
        check_derivation(elman, **options)
    assert str(error.value).startswith(message)


def test_without_a_certificate_a_derivation_is_compared():
    check = check_derivation(
        lambda *arguments: relu_layer(*arguments, slope_at_0=1.0), LAYER, certify=False, name="mine"
    )
    assert check.verdict == "disagree"
    assert {comparison.bits for comparison in check.comparisons} == {None}


def test_a_mistake_that_takes_many_steps_gives_no_hint_that_it_takes_several_samples(monkeypatch):
    """The sizes are those of the problem on which it is wrong: one sample of 60 steps shows it too."""
    monkeypatch.setattr(checking, "find_mistakes", lambda answers, wrong: Findings(Diagnosis()))
    monkeypatch.setattr(checking, "small_problems", lambda *arguments: ())
    check = check_derivation(slip(steps=20), SMALL, seeds=[0], certify=False, name="mine")
    assert dict(check.sizes) == {"T = 1": "agree", "T = 2": "agree", "one sample": "disagree", "one unit": "disagree"}


def test_a_derivation_is_a_backend_too():
    problem = LOGISTIC.problem(seed=0)
    assert Derivation(logistic).supports(problem.model, "float64") == ""
    assert Derivation(logistic).prepare(problem)().loss > 0
