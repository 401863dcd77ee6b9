"""The definitions on the tape give what the hand derivation gives, in all kinds of numbers, part by part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from flint import arb, ctx
from gradparity.backends import Chunks, FeedForward, LastSteps, Problem, Recurrent, Window
from gradparity.backends.references.manual_backend import answer
from gradparity.compare import SYSTEMS
from gradparity.compare.answers import quantities
from gradparity.compare.definitions import Floats, differentiate, final_states, number_of_cells
from gradparity.compare.definitions.balls import Balls
from gradparity.compare.definitions.tape import Variable, backward, concatenated, total, where

DTYPE = np.dtype("float64")


def recurrent(cell, *, lengths=None, **options):
    model = Recurrent(cell, 2, 3, 4, **options)
    return Problem.from_seed(model, seq_len=5, batch_size=2, seed=0, lengths=lengths and np.array(lengths))


def network(**options):
    return Problem.from_seed(FeedForward((2, 4, 3), **options), batch_size=2, seed=0)


PROBLEMS = {
    **{
        f"{cell}, {cut}": recurrent(cell, truncation=cut)
        for cell in ("rnn", "lstm", "gru")
        for cut in (None, Window(2))
    },
    "rnn, chunks": recurrent("rnn", truncation=Chunks(2)),
    "rnn, chunks of one step": recurrent("rnn", truncation=Chunks(1)),
    "lstm, chunks": recurrent("lstm", truncation=Chunks(3)),
    "gru, last steps": recurrent("gru", truncation=LastSteps(2)),
    "lstm, last steps, lengths": recurrent("lstm", truncation=LastSteps(2), lengths=(5, 3)),
    "rnn, lengths, mean": recurrent("rnn", lengths=(2, 5), reduction="mean"),
    "gru, lengths, last loss": recurrent("gru", lengths=(5, 1), loss_at="last_step", reduction="mean"),
    "gru, reset before": recurrent("gru", reset="before"),
    "rnn, one matrix": recurrent("rnn", concatenated=True),
    "rnn, no biases": recurrent("rnn", bias=False, activation="identity", loss="squared_error"),
    "lstm, stacked": recurrent("lstm", num_layers=2, bidirectional=True, lengths=(5, 3)),
    "rnn, relu": recurrent("rnn", activation="relu", loss="sigmoid_cross_entropy"),
    "rnn, sigmoid": recurrent("rnn", activation="sigmoid", loss="squared_error"),
    "network": network(),
    "network, relu, mean": network(activation="relu", reduction="mean", loss="sigmoid_cross_entropy"),
    "network, squared error": network(loss="squared_error"),
    "ordered": SYSTEMS["ordered-derivatives"].problem(seed=0),
}
NUMBERS = {"textbook": {}, "kernel": {"fused": True}, "beside each other": {"leading": (2,)}}


def assert_is_the_answer(found, problem):
    right = quantities(answer(problem), problem)
    found = quantities(found, problem)
    assert found.keys() == right.keys()
    for name, quantity in right.items():
        limit = 1e-13 * np.abs(quantity.values).max()
        np.testing.assert_allclose(found[name].values.astype(float), quantity.values, rtol=0, atol=limit, err_msg=name)


@pytest.mark.parametrize("numbers", NUMBERS)
@pytest.mark.parametrize("name", PROBLEMS)
def test_every_network_is_that_of_the_derivation(name, numbers):
    problem, floats = PROBLEMS[name], Floats(DTYPE, **NUMBERS[numbers])
    found = differentiate(problem, floats)
    for i in range(2) if floats.leading else [()]:
        assert_is_the_answer(part_of(found, i), problem)


def part_of(found, i):
    arrays = ({name: array[i] for name, array in part.items()} for part in (found.gradients, found.adjoints))
    gradients, adjoints = arrays
    return type(found)(float(np.asarray(found.loss)[i]), gradients, found.outputs[i], adjoints)


@pytest.mark.parametrize(
    "name", ["lstm, stacked", "rnn, Window(steps=2)", "rnn, relu", "network, relu, mean", "ordered"]
)
def test_in_balls_it_is_the_same(name):
    with ctx.workprec(80):
        found = differentiate(PROBLEMS[name], Balls())
    assert_is_the_answer(found, PROBLEMS[name])


def test_the_number_of_cells_counts_steps_directions_layers_and_the_copies_of_a_window():
    counts = {
        "rnn, None": 5,
        "lstm, stacked": 20,
        "rnn, chunks": 5,
        "rnn, Window(steps=2)": 5 + 1 + 4 * 2,
        "network": 0,
    }
    assert {name: number_of_cells(PROBLEMS[name]) for name in counts} == counts


@pytest.mark.parametrize("name", ["rnn, None", "gru, Window(steps=2)", "lstm, stacked"])
def test_three_tenths_of_the_progress_are_the_forward_pass_cell_by_cell(name):
    shares = []
    differentiate(PROBLEMS[name], Floats(DTYPE), shares.append)
    cells = number_of_cells(PROBLEMS[name])
    np.testing.assert_allclose(shares[:cells], 0.3 * np.arange(1, cells + 1) / cells)
    assert shares[cells] == pytest.approx(0.3)
    assert shares == sorted(shares)
    assert 0.95 < shares[-1] < 1


# The functions of both kinds of numbers


FUNCTIONS = ("exp", "log", "tanh", "sigmoid", "softplus")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_of_floats_is_that_of_balls(function):
    a = np.array([0.25, 1.0, 3.5])
    exact = getattr(Balls, function)(Balls().constants(a)).astype(float)
    np.testing.assert_allclose(getattr(Floats(DTYPE), function)(a), exact, rtol=1e-14)
    reference = {"sigmoid": 1 / (1 + np.exp(-a)), "softplus": np.log(1 + np.exp(a))}
    np.testing.assert_allclose(exact, reference.get(function, getattr(np, function, np.exp)(a)), rtol=1e-14)


def test_nothing_overflows_in_the_functions_of_large_numbers():
    floats, o = Floats(DTYPE), np.array([-800.0, 0.0, 800.0])
    assert floats.softplus(o).tolist() == [0, np.log(2), 800]
    assert floats.logistic_loss(o, np.array([1.0, 0.5, 1.0])).tolist() == [800, np.log(2), 0]
    np.testing.assert_allclose(
        Balls().logistic_loss(Balls().constants(o), Balls().constants(0.25)).astype(float), [200, np.log(2), 600]
    )


def test_relu_has_the_slope_0_at_0_and_remembers_its_arguments():
    floats = Floats(np.dtype("float32"), slopes=lambda number, slope: slope + 10 * number)
    first, second = np.float32([-1, 0, 2]), np.float32([3, -3])
    assert [part.tolist() for part in floats.relu(first)] == [[0, 0, 2], [0, 0, 1]]
    assert [part.tolist() for part in floats.relu(second)] == [[3, 0], [11, 10]]
    assert [argument.tolist() for argument in floats.relu_arguments] == [[-1, 0, 2], [3, -3]]
    assert floats.relu(first)[1].dtype == "float32"
    balls = np.array([arb(-1), arb(0), arb(2), arb(0, 1), arb(1, 1)], dtype=object)
    value, slope = Balls().relu(balls)
    assert value[:3].tolist() == [0, 0, 2]
    assert slope[:3].tolist() == [0, 0, 1]
    for unknown in slope[3:]:
        assert (unknown.lower() <= 0, unknown.upper() >= 1, unknown.rad() < 0.6) == (True, True, True)


@pytest.mark.parametrize("numbers", [Floats(DTYPE), Balls()], ids=["floats", "balls"])
def test_the_textbooks_writing_alone_is_what_is_computed_if_nothing_is_asked_for(numbers):
    assert (numbers.fused, numbers.leading) == (False, ())


def test_an_array_of_a_problem_gets_the_leading_axes_once():
    floats = Floats(np.dtype("float32"), leading=(2,), leaf=lambda values: values.view(np.matrix))
    leaf = floats.leaf(np.ones(3, "float32"))
    assert (leaf.shape, leaf.dtype) == ((2, 3), np.float32)
    assert floats.leaf(leaf) is leaf
    assert floats.constants([1, 2]).dtype == np.float32
    balls = Balls().leaf(np.array([0.1]))
    assert Balls().leaf(balls) is balls
    assert Balls().zeros_like(balls).tolist() == [0]
    assert (Balls().shift(balls).shape, Balls().shift(balls).item()) == ((), 0)
    assert Floats(DTYPE).shift(np.array([[1.0, 3.0, 2.0], [-1.0, -5.0, -2.0]])).tolist() == [[3], [-1]]


# The tape


def variable(values):
    return Variable(np.array(values, float), numbers=Floats(DTYPE))


def test_a_gradient_that_was_not_reached_is_zero_and_a_contribution_is_never_changed():
    a, b = variable([1.0, 2.0]), variable([3.0, 4.0])
    assert b.gradient.tolist() == [0, 0]
    contribution = np.array([1.0, 1.0])
    a.receive(contribution)
    b.receive(contribution)
    a.receive(np.array(5.0), 1)
    a.receive(np.array(2.0), 1)
    assert (a.gradient.tolist(), b.gradient.tolist(), contribution.tolist()) == ([1, 8], [1, 1], [1, 1])
    shared = a.gradient
    a.receive(np.array([1.0, 1.0]))
    assert shared.tolist() == [1, 8]


def test_the_progress_of_the_way_back_counts_the_variables():
    a = variable([2.0])
    shares = []
    backward(total(a * a, -1), shares.append)
    assert shares == [0, 1 / 3, 2 / 3]


def test_what_is_kept_keeps_its_gradient_and_the_others_let_go_of_their_sources():
    a = variable([2.0])
    kept, gone = a * 3, a * 5
    backward(total(kept * gone, -1), kept=[kept])
    assert (kept.gradient.tolist(), gone.gradient.tolist(), a.gradient.tolist()) == ([10], [0], [60])
    assert (kept.sources, gone.sources) == ((), ())
    b = variable([2.0])
    square = b * b
    backward(total(square, -1))
    assert (square.gradient.tolist(), len(square.sources)) == ([1], 2)


def test_a_part_is_taken_and_put_together_again_along_both_axes():
    a = variable([[1.0, 2.0], [3.0, 4.0]])
    backward(total(concatenated([a[:, :1], a[:, 1:] * 3]) * concatenated([a[1:], a[:1]], axis=-2), -1, -2))
    assert a.gradient.tolist() == [[3 + 3, 3 * 4 + 4 * 3], [1 + 1, 2 * 3 + 2 * 3]]


def test_where_gives_each_side_its_own_part():
    a, b = variable([1.0, 2.0]), variable([3.0, 4.0])
    chosen = where(np.array([True, False]), a, b)
    backward(total(chosen * np.array([5.0, 7.0]), -1))
    assert (chosen.value.tolist(), a.gradient.tolist(), b.gradient.tolist()) == ([1, 4], [5, 0], [0, 7])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("lengths", [None, [5, 2]])
def test_the_final_states_are_those_after_each_sequences_last_step_in_each_direction(cell, lengths):
    """With V the identity the outputs are the states of both directions, side by side."""
    model = Recurrent(cell, 3, 4, 8, bidirectional=True, loss="squared_error")
    problem = Problem.from_seed(model, seed=0, seq_len=5, batch_size=2, lengths=lengths)
    problem = replace(problem, params=problem.params | {"V": np.eye(8), "c": np.zeros(8)})
    floats = Floats(problem.dtype, leading=(2,))
    states = final_states(problem, floats)
    outputs = differentiate(problem, Floats(problem.dtype)).outputs
    assert list(states) == (["h_n", "c_n"] if cell == "lstm" else ["h_n"])
    assert states["h_n"].shape == (2, 2, 2, 4)
    last = problem.sequence_lengths - 1
    for computation in states["h_n"]:
        np.testing.assert_array_equal(computation[0], outputs[last, [0, 1], :4])
        np.testing.assert_array_equal(computation[1], outputs[0, :, 4:])
