"""Objects that hold layers: cells alone, stacks of cells, both directions, backwards; each is asked as it is."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import equinox as eqx
import flax.linen as linen
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import nnx
from gradparity.backends import RequestError
from gradparity.backends.adapters import from_params, to_params, wrap_layer
from gradparity.backends.adapters.keras_engine import keras_on
from gradparity.compare import DisagreementError, assert_same_layer
from sampling import case

D, H = 3, 4


def drawn(tree, seed=1):
    """Random weights of the same shapes, biases included, which libraries make zero."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda array: jnp.asarray(0.5 * rng.normal(size=array.shape), "float32"), tree)


def of_keras(make, shape=(None, None, D)):
    def made():
        layer = make(keras_on("jax").layers)
        layer.build(shape)
        rng = np.random.default_rng(2)
        layer.set_weights([0.5 * rng.normal(size=tuple(weight.shape)).astype("float32") for weight in layer.weights])
        return layer

    return made


def keras_model(*make, functional=False):
    def made():
        keras = keras_on("jax")
        layers = [of_one(keras.layers) for of_one in make]
        if not functional:
            return keras.Sequential([keras.Input((None, D)), *layers])
        x = y = keras.Input((None, D))
        for layer in layers:
            y = layer(y)
        return keras.Model(x, y)

    return made


def nnx_cell(name, seed=1):
    cell = getattr(nnx, name)(D, H, rngs=nnx.Rngs(0))
    nnx.update(cell, drawn(nnx.state(cell, nnx.Param), seed))
    return cell


def of_linen(module):
    return module, drawn(module.init(jax.random.key(0), jnp.ones((2, 5, D))))


def of_haiku(core):
    def unrolled(x):
        made = core()
        return hk.dynamic_unroll(made, x, made.initial_state(x.shape[1]))

    return core, drawn(hk.transform(unrolled).init(jax.random.key(0), jnp.ones((5, 2, D))))


def traced(module):
    is_cell = isinstance(module, torch.nn.RNNCellBase)
    x, state = (torch.ones(2, D), torch.ones(2, H)) if is_cell else (torch.ones(5, 2, D), torch.ones(1, 5, H))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of PyTorch, on tracing
        return torch.jit.trace(module, (x, (state, state) if "LSTM" in type(module).__name__ else state))


def scripted(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(module)


def cells_of(name, count):
    return [getattr(torch.nn, name)(D if k == 0 else H, H) for k in range(count)]


OBJECTS = {
    "keras RNN(cell)": of_keras(lambda k: k.RNN(k.LSTMCell(H), return_sequences=True)),
    "keras RNN(StackedRNNCells)": of_keras(
        lambda k: k.RNN(k.StackedRNNCells([k.LSTMCell(H), k.LSTMCell(H)]), return_sequences=True, return_state=True)
    ),
    "keras RNN([cells])": of_keras(lambda k: k.RNN([k.GRUCell(H), k.GRUCell(H)], return_sequences=True)),
    "keras Bidirectional": of_keras(lambda k: k.Bidirectional(k.GRU(H, return_sequences=True, return_state=True))),
    "keras LSTMCell": of_keras(lambda k: k.LSTMCell(H), (None, D)),
    "keras GRUCell": of_keras(lambda k: k.GRUCell(H), (None, D)),
    "keras SimpleRNNCell": of_keras(lambda k: k.SimpleRNNCell(H), (None, D)),
    "keras StackedRNNCells": of_keras(lambda k: k.StackedRNNCells([k.GRUCell(H), k.GRUCell(H)]), (None, D)),
    "keras last output": of_keras(lambda k: k.LSTM(H, return_state=True)),
    "keras Sequential": keras_model(lambda k: k.LSTM(H, return_sequences=True), lambda k: k.LSTM(H)),
    "keras functional": keras_model(lambda k: k.GRU(H, return_sequences=True), functional=True),
    "nnx LSTMCell": lambda: nnx_cell("LSTMCell"),
    "nnx RNN, batch first": lambda: nnx.RNN(nnx_cell("LSTMCell")),
    "nnx Bidirectional": lambda: nnx.Bidirectional(
        nnx.RNN(nnx_cell("OptimizedLSTMCell", 2), time_major=True), nnx.RNN(nnx_cell("LSTMCell", 3)), time_major=True
    ),
    "linen RNN, batch first": lambda: of_linen(linen.RNN(linen.LSTMCell(H))),
    "linen Bidirectional": lambda: of_linen(linen.Bidirectional(*(linen.RNN(linen.GRUCell(H)) for _ in range(2)))),
    "haiku DeepRNN": lambda: of_haiku(lambda: hk.DeepRNN([hk.LSTM(H, name="low"), hk.LSTM(H, name="high")])),
    "torch scripted": lambda: scripted(torch.nn.LSTM(D, H, 2, bidirectional=True, batch_first=True)),
    "torch scripted cell": lambda: scripted(torch.nn.RNNCell(D, H, nonlinearity="relu")),
    "torch traced": lambda: traced(torch.nn.GRU(D, H, batch_first=True)),
    "torch traced cell": lambda: traced(torch.nn.RNNCell(D, H, nonlinearity="relu")),
    "torch ModuleList of cells": lambda: torch.nn.ModuleList(cells_of("GRUCell", 2)),
    "torch Sequential of one": lambda: torch.nn.Sequential(torch.nn.GRU(D, H)),
}
SIMILAR = (  # to others, so that campaigns alone show them
    *("keras GRUCell", "keras SimpleRNNCell", "keras RNN(cell)", "keras RNN([cells])", "nnx LSTMCell"),
    *("keras functional", "keras StackedRNNCells", "nnx RNN, batch first", "linen RNN, batch first"),
    *("torch scripted cell", "torch traced cell", "torch Sequential of one"),
    *("linen Bidirectional", "keras Sequential", "keras last output", "keras Bidirectional"),
    *("nnx Bidirectional", "keras RNN(StackedRNNCells)", "haiku DeepRNN"),
)


@pytest.mark.parametrize("name", [case(name, campaign=name in SIMILAR) for name in OBJECTS])
def test_an_object_is_the_torch_layer_of_its_weights_and_no_other(name):
    thing = OBJECTS[name]()
    wrapped = wrap_layer(thing)
    layer = from_params("torch", wrapped.model, wrapped.params)
    size = {"seq_len": 4, "batch_size": 2}
    comparison = assert_same_layer(thing, layer, **size)
    assert {"o_1", "o_4", "dx_1", "dh0"} <= {
        block.label.partition(".")[2] or block.label for block in comparison.blocks
    }
    last = list(layer.parameters())[-1]
    with torch.no_grad():
        last[1] += 0.02
    with pytest.raises(DisagreementError, match=r"first in o_\d"):  # not o_1 where relu passes nothing there
        assert_same_layer(thing, layer, **size)


@pytest.mark.campaign
def test_a_stack_with_other_functions_is_compared_beside_its_definition():
    cells = of_keras(
        lambda k: k.RNN([k.LSTMCell(H, recurrent_activation="hard_sigmoid") for _ in range(2)], return_sequences=True)
    )
    comparison = assert_same_layer(cells(), cells(), seq_len=4, batch_size=2)
    assert "definition of lstm with gate function hard_sigmoid" in comparison.answers
    plain = of_keras(lambda k: k.SimpleRNNCell(H, activation="elu"), (None, D))
    assert assert_same_layer(plain(), plain(), seq_len=4, batch_size=2).verdict == "agree"


BACKWARDS = {
    "keras": (of_keras(lambda k: k.LSTM(H, return_sequences=True, go_backwards=True)), "backward"),
    "keras, last": (of_keras(lambda k: k.LSTM(H, return_state=True, go_backwards=True)), "backward"),
    "nnx": (lambda: nnx.RNN(nnx_cell("LSTMCell"), reverse=True), "backward"),
    "nnx, kept order": (
        lambda: nnx.RNN(nnx_cell("LSTMCell"), reverse=True, keep_order=True, time_major=True),
        "backward, its outputs in the order of the inputs",
    ),
    "linen": (lambda: of_linen(linen.RNN(linen.LSTMCell(H), reverse=True, time_major=True)), "backward"),
    "linen, kept order": (
        lambda: of_linen(linen.RNN(linen.LSTMCell(H), reverse=True, keep_order=True)),
        "backward, its outputs in the order of the inputs",
    ),
}


@pytest.mark.parametrize("name", [case(name, campaign=name != "keras") for name in BACKWARDS])
def test_a_layer_that_goes_backwards_is_its_cell_on_the_reversed_sequence_and_no_layer_that_goes_forward(name):
    make, direction = BACKWARDS[name]
    wrapped = wrap_layer(make())
    assert wrapped.direction == direction
    assert wrapped.supports(wrapped.model, "float32") == f"it goes {direction}"
    forward = from_params("torch", wrapped.model, wrapped.params)
    with pytest.raises(DisagreementError) as error:
        assert_same_layer(make(), forward, seq_len=4, batch_size=2)
    report = str(error.value)
    assert "Within rounding, whatever they were asked agrees." in report  # given states, none, and lengths
    assert f"direction: {wrapped.name} has {direction}, and not the others." in report
    assert "was given it reversed" in report


@pytest.mark.campaign
def test_two_that_go_backwards_are_the_same_if_their_outputs_are_in_one_order():
    cell = nnx_cell("OptimizedLSTMCell")
    one, other = nnx.RNN(cell, reverse=True), nnx.RNN(cell, reverse=True, time_major=True)
    comparison = assert_same_layer(one, other, seq_len=4, batch_size=2)
    assert list(comparison.questions) == ["from given initial states", "without an initial state", "with lengths"]
    with pytest.raises(
        DisagreementError, match="direction: flax-nnx RNN 1 has backward, flax-nnx RNN 2 has backward, its"
    ):
        assert_same_layer(one, nnx.RNN(cell, reverse=True, keep_order=True), seq_len=4, batch_size=2)


@pytest.mark.campaign
def test_exchanged_directions_are_seen():
    one, other = nnx.RNN(nnx_cell("LSTMCell", 1)), nnx.RNN(nnx_cell("LSTMCell", 2))
    with pytest.raises(DisagreementError, match="The forward pass differs already, first in o_1"):
        assert_same_layer(nnx.Bidirectional(one, other), nnx.Bidirectional(other, one), seq_len=4, batch_size=2)


def test_a_scripted_module_is_left_as_it_was():
    layer = scripted(torch.nn.LSTM(D, H))
    before = [parameter.clone() for parameter in layer.parameters()]
    assert_same_layer(layer, layer, seq_len=4, batch_size=2)
    assert all(torch.equal(one, other) for one, other in zip(before, layer.parameters(), strict=True))
    assert all(parameter.grad is None and parameter.requires_grad for parameter in layer.parameters())


ON_TORCH = """
import keras, numpy as np
from gradparity.backends.adapters import from_params, wrap_layer
from gradparity.compare import assert_same_layer

layers = keras.layers
objects = [
    (layers.RNN([layers.LSTMCell(4), layers.LSTMCell(4)], return_sequences=True, return_state=True), (None, None, 3)),
    (layers.Bidirectional(layers.GRU(4, return_sequences=True)), (None, None, 3)),
    (layers.GRU(4), (None, None, 3)),
    (layers.LSTMCell(4), (None, 3)),
]
for thing, shape in objects:
    thing.build(shape)
    wrapped = wrap_layer(thing)
    assert wrapped.name.startswith("keras-torch"), wrapped.name
    assert_same_layer(thing, from_params("torch", wrapped.model, wrapped.params), seq_len=4, batch_size=2)
"""


@pytest.mark.campaign
def test_keras_objects_are_asked_on_torch_too():
    environment = os.environ | {"KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, "-c", ON_TORCH], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


class InEquinox(eqx.Module):
    cell: eqx.nn.LSTMCell


class InNnx(nnx.Module):
    def __init__(self):
        self.rnn = nnx.RNN(nnx.GRUCell(D, H, rngs=nnx.Rngs(0)))


class InTorch(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.LSTM(D, H)

    def forward(self, x):
        return self.encoder(x)[0]


class InLinen(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.RNN(linen.LSTMCell(H))(x)


def bidirectional(**options):
    return of_keras(lambda k: k.Bidirectional(k.LSTM(H, return_sequences=True), **options))


def nnx_bidirectional(**options):
    rnns = [nnx.RNN(nnx_cell("LSTMCell", seed)) for seed in (1, 2)]
    return nnx.Bidirectional(*rnns, **options)


def called_twice():
    keras = keras_on("jax")
    layer, x = keras.layers.LSTM(D, return_sequences=True), keras.Input((None, D))
    return keras.Model(x, layer(layer(x)))


REFUSED = {
    "keras, sum": (bidirectional(merge_mode="sum"), "has merge_mode='sum', expected 'concat': pass its forward_layer"),
    "keras, list": (bidirectional(merge_mode=None), "has merge_mode=None, expected 'concat'"),
    "keras, last of both": (
        of_keras(lambda k: k.Bidirectional(k.LSTM(H))),
        "gives the last state of each direction, expected return_sequences=True: pass its forward_layer",
    ),
    "keras, stacks in both directions": (
        of_keras(lambda k: k.Bidirectional(k.RNN([k.LSTMCell(H), k.LSTMCell(H)], return_sequences=True))),
        "has stacked cells, whose directions meet after the last layer alone",
    ),
    "keras, one in a stack": (of_keras(lambda k: k.RNN([k.LSTMCell(H)])), "has a stack of one cell"),
    "keras, mixed": (of_keras(lambda k: k.RNN([k.LSTMCell(H), k.GRUCell(H)])), "has cells of several kinds"),
    "keras, dropout": (of_keras(lambda k: k.LSTMCell(H, dropout=0.1), (None, D)), "has dropout=0.1, which changes it"),
    "keras, cell not built": (lambda: keras_on("jax").layers.LSTMCell(H), r"not built.*: call its build\(\(None, D\)"),
    "keras, Dense": (
        keras_model(lambda k: k.LSTM(H), lambda k: k.Dense(2)),
        r"has a Dense, expected recurrent layers alone: pass one of its layers, such as model\.layers\[0\]",
    ),
    "keras, called twice": (called_twice, "is not one recurrent layer after the other"),
    "nnx, sum": (
        lambda: nnx_bidirectional(merge_fn=lambda one, other: one + other),
        "has a merge_fn of its own, expected the default, which concatenates",
    ),
    "nnx, exchanged": (
        lambda: nnx_bidirectional(merge_fn=lambda one, other: jnp.concatenate([other, one], -1)),
        "has a merge_fn of its own",
    ),
    "nnx, shared": (
        lambda: nnx.Bidirectional(*[nnx.RNN(nnx_cell("LSTMCell"))] * 2),
        "has one cell for both directions: pass that cell",
    ),
    "nnx, in a module": (InNnx, r"an InNnx is no layer that is known: pass the RNN that it holds, \.rnn"),
    "linen, in a module": (
        lambda: of_linen(InLinen()),
        r"has a layer's weights under LSTMCell_0: pass \(cell, {'params': variables\['params'\]\['LSTMCell_0'\]}\)",
    ),
    "equinox, in a module": (
        lambda: InEquinox(eqx.nn.LSTMCell(D, H, key=jax.random.key(0))),
        r"an InEquinox is no layer that is known: pass the LSTMCell that it holds, \.cell",
    ),
    "equinox, in a scan": (
        lambda: lambda xs: xs,
        "a function is no layer, and has no weights: pass the cell that it runs",
    ),
    "torch, in a module": (InTorch, r"an InTorch is no layer that is known: pass the LSTM that it holds, \.encoder"),
    "torch, in a scripted module": (lambda: scripted(InTorch()), r"a scripted InTorch .*: pass its layer, \.encoder"),
    "torch, traced without a state": (
        lambda: torch.jit.trace(torch.nn.LSTM(D, H), torch.ones(5, 2, D)),
        r"takes no initial state, or does not return it: trace it with \(x, state\)",
    ),
    "torch, scripted projection": (lambda: scripted(torch.nn.LSTM(D, H, proj_size=2)), "proj_size > 0"),
    "torch, scripted dropout": (lambda: scripted(torch.nn.LSTM(D, H, 2, dropout=0.5)), r"call its eval\(\) first"),
    "torch, frozen": (lambda: torch.jit.freeze(scripted(torch.nn.GRUCell(D, H).eval())), "as after torch.jit.freeze"),
    "torch, Linear in a Sequential": (
        lambda: torch.nn.Sequential(torch.nn.GRU(D, H), torch.nn.Linear(H, 2)),
        r"has a Linear in it, expected recurrent layers or cells alone: pass one of them, such as model\[0\]",
    ),
    "haiku, relu between": (
        lambda: of_haiku(lambda: hk.DeepRNN([hk.LSTM(H), jax.nn.relu, hk.LSTM(H)])),
        "is a DeepRNN with relu in it, expected cores alone",
    ),
    "haiku, skipping": (
        lambda: of_haiku(lambda: hk.deep_rnn_with_skip_connections([hk.GRU(H), hk.GRU(H)])),
        "has connections that skip cores",
    ),
    "haiku, transformed": (
        lambda: (hk.transform(lambda x: x), {}),
        r"what hk\.transform returns is a function of inputs: pass \(function that makes its core, parameters\)",
    ),
    "weights alone": (lambda: torch.nn.GRU(D, H).state_dict(), "an OrderedDict is weights without a layer: load them"),
}

SLOW_TO_MAKE = (
    *("haiku, relu between", "haiku, skipping", "linen, in a module", "keras, called twice"),
    *("equinox, in a module", "nnx, in a module"),
)


@pytest.mark.filterwarnings("ignore")  # of PyTorch, on tracing and scripting; of Flax, on shared layers
@pytest.mark.parametrize("name", [case(name, campaign=name in SLOW_TO_MAKE) for name in REFUSED])
def test_what_is_not_asked_is_refused_in_one_line_that_says_what_to_give(name):
    make, message = REFUSED[name]
    with pytest.raises(RequestError, match=rf"^[^\n]*({message})[^\n]*$"):
        to_params(make())
