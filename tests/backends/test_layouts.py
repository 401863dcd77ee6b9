"""The layouts: weights of every library and back, to the bit where the mapping is one to one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import InvalidProblemError, Problem, Recurrent, UnknownNameError, UnsupportedProblemError
from gradparity.backends.layouts import LAYOUTS, get_layout
from gradparity.backends.layouts.layer_search import find_layer

SHAPES = {"single": {}, "stack": {"num_layers": 2, "bidirectional": True}}
CELLS = {
    "rnn": {"activation": "relu"},
    "lstm": {},
    "gru": {},
    "gru before": {"reset": "before"},
}
MODELS = [
    Recurrent(cell.split()[0], 3, 5, 2, bias=bias, **options, **shape)
    for cell, options in CELLS.items()
    for bias in (True, False)
    for shape in SHAPES.values()
]
CASES = [(name, model) for name, layout in LAYOUTS.items() for model in MODELS if not layout.unsupported(model)]


def params_of(model, dtype="float64", library=""):
    """Parameters that the library has a place for."""
    params = Problem.from_seed(model, seed=1, seq_len=2, batch_size=2, dtype=dtype).params
    return {
        name: np.zeros_like(array) if library == "flax-nnx" and "b_hn" in name else array
        for name, array in params.items()
        if name not in "Vc"
    }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "model"), CASES)
def test_parameters_come_back_to_the_bit(name, model, dtype):
    layout, params = get_layout(name), params_of(model, dtype, name)
    found = layout.to_params(model, layout.from_params(model, params))
    assert found.keys() == params.keys()
    for parameter, array in found.items():
        assert array.dtype == params[parameter].dtype
        if name == "haiku" and model.cell == "lstm" and parameter.startswith(("b", "layer")):
            # It adds 1 to the forget gate's bias when it runs: to take 1 off and put it on again may round.
            np.testing.assert_allclose(array, params[parameter], rtol=0, atol=np.finfo(dtype).eps)
        else:
            np.testing.assert_array_equal(array, params[parameter])


@pytest.mark.parametrize(("name", "model"), CASES)
def test_the_weights_tell_what_they_are_of(name, model):
    told = get_layout(name).describe(get_layout(name).from_params(model, params_of(model, library=name))[0])
    assert (told["cell"], told["input_size"], told["hidden_size"]) == (model.cell, 3, 5)
    assert told["bias"]  # of zeros, where the model has none
    if model.cell == "gru" and name != "onnx":
        assert told["reset"] == model.reset


SECOND = {  # where a second bias is, of the libraries that have one
    "torch": lambda held, second: held | {"bias_hh": second},
    "keras": lambda held, second: held | {"bias": np.stack([held["bias"][0], second])},
    "onnx": lambda held, second: held | {"B": np.concatenate([held["B"][:, : second.size], second[None]], axis=1)},
}
GRU_ORDER = {"torch": "rzn", "keras": "zrn", "onnx": "zrn"}


@pytest.mark.parametrize("name", SECOND)
def test_of_two_biases_of_a_gru_the_sum_is_kept_but_b_hn_is_apart(name):
    layout, model = get_layout(name), Recurrent("gru", 3, 5, 2)
    params = params_of(model)
    (held,) = layout.from_params(model, params)
    second = dict(zip("rzn", np.random.default_rng(0).standard_normal((3, 5)), strict=True))
    found = layout.to_params(model, [SECOND[name](held, np.concatenate([second[gate] for gate in GRU_ORDER[name]]))])
    np.testing.assert_array_equal(found["b"][:5], params["b"][:5] + second["r"])
    np.testing.assert_array_equal(found["b"][5:10], params["b"][5:10] + second["z"])
    np.testing.assert_array_equal(found["b"][10:], params["b"][10:])
    np.testing.assert_array_equal(found["b_hn"], second["n"])


def test_of_two_biases_without_b_hn_the_sum_is_kept():
    lstm, before = Recurrent("lstm", 3, 5, 2), Recurrent("gru", 3, 5, 2, reset="before")
    plain = Recurrent("rnn", 3, 5, 2, activation="relu")
    for name, model, add in (
        ("torch", lstm, SECOND["torch"]),
        ("onnx", lstm, SECOND["onnx"]),
        ("onnx", before, SECOND["onnx"]),
        ("haiku", plain, lambda held, second: held | {"linear_1.b": second}),
    ):
        layout, params = get_layout(name), params_of(model)
        (held,) = layout.from_params(model, params)
        found = layout.to_params(model, [add(held, np.ones(params["b"].size))])
        np.testing.assert_array_equal(found["b"], params["b"] + 1)


NAMES = {  # in a stack of two layers in both directions, of the second layer going backwards
    "torch": "weight_hh_l1_reverse",
    "flax-linen": "layer1.reverse.hf.kernel",
    "flax-nnx": "layer1.reverse.dense_h.kernel",
    "equinox": "layer1.reverse.weight_hh",
    "haiku": "layer1.reverse.linear.w",
    "keras": "layer1.reverse.recurrent_kernel",
}


@pytest.mark.parametrize("name", NAMES)
def test_the_names_of_weights_in_a_file_stay_as_they_are(name):
    model = Recurrent("lstm", 3, 5, 2, num_layers=2, bidirectional=True)
    layout = get_layout(name)
    assert NAMES[name] in layout.named(model, layout.from_params(model, params_of(model)))


def test_both_directions_of_onnx_are_in_one_array():
    model = Recurrent("gru", 3, 5, 2, num_layers=2, bidirectional=True)
    layout = get_layout("onnx")
    weights = layout.from_params(model, params_of(model))
    arrays = layout.named(model, weights)
    assert {name: array.shape for name, array in arrays.items() if "layer1" in name} == {
        "layer1.W": (2, 15, 10),
        "layer1.R": (2, 15, 5),
        "layer1.B": (2, 30),
    }
    found, stack = find_layer(layout, arrays)
    assert stack == {"num_layers": 2, "bidirectional": True}
    for given, read in zip(weights, found, strict=True):
        assert all(np.array_equal(given[name], read[name]) for name in given)


def test_what_the_model_has_not_is_left_alone():
    params = params_of(Recurrent("lstm", 3, 5, 2))
    (weights,) = get_layout("torch").from_params(Recurrent("lstm", 3, 5, 2, bias=False), params)
    assert not weights["bias_ih"].any()


def test_of_two_biases_the_sum_is_taken_but_for_the_grus_b_hn():
    layout, model = get_layout("torch"), Recurrent("gru", 3, 5, 2)
    (weights,) = layout.from_params(model, params_of(model))
    second = np.arange(15.0)
    found = layout.to_params(model, [weights | {"bias_hh": second}])
    np.testing.assert_array_equal(found["b"][:10], weights["bias_ih"][:10] + second[:10])
    np.testing.assert_array_equal(found["b"][10:], weights["bias_ih"][10:])
    np.testing.assert_array_equal(found["b_hn"], second[10:])


def test_a_gradient_of_two_biases_is_not_their_sum():
    layout, model = get_layout("torch"), Recurrent("lstm", 3, 5, 2)
    (weights,) = layout.from_params(model, params_of(model))
    gradients = layout.gradients(model, [weights | {"bias_hh": weights["bias_ih"]}])
    np.testing.assert_array_equal(gradients["b"], weights["bias_ih"])


def test_nnx_loses_no_b_hn_silently():
    layout, model = get_layout("flax-nnx"), Recurrent("gru", 3, 5, 2)
    params = params_of(model)
    with pytest.raises(UnsupportedProblemError, match=r"no b_hn \(google/flax#5594\), and here it is not zero"):
        layout.from_params(model, params)
    params["b_hn"] = np.zeros(5)
    found = layout.to_params(model, layout.from_params(model, params))
    assert all(np.array_equal(found[name], array) for name, array in params.items())


@pytest.mark.parametrize("name", LAYOUTS)
def test_other_weights_are_refused_by_their_names_and_shapes(name):
    layout = get_layout(name)
    (weights,) = layout.from_params(replace(MODELS[4], bias=True), params_of(MODELS[4]))
    with pytest.raises(InvalidProblemError, match="the weights are nonsense, expected"):
        layout.describe({"nonsense": np.zeros(3)})
    flat = {each: array.reshape(-1)[None, None, None] for each, array in weights.items()}
    with pytest.raises(InvalidProblemError, match="has shape"):
        layout.describe(flat)


def test_an_unknown_library_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'flax-linen'"):
        get_layout("flax-lines")
