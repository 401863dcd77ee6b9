"""Layers of different libraries that are the same, and some that are not."""

from __future__ import annotations

import pytest
from gradparity.backends import Problem, Recurrent, RequestError
from gradparity.backends.adapters import from_params
from gradparity.compare import DisagreementError, assert_same_layer
from sampling import case

LSTM = Recurrent("lstm", 3, 5, 2)
GRU = Recurrent("gru", 3, 5, 2)


def layer(library, model=LSTM, dtype="float64", **changed):
    params = Problem.from_seed(model, seed=1, seq_len=1, batch_size=1, dtype=dtype).params
    return from_params(library, model, {**params, **{name: change(params[name]) for name, change in changed.items()}})


@pytest.mark.parametrize(
    ("dtype", "libraries"),
    [
        case("float64", ("torch", "flax-linen", "flax-nnx", "equinox", "haiku"), campaign=False),
        case("float32", ("torch", "equinox"), campaign=True),
    ],
)
def test_the_same_weights_make_the_same_layer_in_every_library(dtype, libraries):
    comparison = assert_same_layer(*(layer(library, dtype=dtype) for library in libraries))
    assert comparison.verdict == "agree"
    names = {"loss", "o_1", "o_7", "h_n", "c_n", "dU_i", "dW_f", "db_g", "dh0", "dc0", "dx_7"}
    assert names <= {block.label for block in comparison.blocks}
    assert all(len(block.distance_ulp) == len(libraries) for block in comparison.blocks)


def test_a_layer_without_b_hn_is_compared_where_it_has_parameters():
    no_b_hn = {"b_hn": lambda array: 0 * array}
    comparison = assert_same_layer(layer("torch", GRU, **no_b_hn), layer("flax-nnx", GRU, **no_b_hn))
    assert {"dU_r", "db_n"} <= {block.label for block in comparison.blocks}
    assert "db_hn" not in {block.label for block in comparison.blocks}


def test_swapped_gates_are_told_with_what_differs():
    swapped = layer("equinox", W=lambda array: array[[*range(5), *range(10, 15), *range(5, 10), *range(15, 20)]])
    with pytest.raises(DisagreementError) as error:
        assert_same_layer(layer("torch"), swapped)
    report = str(error.value)
    assert "torch LSTM and equinox LSTMCell differ" in report
    assert "The forward pass differs already, first in o_1." in report
    assert report.endswith("Mapped to the same names, their weights differ in W.")


@pytest.mark.campaign
def test_another_activation_with_the_same_weights_is_told_as_such():
    import flax.linen as nn

    _, variables = layer("flax-linen")
    other = nn.OptimizedLSTMCell(5, gate_fn=nn.hard_sigmoid)
    with pytest.raises(
        DisagreementError, match="their weights are the same: the layers compute something else"
    ) as error:
        assert_same_layer(layer("equinox"), (other, variables))
    assert "gate function: flax-linen OptimizedLSTMCell has hard_sigmoid, and not the others." in str(error.value)
    assert assert_same_layer((other, variables), (other, variables)).verdict == "agree"


def test_layers_of_other_kinds_sizes_and_dtypes_are_no_question_of_numbers():
    with pytest.raises(AssertionError, match=r"torch LSTM is lstm of D=3 H=5; torch GRU is gru \(reset after\) of"):
        assert_same_layer(layer("torch"), layer("torch", GRU))
    with pytest.raises(AssertionError, match="torch LSTM is float64; equinox LSTMCell is float32"):
        assert_same_layer(layer("torch"), layer("equinox", dtype="float32"))
    with pytest.raises(RequestError, match="1 layers were given, expected at least two"):
        assert_same_layer(layer("torch"))


def test_a_torch_layer_with_the_batch_first_in_two_directions_is_asked_as_it_is():
    import torch

    model = Recurrent("lstm", 3, 5, 2, num_layers=2, bidirectional=True)
    first = layer("torch", model)
    second = torch.nn.LSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True, dtype=torch.float64)
    second.load_state_dict(first.state_dict())
    assert assert_same_layer(first, second).verdict == "agree"


def test_a_bias_that_only_one_has_is_named_whichever_comes_first():
    biased, none = layer("torch"), layer("torch", b=lambda array: 0 * array)
    for pair in ((biased, none), (none, biased)):
        with pytest.raises(DisagreementError, match=r"their weights differ in b\.$"):
            assert_same_layer(*pair)


def test_small_weights_that_differ_are_not_called_the_same():
    small = [layer("torch", U=lambda U: 1e-18 * U), layer("torch", U=lambda U: -1e-18 * U)]
    with pytest.raises(DisagreementError, match=r"their weights differ in U\.$"):
        assert_same_layer(*small)


def test_of_a_layer_that_fails_nothing_is_said_about_its_weights():
    import torch

    class Mine(torch.nn.LSTM):
        def forward(self, x, states):
            raise RuntimeError("mine fails")

    mine = Mine(3, 5, dtype=torch.float64)
    with pytest.raises(DisagreementError, match="mine fails") as error:
        assert_same_layer(layer("torch"), mine)
    assert "weights" not in str(error.value)


def test_the_size_and_the_seed_of_the_random_sequence_are_asked_for():
    comparison = assert_same_layer(layer("torch"), layer("equinox"), seq_len=4, batch_size=2, seed=5)
    assert comparison.problem.leading == (4, 2)
    other = assert_same_layer(layer("torch"), layer("equinox"), seq_len=4, batch_size=2)
    assert (comparison.problem.inputs != other.problem.inputs).all()
