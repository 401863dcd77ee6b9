"""Libraries' own layer objects: from parameters and back to the bit, and in use with the weights that they hold."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from types import SimpleNamespace

import equinox as eqx
import flax.linen as linen
import haiku as hk
import jax
import numpy as np
import pytest
import torch
from flax import nnx
from gradparity.backends import Problem, Recurrent, RequestError, UnsupportedProblemError, Window
from gradparity.backends.adapters import from_params, to_params, wrap_layer
from gradparity.backends.adapters.keras_engine import engine, keras_on
from gradparity.backends.adapters.layers_on_jax import on_jax
from gradparity.compare import compare
from gradparity.compare.referee.explanation import explain
from sampling import case
from torch.nn.utils.parametrizations import weight_norm

LIBRARIES = ("torch", "flax-linen", "flax-nnx", "equinox", "haiku")
LSTM = Recurrent("lstm", 3, 5, 2)
MODELS = {
    "rnn": Recurrent("rnn", 3, 5, 2, activation="relu"),
    "lstm": LSTM,
    "gru": Recurrent("gru", 3, 5, 2),
    "gru, reset before": Recurrent("gru", 3, 5, 2, reset="before"),
}
ABLE = {
    "torch": ("rnn", "lstm", "gru"),
    "flax-linen": ("rnn", "lstm", "gru"),
    "flax-nnx": ("rnn", "lstm"),
    "equinox": ("lstm", "gru"),
    "haiku": ("rnn", "lstm", "gru, reset before"),
}
CASES = [(name, model_name) for name, model_names in ABLE.items() for model_name in model_names]
of_both_dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def make(model, dtype="float64"):
    return Problem.from_seed(model, seed=2, seq_len=4, batch_size=2, dtype=dtype)


def layer_params(problem):
    return {name: array for name, array in problem.params.items() if name not in "Vc"}


@of_both_dtypes
@pytest.mark.parametrize(("library", "model_name"), CASES)
def test_parameters_become_a_layer_and_come_back_to_the_bit(library, model_name, dtype):
    params = layer_params(make(MODELS[model_name], dtype))
    layer = from_params(library, MODELS[model_name], params)
    params_back = to_params(layer, activation="relu")
    assert params_back.keys() == params.keys()
    for name, array in params_back.items():
        assert array.dtype == dtype
        if (library, model_name, name) == ("haiku", "lstm", "b"):  # 1 is taken off, which Haiku adds when it runs
            np.testing.assert_allclose(array, params[name], rtol=0, atol=np.finfo(dtype).eps)
        else:
            np.testing.assert_array_equal(array, params[name])


def test_a_stack_of_torch_comes_back_to_the_bit():
    model = replace(LSTM, num_layers=2, bidirectional=True)
    params = layer_params(make(model))
    layer = from_params("torch", model, params)
    params_back = to_params(layer)
    assert params_back.keys() == params.keys()
    assert all(np.array_equal(params_back[name], params[name]) for name in params_back)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_layer_answers_with_the_weights_that_it_holds(library):
    problem = make(LSTM)
    wrapped = wrap_layer(from_params(library, LSTM, layer_params(problem)))
    comparison = compare(problem, ["manual", wrapped])
    assert comparison.verdict == "agree", explain(comparison)
    doubled = problem.params | {"U": 2 * problem.params["U"]}
    comparison = compare(replace(problem, params=doubled), ["manual", wrapped])
    assert comparison.verdict == "disagree"


def torch_cell(params, bias=True):
    cell = torch.nn.LSTMCell(3, 5, bias=bias, dtype=torch.float64)
    names = {"weight_ih": "U", "weight_hh": "W", **({"bias_ih": "b"} if bias else {})}
    with torch.no_grad():
        for theirs, ours in names.items():
            getattr(cell, theirs).copy_(torch.tensor(params[ours]))
        if bias:
            cell.bias_hh.zero_()
    return cell


def in_linen_rnn(params):
    cell, variables = from_params("flax-linen", LSTM, params)
    return linen.RNN(cell), {"params": {"cell": variables["params"]}}


def partitioned(params):
    cell, variables = from_params("flax-linen", LSTM, params)
    return cell, jax.tree.map(lambda array: linen.Partitioned(array, names=(None,) * array.ndim), variables)


def equinox_without_bias(params):
    cell = eqx.nn.LSTMCell(3, 5, use_bias=False, key=jax.random.key(0))
    arrays = on_jax({"weight_ih": params["U"], "weight_hh": params["W"]})
    return eqx.tree_at(lambda tree: [tree.weight_ih, tree.weight_hh], cell, list(arrays.values()))


OBJECTS = {
    "torch cell": torch_cell,
    "torch cell, no bias": lambda params: torch_cell(params, bias=False),
    "torch layer, frozen": lambda params: from_params("torch", LSTM, params).requires_grad_(False),
    "linen RNN": in_linen_rnn,
    "linen, partitioned": partitioned,
    "nnx RNN": lambda params: nnx.RNN(from_params("flax-nnx", LSTM, params)),
    "equinox, no bias": equinox_without_bias,
    "keras": lambda params: from_params("keras", LSTM, single(params)),
    "keras, return_state": lambda params: with_state(from_params("keras", LSTM, single(params))),
    "keras, frozen": lambda params: frozen(from_params("keras", LSTM, single(params))),
}
SIMILAR = ("torch cell, no bias", "keras, frozen")  # each has its like among the others


def single(params):
    return {name: array.astype("float32") for name, array in params.items()}


def with_state(layer):
    layer.return_state = True
    return layer


def frozen(layer):
    layer.trainable = False
    return layer


@pytest.mark.parametrize("object_name", [case(name, campaign=name in SIMILAR) for name in OBJECTS])
def test_every_kind_of_object_answers_as_the_hand_derivation_does(object_name):
    dtype = "float32" if "keras" in object_name else "float64"
    problem = make(LSTM, dtype)
    if "no bias" in object_name:
        problem = replace(problem, params=problem.params | {"b": np.zeros(20)})
    wrapped = wrap_layer(OBJECTS[object_name](make(LSTM).params))
    assert (wrapped.dtype, wrapped.model.bias) == (dtype, "no bias" not in object_name)
    comparison = compare(problem, ["manual", wrapped])
    assert comparison.verdict == "agree", explain(comparison)
    assert {"dU_i", "dW_o", "dx_1", "dh0", "dc0"} <= {block.label for block in comparison.blocks}
    loss, gradients = wrapped.prepare(problem)()
    np.testing.assert_allclose(loss, comparison.answers["manual"].loss, rtol=1e-5)
    np.testing.assert_allclose(gradients["U"], comparison.answers["manual"].gradients["U"], rtol=1e-2, atol=1e-5)


def test_a_layer_is_asked_what_it_computes_and_nothing_else():
    wrapped = wrap_layer(from_params("torch", MODELS["rnn"], layer_params(make(MODELS["rnn"]))))
    assert not wrapped.supports(MODELS["rnn"], "float64")
    for change in (
        {"activation": "tanh"},
        {"truncation": Window(2)},
        {"concatenated": True},
        {"num_layers": 2},
        {"bidirectional": True},
        {"hidden_size": 4},
    ):
        assert wrapped.supports(replace(MODELS["rnn"], **change), "float64")


def test_building_a_torch_layer_draws_no_random_number():
    torch.manual_seed(0)
    from_params("torch", LSTM, layer_params(make(LSTM)))
    drawn = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(drawn, torch.rand(1))


def test_what_a_library_cannot_express_is_refused():
    gru = MODELS["gru"]
    params = layer_params(make(gru))
    with pytest.raises(UnsupportedProblemError, match=r"no b_hn \(google/flax#5594\), and here it is not zero"):
        from_params("flax-nnx", gru, params)
    layer = from_params("flax-nnx", gru, params | {"b_hn": np.zeros(5)})
    np.testing.assert_array_equal(to_params(layer)["b_hn"], np.zeros(5))
    with pytest.raises(UnsupportedProblemError, match=r"haiku\.GRU has its reset gate before the product, not after"):
        from_params("haiku", gru, params)
    stack = replace(LSTM, num_layers=2)
    with pytest.raises(UnsupportedProblemError, match="equinox has single layers"):
        from_params("equinox", stack, layer_params(make(stack)))


def core():
    return hk.LSTM(5, name="core")


def of_two_dtypes():
    layer = torch.nn.LSTM(3, 5)
    layer.bias_ih_l0 = torch.nn.Parameter(layer.bias_ih_l0.double())
    return layer


def keras_layer(class_name, *args, **options):
    layer = getattr(keras_on("jax").layers, class_name)(*args, **{"return_sequences": True, **options})
    layer.build((None, None, 5))
    return layer


def stateful():
    layer = keras_on("jax").layers.LSTM(5, return_sequences=True, stateful=True)
    layer.build((2, 4, 3))
    return layer


NO_LAYERS = {
    "a number": (lambda: 3, r"a int is no layer that is known, expected a torch\.nn layer"),
    "projection": (lambda: torch.nn.LSTM(3, 5, proj_size=2), "proj_size"),
    "dropout": (lambda: torch.nn.LSTM(3, 5, num_layers=2, dropout=0.5), "call its eval"),
    "parametrized": (
        lambda: weight_norm(torch.nn.LSTM(3, 5), "weight_hh_l0"),
        "no parameter weight_hh_l0: if it is param",
    ),
    "complex": (lambda: torch.nn.LSTM(3, 5, dtype=torch.complex64), "weight_ih_l0 is torch.complex64, expected"),
    "no numbers": (lambda: torch.nn.LSTM(3, 5, device="meta"), "weight_ih_l0 is on the meta device"),
    "torch, state": (
        lambda: (torch.nn.LSTM(3, 5), torch.nn.LSTM(3, 5).state_dict()),
        "a tuple is no layer that is known: pass the LSTM in it, without the rest",
    ),
    "linen, no params": (lambda: (linen.OptimizedLSTMCell(5), {}), "the variables are none, expected all that init"),
    "linen, none": (lambda: (linen.OptimizedLSTMCell(5), None), "a tuple is no layer that is known"),
    "nnx, own": (
        lambda: type("Mine", (nnx.RNN,), {})(nnx.GRUCell(3, 5, rngs=nnx.Rngs(0))),
        r"Mine is no flax\.nnx\.RNN of Flax's own: pass its cell",
    ),
    "nnx, other": (lambda: nnx.Linear(3, 5, rngs=nnx.Rngs(0)), "the weights are bias, kernel, expected"),
    "haiku, none": (lambda: (core, {}), "haiku's parameters are no arrays by module and name"),
    "haiku, flat": (lambda: (core, {"w": np.ones(3)}), "haiku's parameters are no arrays by module and name"),
    "haiku, two": (
        lambda: (core, {n: {"w": np.ones(3)} for n in ("a", "b")}),
        "belong to a and b, but the function makes core",
    ),
    "haiku, transform": (lambda: tuple(hk.transform(core)), "a tuple is no layer that is known"),
    "keras, activation": (
        lambda: keras_layer("SimpleRNN", 5, activation=keras_on("jax").layers.LeakyReLU()),
        "unknown activation 'LeakyReLU': expected one of tanh",
    ),
    "keras, stateful": (lambda: stateful(), "has stateful=True"),
    "keras, not built": (lambda: keras_on("jax").layers.LSTM(5, return_sequences=True), "is not built"),
}


@pytest.mark.parametrize("case", NO_LAYERS)
def test_what_is_no_layer_is_refused_in_one_line(case):
    layer, message = NO_LAYERS[case]
    with pytest.raises(RequestError, match=rf"^[^\n]*{message}[^\n]*$"):
        wrap_layer(layer())


def test_keras_takes_its_engine_from_the_environment_and_leaves_that_alone(monkeypatch):
    for before in ("tensorflow", None):
        monkeypatch.setenv("KERAS_BACKEND", before) if before else monkeypatch.delenv("KERAS_BACKEND")
        keras_on("jax")
        assert os.environ.get("KERAS_BACKEND") == before
    assert engine() == "jax"
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert engine() == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert engine() == "jax"
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(config=SimpleNamespace(backend=lambda: "numpy")))
    with pytest.raises(RequestError, match="Keras computes on numpy in this process, expected jax or torch"):
        engine()


def test_layers_of_two_dtypes_have_none():
    with pytest.raises(RequestError, match="has weights of float32 and float64, expected one dtype"):
        _ = wrap_layer(of_two_dtypes()).dtype


def test_what_cannot_be_told_is_refused():
    with pytest.raises(RequestError, match="unknown field of the model 'activaton': did you mean 'activation'"):
        wrap_layer(torch.nn.RNN(3, 5), activaton="relu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W": None}, r"params has no 'W', expected U, W, b$"),
        ({"U": np.ones((20, 4))}, r"params\['U'\] has shape \(20, 4\), expected \(20, 3\)$"),
        ({"b": np.ones(7)}, r"params\['b'\] has shape \(7,\), expected \(20,\)$"),
        ({"b": np.ones(20, "float32")}, "params are float32 and float64, expected one dtype"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(change, message):
    params = {name: array for name, array in (layer_params(make(LSTM)) | change).items() if array is not None}
    with pytest.raises(RequestError, match=message):
        from_params("equinox", LSTM, params)


def test_models_that_are_no_layers_are_refused():
    with pytest.raises(RequestError, match="not concatenated"):
        from_params("torch", Recurrent("rnn", 3, 5, 2, concatenated=True), {})
    with pytest.raises(RequestError, match="did you mean 'flax-nnx'"):
        from_params("flax-nn", LSTM, {})
