"""The layouts: weights of every library and back, to the bit where the mapping is one to one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import InvalidProblemError, Problem, Recurrent, UnknownNameError, UnsupportedProblemError
from gradparity.backends.layouts import LAYOUTS, get_layout
from gradparity.backends.layouts.find_layer import find_layer
from sampling import case

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


@pytest.mark.parametrize("dtype", ["float64", case("float32", campaign=True)])
@pytest.mark.parametrize(("name", "model"), CASES)
def test_parameters_come_back_to_the_bit(name, model, dtype):
    layout, params = get_layout(name), params_of(model, dtype, name)
    params_back = layout.to_params(model, layout.from_params(model, params))
    assert params_back.keys() == params.keys()
    for parameter, array in params_back.items():
        assert array.dtype == params[parameter].dtype
        if name == "haiku" and model.cell == "lstm" and parameter.startswith(("b", "layer")):
            # It adds 1 to the forget gate's bias when it runs: to take 1 off and put it on again may round.
            np.testing.assert_allclose(array, params[parameter], rtol=0, atol=np.finfo(dtype).eps)
        else:
            np.testing.assert_array_equal(array, params[parameter])


@pytest.mark.parametrize(("name", "model"), CASES)
def test_the_weights_tell_what_they_are_of(name, model):
    fields = get_layout(name).model_fields(get_layout(name).from_params(model, params_of(model, library=name))[0])
    assert (fields["cell"], fields["input_size"], fields["hidden_size"]) == (model.cell, 3, 5)
    assert fields["bias"]  # of zeros, where the model has none
    if model.cell == "gru" and name != "onnx":
        assert fields["reset"] == model.reset


SECOND = {  # where a second bias is, of the libraries that have one
    "torch": lambda weights, bias: weights | {"bias_hh": bias},
    "keras": lambda weights, bias: weights | {"bias": np.stack([weights["bias"][0], bias])},
    "onnx": lambda weights, bias: weights | {"B": np.concatenate([weights["B"][:, : bias.size], bias[None]], axis=1)},
}
GRU_ORDER = {"torch": "rzn", "keras": "zrn", "onnx": "zrn"}


@pytest.mark.parametrize("name", SECOND)
def test_of_two_biases_of_a_gru_the_sum_is_kept_but_b_hn_is_apart(name):
    layout, model = get_layout(name), Recurrent("gru", 3, 5, 2)
    params = params_of(model)
    (weights,) = layout.from_params(model, params)
    second_bias = dict(zip("rzn", np.random.default_rng(0).standard_normal((3, 5)), strict=True))
    params_back = layout.to_params(
        model, [SECOND[name](weights, np.concatenate([second_bias[gate] for gate in GRU_ORDER[name]]))]
    )
    np.testing.assert_array_equal(params_back["b"][:5], params["b"][:5] + second_bias["r"])
    np.testing.assert_array_equal(params_back["b"][5:10], params["b"][5:10] + second_bias["z"])
    np.testing.assert_array_equal(params_back["b"][10:], params["b"][10:])
    np.testing.assert_array_equal(params_back["b_hn"], second_bias["n"])


def test_of_two_biases_without_b_hn_the_sum_is_kept():
    lstm, before = Recurrent("lstm", 3, 5, 2), Recurrent("gru", 3, 5, 2, reset="before")
    plain = Recurrent("rnn", 3, 5, 2, activation="relu")
    for name, model, add in (
        ("torch", lstm, SECOND["torch"]),
        ("onnx", lstm, SECOND["onnx"]),
        ("onnx", before, SECOND["onnx"]),
        ("haiku", plain, lambda weights, bias: weights | {"linear_1.b": bias}),
    ):
        layout, params = get_layout(name), params_of(model)
        (weights,) = layout.from_params(model, params)
        params_back = layout.to_params(model, [add(weights, np.ones(params["b"].size))])
        np.testing.assert_array_equal(params_back["b"], params["b"] + 1)


NAMES = {  # in a stack of two layers in both directions, of the second layer going backwards
    "torch": "weight_hh_l1_reverse",
    "flax-linen": "layer1.backward_rnn.cell.hf.kernel",
    "flax-nnx": "layer1.backward_rnn.cell.dense_h.kernel",
    "equinox": "layer1.reverse.weight_hh",
    "haiku": "layer1.reverse.linear.w",
    "keras": "layer1.backward_layer.cell.recurrent_kernel",
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
    weights_found, stack = find_layer(layout, arrays)
    assert stack == {"num_layers": 2, "bidirectional": True}
    for written, read in zip(weights, weights_found, strict=True):
        assert all(np.array_equal(written[name], read[name]) for name in written)


def test_what_the_model_has_not_is_left_alone():
    params = params_of(Recurrent("lstm", 3, 5, 2))
    (weights,) = get_layout("torch").from_params(Recurrent("lstm", 3, 5, 2, bias=False), params)
    assert not weights["bias_ih"].any()


def test_of_two_biases_the_sum_is_taken_but_for_the_grus_b_hn():
    layout, model = get_layout("torch"), Recurrent("gru", 3, 5, 2)
    (weights,) = layout.from_params(model, params_of(model))
    second_bias = np.arange(15.0)
    params_back = layout.to_params(model, [weights | {"bias_hh": second_bias}])
    np.testing.assert_array_equal(params_back["b"][:10], weights["bias_ih"][:10] + second_bias[:10])
    np.testing.assert_array_equal(params_back["b"][10:], weights["bias_ih"][10:])
    np.testing.assert_array_equal(params_back["b_hn"], second_bias[10:])


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
    params_back = layout.to_params(model, layout.from_params(model, params))
    assert all(np.array_equal(params_back[name], array) for name, array in params.items())


@pytest.mark.parametrize("name", LAYOUTS)
def test_other_weights_are_refused_by_their_names_and_shapes(name):
    layout = get_layout(name)
    (weights,) = layout.from_params(replace(MODELS[4], bias=True), params_of(MODELS[4]))
    with pytest.raises(InvalidProblemError, match="the weights are nonsense, expected"):
        layout.model_fields({"nonsense": np.zeros(3)})
    flat = {name: array.reshape(-1)[None, None, None] for name, array in weights.items()}
    with pytest.raises(InvalidProblemError, match="has shape"):
        layout.model_fields(flat)


def test_an_unknown_library_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'flax-linen'"):
        get_layout("flax-lines")
