"""The strategies: what they draw, to what a failure shrinks, and the line that makes it again."""

from __future__ import annotations

import importlib
import sys

import gradparity.backends
import numpy as np
import pytest
from faults import Faulty, in_gradients
from gradparity.backends import (
    Chunks,
    FeedForward,
    LastSteps,
    MissingFrameworkError,
    OrderedSystem,
    Problem,
    Recurrent,
    RequestError,
    Window,
)
from gradparity.backends import get_backend as backend_called
from gradparity.compare.testing import strategies
from gradparity.compare.testing.strategies import models, problems
from hypothesis import Phase, find, given, settings
from sampling import case, examples

NAMES = vars(gradparity.backends)
SEARCH = settings(database=None, max_examples=2000, phases=[Phase.generate])  # the first will do, not the smallest


def smallest_failure(strategy, is_wrong):
    """The notes of a failing test: what Hypothesis prints."""

    @settings(database=None, max_examples=500, phases=[Phase.generate, Phase.shrink])
    @given(strategy)
    def test(problem):
        assert not is_wrong(problem)

    with pytest.raises(AssertionError) as failure:
        test()
    return failure.value.__notes__


def line_of(notes):
    (line,) = (line for note in notes for line in note.splitlines() if "Problem.from_seed(" in line)
    return line


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        (lambda p: True, "Recurrent('rnn', 1, 1, 1), seed=0, seq_len=1"),
        case(
            lambda p: p.model.cell == "gru" and p.seq_len > 1,
            "Recurrent('gru', 1, 1, 1), seed=0, seq_len=2",
            campaign=True,
        ),
        case(
            lambda p: p.model.num_layers > 1,
            "Recurrent('rnn', 1, 1, 1, num_layers=2), seed=0, seq_len=1",
            campaign=True,
        ),
        (
            lambda p: not p.model.bias and p.model.hidden_size > 2,
            "Recurrent('rnn', 1, 3, 1, bias=False), seed=0, seq_len=1",
        ),
    ],
    ids=["always", "two steps of a GRU", "two layers", "three units without biases"],
)
def test_a_planted_fault_is_shrunk_to_the_smallest_problem_and_printed_in_one_line(needs, expected):
    right = backend_called("manual")
    wrong = Faulty(in_gradients("inputs", lambda gradient: gradient + 1))

    def is_wrong(problem):
        planted, truth = (backend.evaluate(problem).gradients["inputs"] for backend in (wrong, right))
        return needs(problem) and not np.array_equal(planted, truth)

    notes = smallest_failure(problems(family="Recurrent"), is_wrong)
    assert line_of(notes) == f"Problem.from_seed({expected}, batch_size=1, dtype='float64')"
    assert len("".join(notes).splitlines()) < 6  # the report shows no array


@pytest.mark.hypothesis
def test_every_line_makes_its_problem_again(monkeypatch):
    lines, again, drawn = [], [], examples(150, least=150)  # until every option was among them
    monkeypatch.setattr(strategies, "note", lines.append)

    @settings(max_examples=drawn)
    @given(problems())
    def draw(problem):
        again.append(eval(lines[-1], NAMES).fingerprint == problem.fingerprint)

    draw()
    assert len(again) >= drawn
    assert all(again)
    for shown in ("FeedForward(", "OrderedSystem(", "Window(", "lengths=[", "recurrent_gain=0.5", "'float32'"):
        assert any(shown in line for line in lines), shown


@pytest.mark.hypothesis
def test_what_is_drawn_is_restricted_by_arguments():
    @settings(max_examples=examples(40))
    @given(
        problems(cell="lstm", loss="squared_error", dtype="float32", truncated=True, lengths=True, most_steps=3),
        models(family="FeedForward", loss="softmax_cross_entropy"),
        problems(lengths=False, truncated=False),
        problems(lengths=True),
    )
    def draw(problem, model, whole, unequal):
        assert (problem.model.cell, problem.model.loss, problem.dtype.name) == ("lstm", "squared_error", "float32")
        assert problem.model.truncation
        assert problem.lengths is not None
        assert problem.seq_len <= 3
        assert isinstance(model, FeedForward)
        assert model.loss == "softmax_cross_entropy"
        assert whole.lengths is None
        assert getattr(whole.model, "truncation", None) is None
        assert unequal.lengths is not None

    draw()


@pytest.mark.parametrize(
    "is_sought",
    [
        lambda p: p.batch_size == 4,
        lambda p: p.model.loss_at == "last_step",
        lambda p: p.model.reduction == "mean",
        lambda p: p.model.bidirectional and p.model.num_layers == 2,
        lambda p: p.model.concatenated,
        lambda p: p.model.differentiation == "closed_form",
        lambda p: isinstance(p.model.truncation, Window) and 1 < p.model.truncation.steps < p.seq_len,
        lambda p: isinstance(p.model.truncation, Chunks) and 1 < p.model.truncation.steps < p.seq_len,
        lambda p: isinstance(p.model.truncation, LastSteps) and p.model.truncation.steps > p.seq_len,
        lambda p: p.lengths is not None and len(set(p.lengths)) > 1,
    ],
    ids=[
        "several sequences",
        "a loss at the last step",
        "a mean",
        "two layers in both directions",
        "one matrix",
        "a closed form",
        "a window",
        "chunks",
        "a truncation longer than the sequence",
        "unequal lengths",
    ],
)
def test_every_option_of_a_recurrent_network_is_drawn(is_sought):
    assert is_sought(find(problems(family="Recurrent"), is_sought, settings=SEARCH))


def test_the_numbers_of_an_ordered_system_are_drawn():
    def is_sought(problem):
        return np.count_nonzero(problem.model.weights) > 2 and np.all(problem.model.objective)

    assert is_sought(find(problems(family="OrderedSystem"), is_sought, settings=SEARCH))


class Narrow(Faulty):
    """Supports one combination of options in a thousand, small networks only, and not in float64."""

    def __init__(self):
        super().__init__(lambda answer, problem: None)

    def supports(self, model, dtype):
        mine = isinstance(model, Recurrent) and model == Recurrent(
            "gru", *model.sizes, loss="squared_error", reset="before", bias=False, num_layers=2
        )
        return "" if mine and model.hidden_size < 4 and dtype == "float32" else "it is narrow"


@pytest.mark.hypothesis
def test_only_what_a_backend_supports_is_drawn():
    narrow, sizes = Narrow(), set()

    @settings(max_examples=examples(50, least=50))  # until every size was among them
    @given(problems(supported_by=narrow), models(supported_by=narrow, dtype="float32"))
    def draw(problem, model):
        assert narrow.supports(problem.model, problem.dtype.name) == ""
        assert narrow.supports(model, "float32") == ""
        sizes.add(problem.model.hidden_size)

    draw()
    assert sizes == {1, 2, 3}


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"cell": "lstn"}, r"unknown cell 'lstn': did you mean 'lstm'\?"),
        ({"dtype": "float16"}, "dtype is float16, expected float64 or float32"),
        ({"truncated": "yes"}, "truncated = 'yes', expected True or False"),
        ({"most_steps": 0}, "most_steps = 0, expected an integer of at least 1"),
        ({"most_steps": "3"}, "most_steps = '3', expected an integer of at least 1"),
    ],
)
@pytest.mark.parametrize("strategy", [models, problems])
def test_a_wrong_argument_is_refused_before_anything_is_drawn(strategy, argument, message):
    with pytest.raises(RequestError, match=message):
        strategy(**argument)


def test_wrong_lengths_are_refused_before_anything_is_drawn():
    with pytest.raises(RequestError, match="lengths = 'yes', expected True or False"):
        problems(lengths="yes")


class Silent(Narrow):
    """Returns None where a reason is expected, or none."""

    def supports(self, model, dtype):
        return super().supports(model, dtype) or None


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (problems(cell="lstm", supported_by=Narrow()), "no model fits cell='lstm', .* in float64 or float32"),
        (problems(lengths=True, family="FeedForward"), "no model fits family='FeedForward', lengths=True in float64"),
        (models(family="OrderedSystem", loss="squared_error"), "no model fits family=.*, loss='squared_error' in"),
        (models(dtype="float64", supported_by=Narrow()), "no model fits supported_by=.* in float64$"),
        (models(supported_by=Silent()), "supports returned a NoneType, expected a str"),
    ],
)
def test_a_request_that_nothing_fits_is_refused(strategy, message):
    with pytest.raises(RequestError, match=message):
        find(strategy, lambda drawn: True)


def test_a_problem_is_shown_without_its_arrays():
    problem = Problem.from_seed(OrderedSystem(((0, 0), (1, 0)), (0, 1)), seed=0)
    assert repr(problem) == f"<Problem: ordered system, float64, N=2, case {problem.fingerprint[:12]}>"


def test_without_hypothesis_the_import_says_how_to_install_it(monkeypatch, hide):
    for module in ("gradparity.compare.strategies", "gradparity.compare.testing.strategies"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    hide("hypothesis")
    with pytest.raises(MissingFrameworkError, match=r'not installed: pip install "gradparity\[hypothesis\]"'):
        importlib.import_module("gradparity.compare.strategies")
