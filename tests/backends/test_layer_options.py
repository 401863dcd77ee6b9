"""What a layer's options change is read from the layer and told, or the layer is refused: nothing is assumed."""

from __future__ import annotations

import flax.linen as linen
import jax
import numpy as np
import pytest
import torch
from flax import nnx
from gradparity.backends import Problem, Recurrent, RequestError
from gradparity.backends.adapters import from_params, wrap_layer
from gradparity.backends.adapters.cell_functions import function_name
from gradparity.backends.adapters.keras_engine import keras_on
from sampling import case

RNN = Recurrent("rnn", 3, 5, 2, activation="relu")
PARAMS = Problem.from_seed(RNN, seed=2, seq_len=4, batch_size=2, dtype="float32").params


def keras_layer(class_name, *args, **options):
    layer = getattr(keras_on("jax").layers, class_name)(*args, return_sequences=True, **options)
    layer.build((None, None, 3))
    return layer


@pytest.mark.parametrize("library", ["torch", "keras", "flax-linen", "flax-nnx", "haiku"])
def test_a_plain_layer_tells_its_activation_whatever_is_stated(library):
    layer = from_params(library, RNN, PARAMS)
    assert wrap_layer(layer).model.activation == "relu"
    assert wrap_layer(layer, activation="tanh").model.activation == "relu"


def test_a_plain_cell_tells_its_activation():
    assert wrap_layer(torch.nn.RNNCell(3, 5, nonlinearity="relu")).model.activation == "relu"
    tanh = nnx.SimpleCell(3, 5, activation_fn=lambda a: jax.numpy.tanh(a), rngs=nnx.Rngs(0))  # no name
    assert wrap_layer(tanh).model.activation == "tanh"


@pytest.mark.parametrize(
    ("make_layer", "departures"),
    [
        (
            lambda: nnx.GRUCell(3, 5, gate_fn=nnx.hard_sigmoid, activation_fn=nnx.relu, rngs=nnx.Rngs(0)),
            {"gate function": "hard_sigmoid", "activation": "relu"},
        ),
        case(lambda: nnx.OptimizedLSTMCell(3, 5, rngs=nnx.Rngs(0)), {}, campaign=True),
        (lambda: nnx.SimpleCell(3, 5, residual=True, rngs=nnx.Rngs(0)), {"residual": "True"}),
        case(lambda: keras_layer("LSTM", 5, activation="relu"), {"activation": "relu"}, campaign=True),
        (lambda: keras_layer("GRU", 5, recurrent_activation="hard_sigmoid"), {"gate function": "hard_sigmoid"}),
        (lambda: torch.nn.GRU(3, 5), {}),
    ],
)
def test_a_layer_with_other_functions_tells_them_and_stands_for_no_model(make_layer, departures):
    wrapped = wrap_layer(make_layer())
    assert wrapped.departures == departures
    reason = wrapped.supports(wrapped.model, "float32")
    assert reason.startswith("it computes another cell: ") if departures else reason == ""


def test_a_function_is_told_by_its_values():
    def named(function):
        return function_name(function, lambda function, a: function(a))

    assert named(lambda a: np.tanh(a)) == "tanh"  # a function without a name of its own
    assert named(lambda a: np.clip(a, 0, 5)) == "<lambda>"
    assert named(lambda a: np.maximum(a, 0.02 * a)) == "<lambda>"
    assert named(lambda a: a.sum()) == "<lambda>"

    def relu(a):
        return np.minimum(np.maximum(a, 0), 100)

    assert named(relu) == "another relu"


@pytest.mark.parametrize("base", [torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN, torch.nn.LSTMCell])
def test_another_librarys_layer_is_told_from_torchs_own_of_the_same_name(base):
    def named(name, module):
        return wrap_layer(type(name, (base,), {"__module__": module})(3, 5)).name

    own = base.__name__
    assert wrap_layer(base(3, 5)).name == f"torch {own}"
    assert named(own, "torchrl.modules.rnn") == f"torchrl {own}"
    assert named("GRUCell", "torchrl") == "torchrl GRUCell"
    assert named("Mine", "anything") == "torch Mine"


def test_what_a_layer_does_in_training_alone_is_remarked():
    dropped = torch.nn.LSTM(3, 5, num_layers=2, dropout=0.5).eval()
    assert wrap_layer(dropped).remarks == ("the dropout of 0.5: the torch LSTM is in evaluation mode",)
    (remark,) = wrap_layer(keras_layer("LSTM", 5, kernel_regularizer="l2")).remarks
    assert remark.startswith("the kernel_regularizer of keras layer ")


def own_keras_cell():
    keras = keras_on("jax")

    class Mine(keras.layers.Layer):
        state_size = 5

        def build(self, shape):
            for name, inputs in (("kernel", shape[-1]), ("recurrent_kernel", 5)):
                self.add_weight(shape=(inputs, 5), name=name)

        def call(self, x, states):
            return x, states

    return Mine()


def own_nnx_cell():
    class Mine(nnx.Module):
        def __init__(self):
            self.dense_i = nnx.Linear(3, 5, rngs=nnx.Rngs(0))
            self.dense_h = nnx.Linear(5, 5, use_bias=False, rngs=nnx.Rngs(0))

    return Mine()


def celu(a):
    return jax.nn.celu(a, alpha=2.0)


REFUSED = {
    "keras, own cell": (lambda: keras_layer("RNN", own_keras_cell()), "has a Mine, expected a SimpleRNNCell, LSTMCell"),
    "keras, dropout": (lambda: keras_layer("LSTM", 5, dropout=0.5), "has dropout=0.5, which changes it in training"),
    "keras, recurrent dropout": (lambda: keras_layer("GRU", 5, recurrent_dropout=0.1), "has recurrent_dropout=0.1"),
    "keras, both directions": (
        lambda: keras_on("jax").layers.Bidirectional(keras_on("jax").layers.LSTM(5)),
        r"is not built, and has no weights: call its build\(\(None, None, D\)\)",
    ),
    "linen, other variables": (
        lambda: (linen.GRUCell(5), {"params": {}, "batch_stats": {}}),
        "have batch_stats beside params",
    ),
    "linen, carried variables": (
        lambda: (linen.RNN(linen.GRUCell(5), variable_carry="params"), {"params": {}}),
        "has a variable_carry of its own",
    ),
    "linen, plain, celu": (
        lambda: (linen.SimpleCell(5, activation_fn=celu), from_params("flax-linen", RNN, PARAMS)[1]),
        "flax-linen SimpleCell has the unknown activation 'celu': expected one of tanh, relu, sigmoid, identity",
    ),
    "nnx, plain of one's own": (
        own_nnx_cell,
        "flax-nnx Mine is a plain cell that does not tell its activation: state it, such as activation='tanh'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_layer_that_computes_what_is_not_compared_is_refused_in_one_line(case):
    layer, message = REFUSED[case]
    with pytest.raises(RequestError, match=rf"^[^\n]*{message}[^\n]*$"):
        wrap_layer(layer())
