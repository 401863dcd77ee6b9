"""Blocks: what is compared is divided so that no small part hides behind a large one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from faults import Faulty, in_adjoints, in_gate, in_gradients, with_one_entry_moved
from gradparity.backends import FeedForward, OrderedSystem, Problem, Recurrent, get_backend
from gradparity.compare import compare
from gradparity.compare.answers import gradient_name
from gradparity.compare.answers.blocks import expected_shapes, quantities
from gradparity.compare.testing.strategies import problems
from hypothesis import given
from sampling import case

LSTM = Recurrent("lstm", 2, 3, 4)
GRU = Recurrent("gru", 2, 3, 4)
STACK_OF_BOTH = replace(GRU, num_layers=2, bidirectional=True)


def problem_of(model, T=3, B=2):
    return Problem.from_seed(model, seq_len=T, batch_size=B, seed=0)


def divided(problem):
    """The quantities of the right answer."""
    return quantities(get_backend("manual").evaluate(problem, trace=True), problem)


def labels(problem):
    """The names of all blocks by their quantity."""
    return {name: " ".join(quantity.labels) for name, quantity in divided(problem).items()}


def wrong_blocks(problem, change):
    """The names of the blocks that differ if the change is made."""
    comparison = compare(problem, ["manual", "torch", Faulty(change)])
    wrong = [block for block in comparison.blocks if block.verdict != "agree"]
    assert all((block.verdict, block.outliers) == ("disagree", ("mine",)) for block in wrong)
    return [block.label for block in wrong]


@pytest.mark.parametrize(
    ("model", "gate", "parameter"),
    [
        case(model, gate, parameter, campaign=(i + j) % 2 == 1)
        for model in (LSTM, GRU, replace(GRU, reset="before"))
        for i, gate in enumerate(model.gates)
        for j, parameter in enumerate(("U", "W", "b"))
    ],
    ids=lambda argument: argument if isinstance(argument, str) else argument.summary,
)
def test_a_wrong_gate_is_told_alone(model, gate, parameter):
    assert wrong_blocks(problem_of(model), in_gate(parameter, gate, np.negative)) == [f"d{parameter}_{gate}"]


def with_closed_forget_gate(closed=-25.0):
    """σ(−25) is 1e-11: what comes through the gate is small, and exact to all its digits."""
    problem = problem_of(LSTM)
    b = problem.params["b"].copy()
    np.split(b, 4)[LSTM.gates.index("f")][...] = closed
    return replace(problem, params={**problem.params, "b": b})


@pytest.mark.parametrize("parameter", ["U", "W", "b"])
def test_every_gate_is_judged_on_its_own_scale(parameter):
    """An error of 1e-9 of the forget gate's part is 1e-20 of the whole, less than any rounding of that."""
    problem = with_closed_forget_gate()
    change = in_gate(parameter, "f", lambda part: with_one_entry_moved(part, 1e-9))
    assert wrong_blocks(problem, change) == [f"d{parameter}_f"]
    whole = get_backend("manual").evaluate(problem).gradients[parameter]
    forget = np.split(whole, 4)[LSTM.gates.index("f")]
    assert 1e-9 * np.abs(forget).max() < 1e-3 * np.spacing(np.abs(whole).max())


def test_every_step_is_judged_on_its_own_scale():
    """Of a vanishing gradient an error of 1e-9 at the fifth step is 1e-30 of the last step's adjoint."""
    problem = Problem.from_seed(Recurrent("rnn", 2, 3, 4, loss_at="last_step"), seq_len=40, batch_size=2, seed=0)
    problem = replace(problem, params={**problem.params, "W": 0.1 * problem.params["W"]})
    dh = divided(problem)["dh_t"].values
    assert np.abs(dh[4]).max() < 1e-20 * np.abs(dh[-1]).max()
    assert wrong_blocks(problem, in_adjoints(("h", 5), factor=1 + 1e-9)) == ["dh_5"]


@pytest.mark.parametrize("parameter", ["V", "c", "b_hn"])
def test_what_belongs_to_no_gate_is_one_block(parameter):
    assert wrong_blocks(problem_of(GRU), in_gradients(parameter, np.negative)) == [f"d{parameter}"]


@pytest.mark.parametrize(
    ("change", "label"),
    [
        (in_gate("layer1.W.reverse", "z", np.negative), "layer1.dW_z.reverse"),
        (in_gate("layer0.U", "n", np.negative), "layer0.dU_n"),
        (in_gradients("layer1.b_hn", np.negative), "layer1.db_hn"),
        (in_adjoints(("layer0.a.reverse", 2)), "layer0.da_2.reverse"),
        (in_adjoints(("layer1.h", 3)), "layer1.dh_3"),
        (in_gradients("h0", lambda array: array * [[[1]], [[1]], [[1]], [[-1]]]), "layer1.dh0.reverse"),
        (in_gradients("inputs", lambda array: array * [[[1]], [[-1]], [[1]]]), "dx_2"),
    ],
)
def test_in_a_stack_the_layer_and_the_direction_are_told(change, label):
    assert wrong_blocks(problem_of(STACK_OF_BOTH), change) == [label]


def test_the_blocks_of_the_plain_cell():
    assert labels(problem_of(Recurrent("rnn", 2, 3, 4), T=2)) == {
        "loss": "loss",
        "o_t": "o_1 o_2",
        "dU": "dU",
        "dW": "dW",
        "db": "db",
        "dV": "dV",
        "dc": "dc",
        "dh0": "dh0",
        "dx_t": "dx_1 dx_2",
        "do_t": "do_1 do_2",
        "dh_t": "dh_1 dh_2",
        "da_t": "da_1 da_2",
    }


def test_the_blocks_of_an_lstm_keep_the_bias_c_the_cell_state_and_its_beginning_apart():
    labelled = labels(problem_of(LSTM, T=2))
    assert labelled["dU"] == "dU_i dU_f dU_g dU_o"
    assert (labelled["dc"], labelled["dc_t"], labelled["dc0"]) == ("dc", "dc_1 dc_2", "dc0")


def test_the_blocks_of_a_stack():
    labelled = labels(problem_of(STACK_OF_BOTH, T=2))
    assert labelled["layer0.dU.reverse"] == "layer0.dU_r.reverse layer0.dU_z.reverse layer0.dU_n.reverse"
    assert labelled["layer1.dh_t.reverse"] == "layer1.dh_1.reverse layer1.dh_2.reverse"
    assert labelled["dh0"] == "layer0.dh0 layer0.dh0.reverse layer1.dh0 layer1.dh0.reverse"


def test_the_blocks_of_a_concatenated_cell_a_feed_forward_network_and_an_ordered_system():
    assert labels(problem_of(Recurrent("rnn", 2, 3, 4, concatenated=True)))["dWcat"] == "dWcat"
    assert labels(Problem.from_seed(FeedForward((2, 3, 4)), batch_size=2, seed=0)) == {
        name: name for name in ("loss", "o", "dW1", "db1", "dW2", "db2", "dx", "dz1", "dz2")
    }
    ordered = Problem.from_seed(OrderedSystem(((0, 0), (2, 0)), (1, 2)), seed=0)
    assert labels(ordered) == {"loss": "loss", "z_t": "z_1 z_2", "dA": "dA", "dx": "dx", "dz_t": "dz_1 dz_2"}


@pytest.mark.parametrize(
    ("model", "name", "shapes"),
    [
        (LSTM, "dU", [(3, 2)] * 4),
        (LSTM, "db", [(3,)] * 4),
        (LSTM, "dc_t", [(5, 3)] * 2),
        (LSTM, "da_t", [(5, 12)] * 2),
        (LSTM, "dh0", [(5, 3)]),
        (LSTM, "loss", [()]),
        (STACK_OF_BOTH, "layer1.dU.reverse", [(3, 6)] * 3),
        (STACK_OF_BOTH, "dh0", [(1, 5, 3)] * 4),
        (STACK_OF_BOTH, "dx_t", [(5, 2)] * 2),
        (STACK_OF_BOTH, "o_t", [(5, 4)] * 2),
    ],
)
def test_a_block_has_the_shape_of_what_it_is(model, name, shapes):
    quantity = divided(problem_of(model, T=2, B=5))[name]
    assert [quantity.block(i).shape for i in range(len(quantity.labels))] == shapes


@given(problem=problems(most_steps=4))
def test_every_number_of_an_answer_is_in_one_block(problem):
    answer = get_backend("manual").evaluate(problem, trace=True)
    arrays = [np.array(answer.loss), answer.outputs, *answer.gradients.values(), *answer.adjoints.values()]
    divided_up = quantities(answer, problem).values()
    names = [label for quantity in divided_up for label in quantity.labels]
    assert len(set(names)) == len(names)
    assert sum(quantity.blocks.size for quantity in divided_up) == sum(array.size for array in arrays)
    for quantity in divided_up:
        for i, row in enumerate(quantity.blocks):
            np.testing.assert_array_equal(quantity.block(i).ravel(), row)


@given(problem=problems(most_steps=4))
def test_what_is_expected_of_an_answer_is_what_the_hand_derivation_gives(problem):
    answer = get_backend("manual").evaluate(problem, trace=True)
    expected = expected_shapes(problem)
    assert {name: array.shape for name, array in answer.gradients.items()} == expected["gradients"]
    assert answer.outputs.shape == expected["outputs"]["outputs"]
    adjoints = {name: array.shape for name, array in answer.adjoints.items()}
    assert adjoints.keys() in (set(), {"o"}, expected["adjoints"].keys())  # forward mode has those of the read-out
    assert adjoints.items() <= expected["adjoints"].items()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("U", "dU"), ("layer0.U.reverse", "layer0.dU.reverse"), ("layer10.b_hn", "layer10.db_hn"), ("h0", "dh0")],
)
def test_a_derivative_is_called_by_its_variable(name, expected):
    assert str(gradient_name(name)) == expected
