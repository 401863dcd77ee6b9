"""The lines give the hand derivation's gradients, and every mistake is a change that runs and changes an answer."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from gradparity.backends import Evaluation, FeedForward, Problem, Recurrent
from gradparity.compare import SYSTEMS, compare
from gradparity.compare.answers.blocks import quantities
from gradparity.compare.check.user_function import Derivation
from gradparity.compare.mistakes import MISTAKES, attempt, variants_to_plant
from gradparity.compare.mistakes import equation_sections as sections
from gradparity.compare.mistakes.equation_source import statements
from gradparity.compare.mistakes.execution import lines_of, run
from gradparity.compare.testing.strategies import problems
from gradparity.compare.tolerance.measurement import measure_rounding, measure_tolerance
from hypothesis import given
from sampling import case, chequered

PAGES = Path(__file__).parents[3] / "manual"
SINGLE = [name for name, system in SYSTEMS.items() if not system.training]
SECTIONS = [
    *(section for cell in sections.CELLS.values() for section in cell),
    *sections.READOUT.values(),
    *sections.OUTPUT.values(),
    *(sections.LAYER_FORWARD, sections.LAYER_HIDDEN, sections.LAYER_BACKWARD),
    *(sections.ORDERED_FORWARD, sections.ORDERED_BACKWARD),
]
LINES = [line for section in SECTIONS for line in section]


class Lines(Derivation):
    """The lines in place of somebody's function, which need not return the outputs."""

    def evaluate(self, problem, *, trace=False):
        return as_answer(run(problem).values)


LINES_AS_A_BACKEND = Lines(run, "lines")


def as_answer(values):
    return Evaluation(float(values["loss"]), {name: array for name, array in values.items() if name != "loss"}, None)


@given(problems())
def test_they_give_the_hand_derivations_loss_and_gradients(problem):
    comparison = compare(problem, [LINES_AS_A_BACKEND, "manual"])
    assert not comparison.failures
    assert comparison.verdict != "disagree"


@given(problems())
def test_their_results_have_the_problems_dtype_and_shapes(problem):
    expected = {"loss": ()} | {name: array.shape for name, array in problem.differentiable.items()}
    values = run(problem).values
    assert {name: array.shape for name, array in values.items()} == expected
    assert {array.dtype for array in values.values()} == {problem.dtype}


@pytest.mark.parametrize(("name", "dtype"), chequered(SINGLE, ["float64", "float32"]))
def test_on_the_catalogue_they_agree_without_a_doubt(name, dtype):
    comparison = compare(SYSTEMS[name].problem(seed=7, dtype=dtype), [LINES_AS_A_BACKEND, "manual"])
    assert {block.verdict for block in comparison.blocks} == {"agree"}
    assert not comparison.failures


@pytest.mark.parametrize("name", [case(name, campaign=number % 4 != 3) for number, name in enumerate(SINGLE)])
def test_rounding_moves_them_about_as_far_as_it_moves_the_hand_derivation(name):
    problem = SYSTEMS[name].problem(seed=7)
    theirs = measure_rounding(problem, lambda on: quantities(as_answer(run(on).values), problem)).spread
    ours = measure_tolerance(problem).spread
    for quantity, spread in theirs.items():
        np.testing.assert_array_equal(spread > 0, ours[quantity] > 0)
        assert (spread <= 10 * ours[quantity]).all()  # the same sums, some in another order: the same magnitude
        assert (ours[quantity] <= 10 * spread).all()


PAGES_LEFT_SIDES = {
    "a_i": "[ai;af;ag;ao]",
    "dh_before": "dhlater",
    "dc_before": "dclater",
    "loss": r"\ell(o,y)",
    "do": r"\frac\partial\ell\partialo",
    "delta": r"\delta",
    "d_rh": "dr",
    "dq": "dWn",
    "total_i": "dz",
    "dA_i": "dA",
    "z_i": "z",
}  # of the lines that are called otherwise


def left_sides_on_the_pages():
    """The left side of every equation by its number, without indices of steps and layers: `dao` for da_t^o."""
    text = "\n".join(page.read_text() for page in PAGES.glob("*.md"))
    found = {}
    for equation in re.findall(r"\$\$(.*?)\$\$", text, flags=re.DOTALL):
        left = re.sub(r"\\text|\\mathrm|[{}\s]", "", equation.partition("=")[0])
        for number in re.findall(r"\\tag\{(\d+)\}", equation):
            found[int(number)] = re.sub(r"_(t-1|ij|[ti])|\^[lL](-1|(?!\w))|[_^]", "", left)
    return found


def test_every_number_is_that_of_the_equation_which_defines_what_the_line_does():
    pages = left_sides_on_the_pages()
    for line in LINES:
        if line.equation:
            name = line.left.partition(",")[0]
            given = PAGES_LEFT_SIDES.get(name, name.replace("_", ""))
            assert pages[line.equation] in (given, f"{given}n"), line  # dW_n is a part of dW


def test_every_equation_that_a_mistake_violates_is_on_the_pages():
    pages = left_sides_on_the_pages()
    for problem in PROBLEMS:
        for mistake, variant in variants_to_plant(problem):
            assert pages.keys() >= set(variant.violates(problem)), mistake.name


def test_lines_without_a_number_prepare_others():
    assert {line.left for line in LINES if not line.equation} == {"x_r, x_z, x_n", "da", "da_below", "o"}


def square(cell, **options):
    """A network of which every matrix is square, so that all can be transposed."""
    return Problem.from_seed(Recurrent(cell, 4, 4, 4, **options), seq_len=5, batch_size=3, seed=1)


def feed_forward(*sizes, **options):
    return Problem.from_seed(FeedForward(sizes, **options), batch_size=3, seed=1)


PROBLEMS = [
    *(SYSTEMS[name].problem(seed=7) for name in SINGLE),
    *(square("rnn", loss=loss) for loss in sections.LOSSES),
    *(square("lstm"), square("gru"), square("gru", reset="before")),
    square("rnn", loss_at="last_step", activation="sigmoid"),
    feed_forward(4, 4, 4, activation="relu"),
    feed_forward(4, 4, 4, loss="sigmoid_cross_entropy", activation="sigmoid"),
    feed_forward(4, 4, 4, loss="softmax_cross_entropy", activation="tanh"),
    feed_forward(4, 4, loss="squared_error", activation="sigmoid"),
]


def called(mistake, variant):
    """A variant without the numbers that it read off an answer."""
    return mistake.name, str(variant.lines), re.sub(r"[\d.]+(e[+-]\d+)?", "#", variant.words)


@pytest.fixture(scope="module")
def planted():
    """Every variant by whether it changed an answer; whatever a line lacks would raise here."""
    found, done = {}, set()
    for problem in PROBLEMS:
        right = run(problem).values
        for mistake, variant in variants_to_plant(problem):
            name, as_run = called(mistake, variant), str(variant.replaced(problem))
            if (name, as_run) not in done:
                changes = bool(variant.recognizes) or changes_an_answer(variant, problem, right)
                found[name] = found.get(name, False) or changes
                done |= {(name, as_run)} if changes else set()
    return found


def changes_an_answer(variant, problem, right):
    """By more than rounding, which is less than a 1e-13th: even 1e-12 inside a logarithm does."""
    values = attempt(variant, problem)
    return values is not None and not all(np.allclose(values[each], right[each], rtol=1e-13, atol=0) for each in right)


def test_every_form_of_every_mistake_changes_an_answer(planted):
    assert [variant for variant, changes in planted.items() if not changes] == []


def test_every_mistake_can_be_made(planted):
    assert {name for name, _, _ in planted} == {mistake.name for mistake in MISTAKES}


def constant_variants():
    """The variants that consist of lines, which are the same for every problem."""
    return [
        (mistake.name, variant)
        for mistake in MISTAKES
        for variant in mistake.variants(PROBLEMS[0], run(PROBLEMS[0]).values)
        if variant.lines
    ]


def test_every_statement_stands_for_a_line_that_exists():
    """A statement whose left side nothing has would be left out without a word."""
    known = {}
    for problem in PROBLEMS:
        for key, section in lines_of(problem.model).items():
            known.setdefault(key, set()).update(section)
    for name, variant in constant_variants():
        for key, text in variant.lines.items():
            lefts = {line.left for line in statements(text)}
            assert lefts <= known[key], (name, key)


def test_every_form_that_consists_of_lines_applies_somewhere(planted):
    assert {(name, str(variant.lines)) for name, variant in constant_variants()} <= {
        (name, text) for name, text, _ in planted
    }


def test_differences_of_the_loss_come_near_the_gradient_and_are_recognized():
    problem = Problem.from_seed(Recurrent("rnn", 2, 3, 2), seq_len=3, batch_size=2, seed=0)
    right = run(problem).values
    variants = [variant for _, variant in variants_to_plant(problem) if variant.recognizes]
    assert len(variants) >= 10
    for variant in variants:
        values = variant.predict(problem)
        assert all(np.allclose(values[name], right[name], rtol=0.1, atol=0.02) for name in right), variant.words
        assert variant.recognizes(values, problem), variant.words
        assert not variant.recognizes(right, problem), variant.words
