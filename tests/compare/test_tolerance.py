"""No false positive and no blindness: the tolerance follows what rounding really does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from extended import extended_answer
from faults import Faulty, in_gate, in_gradients, move_one_entry, with_one_entry_moved
from gradparity.backends import FeedForward, Problem, Recurrent
from gradparity.compare import compare, measure_tolerance
from gradparity.compare.answers import gradient_name
from gradparity.compare.answers.blocks import quantities
from sampling import case, chequered

DTYPES = ("float64", "float32")
GAINS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)  # from contracting to chaotic


def scaled(gain, *, dtype="float64", seq_len=20, hidden_size=32, activation="tanh", seed=0):
    model = Recurrent("rnn", 3, hidden_size, 4, activation=activation)
    return Problem.from_seed(model, seq_len=seq_len, batch_size=2, seed=seed, dtype=dtype, recurrent_gain=gain)


def true_errors(problem, answer):
    """The largest error of each block as a part of its largest entry, against extended precision."""
    truth = quantities(extended_answer(problem), problem)
    errors = []
    for name, quantity in quantities(answer, problem).items():
        right = truth[name].blocks
        errors.extend(np.abs(quantity.blocks - right).max(axis=1) / np.abs(right).max(axis=1))
    return np.array(errors, dtype=float)


def assert_no_false_positive(problem, backends=None):
    comparison = compare(problem, backends)
    assert comparison.verdict != "disagree"
    error = max(true_errors(problem, answer).max() for answer in comparison.answers.values())
    if comparison.verdict == "agree":
        assert error < 0.01
    else:
        assert error > 1e-4  # the worst block has lost all but a few of its digits


@pytest.mark.parametrize(
    ("gain", "dtype", "seq_len"),
    [
        case(*square.values, campaign=bool(square.marks) or square.values[0] in (1.0, 2.0, 2.5))
        for square in chequered(GAINS, DTYPES, [20, 100])
    ],
)
def test_from_contracting_to_chaotic_there_is_no_false_positive(gain, dtype, seq_len):
    assert_no_false_positive(scaled(gain, dtype=dtype, seq_len=seq_len))


OTHER_MODELS = {
    "lstm": Recurrent("lstm", 3, 16, 4),
    "gru": Recurrent("gru", 3, 16, 4),
    "stack of both": Recurrent("rnn", 3, 12, 4, num_layers=2, bidirectional=True),
}


def of_another_model(name, gain, *, dtype="float64", seq_len=30):
    return Problem.from_seed(
        OTHER_MODELS[name], seq_len=seq_len, batch_size=2, seed=0, dtype=dtype, recurrent_gain=gain
    )


@pytest.mark.parametrize(("gain", "name", "dtype"), chequered([0.5, 2.0, 6.0], OTHER_MODELS, DTYPES, every=6))
def test_there_is_none_in_gated_cells_and_stacks_either(name, gain, dtype):
    """Without JAX, whose compiling takes longer than all the rest; with it in `test_agreement`."""
    assert_no_false_positive(of_another_model(name, gain, dtype=dtype), ["manual", "torch", "torch-nn"])


@pytest.mark.parametrize(
    ("contracting", "chaotic"),
    [
        case(*(scaled(gain, seq_len=60, dtype="float32") for gain in (0.5, 3.0)), campaign=False),
        case(*(scaled(gain, seq_len=140, dtype="float64") for gain in (0.5, 3.0)), campaign=True),
        case(
            of_another_model("gru", 0.5, dtype="float32"),
            of_another_model("gru", 6.0, dtype="float32", seq_len=40),
            campaign=True,
        ),
    ],
)
def test_chaos_is_undecidable_and_contraction_is_not(contracting, chaotic):
    assert compare(contracting, ["manual", "torch"]).verdict == "agree"
    assert compare(chaotic, ["manual", "torch"]).verdict == "undecidable"


@pytest.mark.parametrize(
    "problem",
    [
        case(scaled(gain, dtype=dtype, seq_len=40), campaign=gain == 1.0, id=f"rnn-{gain}-{dtype}")
        for gain in (1.0, 1.5)
        for dtype in DTYPES
    ]
    + [case(of_another_model("lstm", 1.5, dtype=dtype), campaign=True, id=f"lstm-{dtype}") for dtype in DTYPES],
)
def test_the_spread_is_about_the_true_error(problem):
    tolerance = measure_tolerance(problem)
    (answer,) = compare(problem, ["manual"]).answers.values()
    spread = np.concatenate([tolerance.spread[name] / tolerance.scale[name] for name in quantities(answer, problem)])
    assert np.all(true_errors(problem, answer) <= 4 * spread)
    # √n for sums is the worst order of summation; NumPy's is better
    assert np.median(spread / np.maximum(true_errors(problem, answer), np.finfo(problem.dtype).eps / 4)) < 40


def test_the_measurement_is_deterministic():
    first, second = measure_tolerance(scaled(1.5)), measure_tolerance(scaled(1.5))
    for name in first.spread:
        np.testing.assert_array_equal(first.spread[name], second.spread[name])


@pytest.mark.parametrize("seq_len", [1, 7, 20])
@pytest.mark.parametrize("name", ["U", "W", "b", "V", "c", "h0", "inputs"])
def test_one_entry_moved_by_1e_12_of_its_block_is_found(name, seq_len):
    problem = scaled(1.0, seq_len=seq_len, hidden_size=8)
    comparison = compare(problem, ["manual", "torch", Faulty(move_one_entry(name, 1e-12))])
    assert comparison.verdict == "disagree"
    quantity = "dx_t" if name == "inputs" else f"d{name}"
    assert {(block.name, block.outliers) for block in comparison.blocks if block.verdict == "disagree"} == {
        (quantity, ("mine",))
    }


def the_wrong_block(problem, change):
    """The only block that differs if the change is made."""
    comparison = compare(problem, ["manual", "torch", Faulty(change)])
    (block,) = (block for block in comparison.blocks if block.verdict == "disagree")
    assert block.outliers == ("mine",)
    return block


@pytest.mark.parametrize("parameter", ["U", "W", "b"])
@pytest.mark.parametrize(
    ("name", "gate"), [(name, gate) for name in ("lstm", "gru") for gate in OTHER_MODELS[name].gates]
)
def test_it_is_found_in_one_gate(name, gate, parameter):
    change = in_gate(parameter, gate, lambda part: with_one_entry_moved(part, 1e-12))
    assert the_wrong_block(of_another_model(name, 1.0, seq_len=5), change).label == f"d{parameter}_{gate}"


@pytest.mark.parametrize("name", ["layer0.U", "layer0.W.reverse", "layer1.b.reverse", "V"])
def test_it_is_found_in_every_layer_of_a_stack(name):
    problem = of_another_model("stack of both", 1.0, seq_len=5)
    assert the_wrong_block(problem, move_one_entry(name, 1e-12)).name == str(gradient_name(name))


@pytest.mark.parametrize("name", ["W1", "b2", "inputs"])
def test_it_is_found_in_every_layer_of_a_feed_forward_network(name):
    problem = Problem.from_seed(FeedForward((3, 6, 4)), batch_size=5, seed=0)
    expected = "dx" if name == "inputs" else f"d{name}"
    assert the_wrong_block(problem, move_one_entry(name, 1e-12)).label == expected


def vanishing(seq_len=20):
    """Gradients of U, W and b near 1e-12: the read-out hardly looks at the state."""
    problem = scaled(1.0, seq_len=seq_len, hidden_size=8)
    return replace(problem, params=problem.params | {"V": 1e-12 * problem.params["V"]})


@pytest.mark.parametrize("name", ["U", "W", "b", "h0"])
def test_it_is_found_as_well_in_a_block_whose_entries_are_all_near_1e_12(name):
    block = the_wrong_block(vanishing(), move_one_entry(name, 1e-12))
    assert block.name == f"d{name}"
    assert 1e-14 < block.scale < 1e-10


def test_a_sign_flip_in_a_block_near_1e_12_is_found_and_called_so():
    block = the_wrong_block(vanishing(), in_gradients("W", np.negative))
    assert (block.name, block.likely_cause) == ("dW", "opposite sign")


@pytest.mark.parametrize(
    ("problem", "variable"),
    [(scaled(1.0, hidden_size=8), letter) for letter in "oha"]
    + [(of_another_model("lstm", 1.0, seq_len=5), letter) for letter in "ohca"],
    ids=[*(f"plain-{letter}" for letter in "oha"), *(f"lstm-{letter}" for letter in "ohca")],
)
def test_one_entry_of_one_step_moved_by_1e_12_is_found(problem, variable):
    def change(answer, problem):
        block = answer.adjoints[variable][3]
        block[1, 0] += 1e-12 * np.abs(block).max()

    assert the_wrong_block(problem, change).label == f"d{variable}_4"


@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_for_a_gradient_at_the_edge_of_underflow_do_not_agree(dtype):
    tiny = np.finfo(dtype).tiny
    model = Recurrent("rnn", 1, 1, 1, activation="identity", loss="squared_error")
    params = {name: np.ones(shape, dtype) for name, shape in model.parameter_shapes.items()}
    params["V"] = np.full((1, 1), 3 * tiny, dtype)
    ones = np.ones((1, 1, 1), dtype)
    problem = Problem(model, params, ones, np.full((1, 1, 1), 2.5, dtype), np.ones((1, 1), dtype))
    assert compare(problem, ["manual", Faulty(in_gradients("W", np.zeros_like))]).verdict != "agree"


@pytest.mark.parametrize("activation", [case("relu", campaign=False), case("identity", campaign=True)])
def test_an_overflow_is_undecidable_and_no_disagreement(activation):
    problem = scaled(3.0, dtype="float32", seq_len=200, hidden_size=16, activation=activation)
    assert compare(problem, ["manual", "torch"]).verdict == "undecidable"


def test_confident_right_predictions_are_no_false_positive():
    """p − 1 and σ − 1 cancel there, to a handful of digits or none: every answer may differ from every other."""
    for loss, target in (("softmax_cross_entropy", 1), ("sigmoid_cross_entropy", 1.0)):
        model = Recurrent("rnn", 2, 3, 2, loss=loss)
        for margin in (5.0, 15.0, 30.0, 36.0, 100.0, 1e4):
            problem = Problem.from_seed(model, seq_len=3, batch_size=1, seed=0)
            params = problem.params | {"V": np.zeros((2, 3)), "c": np.array([-margin, margin])}
            targets = np.full_like(problem.targets, target)
            if loss == "sigmoid_cross_entropy":
                targets[..., 0] = 0
            comparison = compare(replace(problem, params=params, targets=targets))
            assert comparison.verdict != "disagree", (loss, margin)
            if margin == 5:
                assert comparison.verdict == "agree", (loss, margin)
