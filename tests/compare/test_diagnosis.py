"""A mistake that was made is named, and whatever is said of an answer is true of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from gradparity.backends import FeedForward, Problem, Recurrent, get_backend
from gradparity.compare import SYSTEMS, compare
from gradparity.compare.check.user_function import Derivation
from gradparity.compare.diagnosis.search import Diagnosis, diagnose, wrong_values
from gradparity.compare.diagnosis.wording import describe_diagnosis
from gradparity.compare.mistakes import MISTAKES, attempt, together, values_of, variants_to_plant
from sampling import case

SINGLE = [name for name, system in SYSTEMS.items() if not system.training]
IN_EVERY_RUN = ("elman-window", "linear-closed-form", "ordered-derivatives", "mlp", "lstm")
SMALL = Recurrent("rnn", 2, 3, 4)


CLIPPING = """
import numpy as np
from gradparity.manual import loss_and_gradients

def clipped(params, inputs, targets, h0):
    answer = loss_and_gradients(params, inputs, targets, h0, loss="squared_error")
    gradients = {name: answer.gradients[name] for name in params}
    norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients.values()))
    return answer.loss, {name: gradient * min(1, 10 / norm) for name, gradient in gradients.items()}
"""


def resized(name, seed, dtype="float64"):
    """A system's problem on other sizes and numbers than those on which the catalogue was tried."""
    system = SYSTEMS[name]
    model = system.model
    if isinstance(model, Recurrent):
        model = replace(model, input_size=3, hidden_size=5, output_size=4)
    elif isinstance(model, FeedForward):
        model = replace(model, sizes=(3, *(size + 1 for size in model.sizes[1:-1]), model.sizes[-1]))
    lengths = (7, 3) if system.lengths else None
    return replace(system, model=model, seq_len=7, batch_size=2, lengths=lengths).problem(seed=seed, dtype=dtype)


def right_values(problem):
    return values_of(get_backend("manual").evaluate(problem))


def differing(values, right, part=1e-9):
    """What differs by more than rounding in these small problems, and by more than the least of the mistakes."""
    return {name for name in values if np.abs(values[name] - right[name]).max() > part * np.abs(right[name]).max()}


def diagnosed(problem, values):
    return diagnose([(problem, values)], differing(values, right_values(problem)))


def names(suspects):
    return [mistake for suspect in suspects for mistake in suspect.mistakes]


def planted(problem, name, number=0):
    """The answer with a variant of the mistake of that name."""
    variants = [variant for mistake, variant in variants_to_plant(problem) if mistake.name == name]
    return attempt(variants[number], problem)


def called(mistake, variant):
    return f"{mistake.name}: {variant.words}" if variant.words else mistake.name


def predictions(suspect, problem, values):
    """What the variants with a suspect's names and lines give, all at once."""
    choices = [
        [variant for mistake in MISTAKES for variant in mistake.on(problem, values) if called(mistake, variant) == name]
        for name in suspect.mistakes
    ]
    lines = [(right, wrong) for right, wrong, _ in suspect.lines]
    for variants in product(*choices):
        changed = [(line.text, text) for variant in variants for line, text in variant.changed_lines(problem)]
        if changed == lines:
            yield attempt(variants[0] if len(variants) == 1 else together(*variants), problem)


def assert_true(diagnosis, problem, values):
    """Whoever is said to explain something gives exactly that: to a millionth, where mistakes differ by far more."""
    for suspect in (*diagnosis.suspects, *diagnosis.partly):
        claimed = values.keys() if suspect in diagnosis.suspects else suspect.explains
        assert any(
            not differing({name: predicted[name] for name in claimed}, values, 1e-6)
            for predicted in predictions(suspect, problem, values)
        ), suspect


def drawn(number):
    """A problem, and a variant of a mistake that changes its answer."""
    rng = np.random.default_rng(number)
    problem = resized(SINGLE[number % len(SINGLE)], seed=1000 + number)
    right, variants = right_values(problem), list(variants_to_plant(problem))
    while True:
        mistake, variant = variants[int(rng.integers(len(variants)))]
        values = None if variant.recognizes else attempt(variant, problem)
        if values is not None and differing(values, right):
            return problem, mistake, values


@pytest.mark.parametrize(
    "number", [case(number, campaign=SINGLE[number % len(SINGLE)] not in IN_EVERY_RUN) for number in range(24)]
)
def test_a_planted_mistake_is_named_and_so_is_nothing_that_gives_another_answer(number):
    problem, mistake, values = drawn(number)
    diagnosis = diagnosed(problem, values)
    assert any(name.startswith(mistake.name) for name in names(diagnosis.suspects)), (mistake.name, diagnosis)
    assert {len(suspect.mistakes) for suspect in diagnosis.suspects} == {1}
    assert_true(diagnosis, problem, values)


@pytest.mark.parametrize("number", [case(number, campaign=number != 1) for number in range(12)])
def test_of_two_mistakes_at_once_whatever_is_said_is_true(number):
    rng = np.random.default_rng(number)
    problem = replace(SYSTEMS[("elman-softmax", "gru", "mlp")[number % 3]], seq_len=3, batch_size=2).problem(
        seed=number
    )
    right, variants = (
        right_values(problem),
        [variant for _, variant in variants_to_plant(problem) if not variant.recognizes],
    )
    values = None
    while values is None or not differing(values, right):
        one, other = (variants[int(k)] for k in rng.choice(len(variants), 2, replace=False))
        values = attempt(together(one, other), problem)
    comparison = compare(problem, [Handed(values), "manual"], certify=False)
    assert comparison.verdict_on("mine") == "disagree"
    diagnosis = diagnose([(problem, values)], wrong_values([comparison], "mine"))
    assert_true(diagnosis, problem, values)


class Handed(Derivation):
    """A derivation that answers the same whatever it is asked."""

    def __init__(self, values):
        super().__init__(lambda *arguments: (values["loss"], {n: v for n, v in values.items() if n != "loss"}), "mine")


def test_mistakes_that_give_the_same_gradient_are_all_named():
    problem = resized("elman-softmax", seed=5)
    suspected = names(
        diagnosed(problem, planted(problem, "recurrent path dropped: dh_{t+1} is not carried back")).suspects
    )
    assert suspected[0].startswith("recurrent path dropped")
    assert any("each loss reaches back over 1 step" in name for name in suspected)


def test_a_mistake_that_is_not_in_the_catalogue_is_named_nothing():
    problem = resized("elman-softmax", seed=6)
    values = right_values(problem)
    values["W"] = values["W"] * np.random.default_rng(0).uniform(0.5, 1.5, values["W"].shape)
    diagnosis = diagnosed(problem, values)
    assert diagnosis == Diagnosis()
    assert describe_diagnosis(diagnosis).startswith("No single mistake of the catalogue gives these numbers")


@pytest.mark.campaign
def test_a_known_mistake_beside_an_unknown_one_is_named_for_its_part():
    problem = resized("elman-softmax", seed=6)
    values = planted(problem, "softmax treated elementwise") | {"loss": np.array(3.14)}
    diagnosis = diagnosed(problem, values)
    assert diagnosis.suspects == ()
    assert diagnosis.partly[0].mistakes == ("softmax treated elementwise",)
    assert diagnosis.partly[0].leaves == ("loss",)


def test_a_suspect_says_which_line_would_give_it_and_which_equation_that_violates():
    problem = resized("lstm", seed=6)
    (suspect,) = diagnosed(problem, planted(problem, "c_t for c_{t−1} in the forget gate")).suspects
    ((right, wrong, equation),) = suspect.lines
    assert (right, wrong) == ("da_f = dc * c_before * dsigmoid(f)", "da_f = dc * c * dsigmoid(f)")
    assert suspect.equations == (equation,) == (60,)
    assert set(suspect.explains) == differing(
        planted(problem, "c_t for c_{t−1} in the forget gate"), right_values(problem)
    )
    assert suspect.leaves == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda W: W * (1 + 1e-9 * np.random.default_rng(0).standard_normal(W.shape)),
        lambda W: np.where(W.max() == W, W * (1 + 1e-6), W),
        lambda W: W + 1e-11,
    ],
    ids=["noise", "one entry", "a constant"],
)
def test_a_small_error_is_not_taken_for_single_precision(change):
    problem = SYSTEMS["elman-softmax"].problem(seed=31)
    values = right_values(problem)
    diagnosis = diagnosed(problem, values | {"W": change(values["W"])})
    assert diagnosis.suspects == ()


def test_the_signs_of_a_gradient_are_no_finite_differences():
    problem = SYSTEMS["elman-lengths"].problem(seed=31)
    values = {name: array if name == "loss" else np.sign(array) for name, array in right_values(problem).items()}
    assert diagnosed(problem, values).suspects == ()


@pytest.mark.campaign
def test_a_norm_that_no_small_problem_reaches_is_named_on_the_screen(tmp_path, gradparity):
    (tmp_path / "clipping.py").write_text(CLIPPING)
    code, out, _ = gradparity(
        "check", f"{tmp_path / 'clipping.py'}:clipped", "--system", "elman-squared-error", "--seed", 0
    )
    assert code == 1
    assert "On none of the small problems that were tried is it wrong." in out
    assert "clipped by norm: to a norm of 10" in out


def test_single_precision_inside_is_named():
    problem = resized("gru", seed=7)
    small = Problem.from_seed(problem.model, seq_len=7, batch_size=2, seed=7, dtype="float32")
    values = {name: array.astype("float64") for name, array in right_values(small).items()}
    assert names(diagnosed(problem, values).suspects) == ["float32 inside: handed in"]


def differences(problem, step, back):
    """Differences of the hand derivation's loss, number by number."""

    def loss(name, index, by):
        moved = {**problem.params, "h0": problem.h0, "inputs": problem.inputs}
        moved[name] = moved[name].copy()
        moved[name][index] += by
        params = {parameter: moved[parameter] for parameter in problem.params}
        return (
            get_backend("manual").evaluate(replace(problem, params=params, h0=moved["h0"], inputs=moved["inputs"])).loss
        )

    values = {name: np.zeros_like(array) for name, array in problem.differentiable.items()}
    for name, array in values.items():
        for index in np.ndindex(array.shape):
            array[index] = (loss(name, index, step) - loss(name, index, -back)) / (step + back)
    return {"loss": right_values(problem)["loss"]} | values


@pytest.mark.parametrize(
    ("central", "step"),
    [
        case(central, step, campaign=(central, step) not in ((True, 1e-3), (True, 1e-5), (False, 1e-8)))
        for central in (True, False)
        for step in (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    ],
)
def test_finite_differences_are_named_with_their_step(step, central):
    problem = Problem.from_seed(SMALL, seq_len=3, batch_size=2, seed=3)
    values = differences(problem, step, step if central else 0.0)
    diagnosis = diagnose([(problem, values)], set(problem.differentiable))
    (name,) = names(diagnosis.suspects)
    assert name.startswith("finite differences")
    assert f"{step:.0e}" in name


@pytest.mark.parametrize("kept", [("loss", "W"), ("loss", "U", "b"), ("loss",)])
def test_only_a_part_of_the_gradients_will_do(kept):
    problem = resized("elman-softmax", seed=8)
    values = planted(problem, "another activation")
    diagnosis = diagnosed(problem, {name: values[name] for name in kept})
    assert any(name.startswith("another activation") for name in names(diagnosis.suspects))


@pytest.mark.parametrize(
    "name",
    [
        *(case(name, campaign=False) for name in ("elman-softmax", "mlp")),
        *(case(name, campaign=True) for name in ("lstm", "gru-bidirectional", "elman-lengths")),
    ],
)
def test_in_single_precision_mistakes_are_named_too(name):
    problem = resized(name, seed=9, dtype="float32")
    diagnosis = diagnosed(problem, planted(problem, "bias forgotten"))
    assert names(diagnosis.suspects)[0] == "bias forgotten"


def test_what_holds_on_one_problem_only_is_not_said():
    """On sequences of one step nothing is carried back; on those of two it is."""
    one, two = (Problem.from_seed(SMALL, seq_len=T, batch_size=2, seed=1) for T in (1, 2))
    name = "h_t for h_{t−1} in dW"
    answers = [(one, planted(one, name)), (two, planted(two, "sign"))]
    assert name in names(diagnose(answers[:1], {"W"}).suspects)
    assert diagnose(answers, {"W"}).suspects == ()


@pytest.mark.parametrize(
    ("what", "value"),
    [
        case(what, value, campaign=i != j or what == "the loss")
        for i, what in enumerate(("everything", "an entry", "the loss"))
        for j, value in enumerate((np.nan, np.inf, -np.inf))
    ],
)
def test_numbers_that_are_not_finite_are_survived(value, what):
    problem = Problem.from_seed(SMALL, seq_len=3, batch_size=2, seed=10)
    values = right_values(problem)
    if what == "an entry":
        values["W"][0, 0] = value
    elif what == "the loss":
        values["loss"] = np.array(value)
    else:
        values = {name: np.full_like(array, value) for name, array in values.items()}
    assert diagnose([(problem, values)], set(values)).suspects == ()
