"""Cells with functions that no system has: compared with their definition in NumPy, and refused only without one."""

from __future__ import annotations

import flax.linen as linen
import jax
import numpy as np
import pytest
from flax import nnx
from gradparity.backends import Problem, Recurrent, RequestError, UnsupportedProblemError
from gradparity.backends.adapters import from_params, wrap_layer
from gradparity.backends.adapters.cell_functions import ARGUMENTS, DEFINED_FUNCTIONS, OTHER_FUNCTIONS, function_name
from gradparity.backends.adapters.keras_engine import keras_on
from gradparity.backends.layouts import get_layout
from gradparity.compare import DisagreementError, assert_same_layer
from gradparity.compare.layers import cell_definitions
from sampling import case

MODELS = {cell: Recurrent(cell, 3, 5, 2) for cell in ("rnn", "lstm", "gru")}
CELLS = {"rnn": linen.SimpleCell, "lstm": linen.OptimizedLSTMCell, "gru": linen.GRUCell}
SMALL = {"seq_len": 3, "batch_size": 2}


def params(model):
    return Problem.from_seed(model, seed=1, seq_len=1, batch_size=1, dtype="float32").params


def flax_layer(cell, **options):
    return CELLS[cell](5, **options), from_params("flax-linen", MODELS[cell], params(MODELS[cell]))[1]


def keras_layer(**options):
    layer = keras_on("jax").layers.LSTM(5, return_sequences=True, return_state=True, **options)
    layer.build((None, None, 3))
    weights = get_layout("keras").from_params(MODELS["lstm"], params(MODELS["lstm"]))[0]
    layer.set_weights([weights[variable.name] for variable in layer.weights])
    return layer


def hard_sigmoid_of_keras_2(a):
    return jax.numpy.clip(0.2 * a + 0.5, 0, 1)


@pytest.mark.parametrize("name", DEFINED_FUNCTIONS)
def test_a_function_is_the_only_one_that_is_told_by_its_values_and_none_overflows(name):
    with np.errstate(all="raise", under="ignore"):
        values = DEFINED_FUNCTIONS[name](ARGUMENTS)
    assert values.dtype == np.float32
    assert function_name(DEFINED_FUNCTIONS[name], lambda function, a: function(a)) == name


@pytest.mark.parametrize(
    ("of_flax", "name"),
    [
        (nnx.hard_sigmoid, "hard_sigmoid"),
        (hard_sigmoid_of_keras_2, "hard_sigmoid of Keras 2"),
        (nnx.gelu, "gelu by tanh"),
        (nnx.soft_sign, "softsign"),
        (nnx.leaky_relu, "leaky_relu with slope 0.01"),
    ],
)
def test_the_functions_of_flax_are_told_by_their_values(of_flax, name):
    assert function_name(of_flax, lambda function, a: function(jax.numpy.asarray(a))) == name


@pytest.mark.campaign
def test_hard_sigmoid_of_keras_and_of_flax_agree_with_each_other_and_with_their_definition():
    comparison = assert_same_layer(
        flax_layer("lstm", gate_fn=nnx.hard_sigmoid), keras_layer(recurrent_activation="hard_sigmoid"), **SMALL
    )
    assert list(comparison.answers) == [
        "flax-linen OptimizedLSTMCell",
        "keras-jax LSTM",
        "definition of lstm with gate function hard_sigmoid",
    ]
    assert list(comparison.questions) == ["from given initial states", "without an initial state", "with lengths"]
    assert comparison.not_asked == ()
    names = {"loss", "o_1", "o_3", "h_n", "c_n", "dU_i", "dW_f", "db_g", "dh0", "dc0", "dx_3", "do_1"}
    assert names <= {block.label for block in comparison.blocks}
    assert all(0 < block.allowed < 1e-4 * block.scale for block in comparison.blocks)


@pytest.mark.campaign
def test_the_hard_sigmoids_of_keras_2_and_3_are_told_apart():
    with pytest.raises(DisagreementError) as error:
        assert_same_layer(
            flax_layer("lstm", gate_fn=hard_sigmoid_of_keras_2),
            keras_layer(recurrent_activation="hard_sigmoid"),
            **SMALL,
        )
    expected = "flax-linen OptimizedLSTMCell has hard_sigmoid of Keras 2, keras-jax LSTM has hard_sigmoid."
    assert f"gate function: {expected}" in str(error.value)


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        case("rnn", {"activation_fn": nnx.gelu}, campaign=False),
        case("rnn", {"activation_fn": nnx.relu, "residual": True}, campaign=True),
        case("gru", {"gate_fn": nnx.hard_sigmoid, "activation_fn": nnx.elu}, campaign=True),
        *(
            case("lstm", {"activation_fn": getattr(nnx, name)}, campaign=True)
            for name in ("selu", "silu", "softplus", "soft_sign", "relu6", "hard_tanh", "leaky_relu", "relu")
        ),
    ],
)
def test_what_defines_a_cell_with_other_functions_gives_what_the_library_gives(cell, options):
    layer = flax_layer(cell, **options)
    comparison = assert_same_layer(layer, layer, **SMALL)
    assert len(comparison.answers) == 3
    assert comparison.verdict == "agree"


@pytest.mark.campaign
def test_the_definition_finds_a_derivative_that_both_layers_have_wrong():
    def without_derivative(a):
        return jax.lax.stop_gradient(nnx.hard_sigmoid(a))

    layer = flax_layer("lstm", gate_fn=without_derivative)
    assert wrap_layer(layer).departures == {"gate function": "hard_sigmoid"}  # by its values, which are right
    with pytest.raises(DisagreementError) as error:
        assert_same_layer(layer, layer, **SMALL)
    outliers = {block.outliers for block in error.value.comparison.blocks if block.verdict == "disagree"}
    assert outliers == {("definition of lstm with gate function hard_sigmoid",)}
    assert not any(block.label.startswith(("o_", "h_n", "loss")) for block in wrong_blocks(error.value.comparison))


def test_a_wrong_definition_would_be_found(monkeypatch):
    def wrong(w, x, h, *, activation):
        return (activation(x @ w["U"].T + h @ w["W"].T + w["b"] + 1e-3),)

    monkeypatch.setattr(cell_definitions, "rnn", wrong)
    layer = flax_layer("rnn", activation_fn=nnx.gelu)
    with pytest.raises(DisagreementError, match="definition of rnn with activation gelu by tanh differs from"):
        assert_same_layer(layer, layer, **SMALL)


def test_a_function_without_a_definition_is_refused_with_those_that_have_one():
    def mine(a):
        return 2 * nnx.gelu(a)

    layer = flax_layer("gru", gate_fn=mine)
    with pytest.raises(UnsupportedProblemError) as error:
        assert_same_layer(layer, layer)
    message = str(error.value)
    assert message.startswith("flax-linen GRUCell 1 has gate function mine, which has no definition in NumPy here, ")
    assert all(name in message for name in OTHER_FUNCTIONS)
    assert "\n" not in message
    with pytest.raises(RequestError, match="unknown activation 'mine'"):
        assert_same_layer(*[flax_layer("rnn", activation_fn=mine)] * 2)


def wrong_blocks(comparison):
    return [block for block in comparison.blocks if block.verdict == "disagree"]
