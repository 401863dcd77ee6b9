"""Libraries' own layer objects: from parameters and back to the bit, and in use with the weights that they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import Problem, Recurrent, RequestError, UnsupportedProblemError
from gradparity.backends.adapters import from_params, held_layers, to_params
from gradparity.compare import compare
from gradparity.compare.explanation import explain

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
CASES = [(name, kind) for name, kinds in ABLE.items() for kind in kinds]
of_both_dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def make(model, dtype="float64"):
    return Problem.from_seed(model, seed=2, seq_len=4, batch_size=2, dtype=dtype)


def own(problem):
    return {name: array for name, array in problem.params.items() if name not in "Vc"}


@of_both_dtypes
@pytest.mark.parametrize(("library", "kind"), CASES)
def test_parameters_become_a_layer_and_come_back_to_the_bit(library, kind, dtype):
    params = own(make(MODELS[kind], dtype))
    layer = from_params(library, MODELS[kind], params)
    found = to_params(layer, activation="relu")
    assert found.keys() == params.keys()
    for name, array in found.items():
        assert array.dtype == dtype
        if (library, kind, name) == ("haiku", "lstm", "b"):  # 1 is taken off, which Haiku adds when it runs
            np.testing.assert_allclose(array, params[name], rtol=0, atol=np.finfo(dtype).eps)
        else:
            np.testing.assert_array_equal(array, params[name])


def test_a_stack_of_torch_comes_back_to_the_bit():
    model = replace(LSTM, num_layers=2, bidirectional=True)
    params = own(make(model))
    layer = from_params("torch", model, params)
    found = to_params(layer)
    assert found.keys() == params.keys()
    assert all(np.array_equal(found[name], params[name]) for name in found)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_layer_answers_with_the_weights_that_it_holds(library):
    problem = make(LSTM)
    held = held_layers(from_params(library, LSTM, own(problem)))
    comparison = compare(problem, ["manual", held])
    assert comparison.verdict == "agree", explain(comparison)
    doubled = problem.params | {"U": 2 * problem.params["U"]}
    comparison = compare(replace(problem, params=doubled), ["manual", held])
    assert comparison.verdict == "disagree"


def test_what_a_library_cannot_express_is_refused():
    gru = MODELS["gru"]
    params = own(make(gru))
    with pytest.raises(UnsupportedProblemError, match=r"no b_hn \(google/flax#5594\), and here it is not zero"):
        from_params("flax-nnx", gru, params)
    layer = from_params("flax-nnx", gru, params | {"b_hn": np.zeros(5)})
    np.testing.assert_array_equal(to_params(layer)["b_hn"], np.zeros(5))
    with pytest.raises(UnsupportedProblemError, match=r"haiku\.GRU has its reset gate before the product, not after"):
        from_params("haiku", gru, params)
    stack = replace(LSTM, num_layers=2)
    with pytest.raises(UnsupportedProblemError, match="equinox has single layers"):
        from_params("equinox", stack, own(make(stack)))


def test_what_is_no_layer_is_refused_in_one_line():
    import torch

    with pytest.raises(RequestError, match=r"no layer that is known here: int, expected a torch\.nn layer"):
        held_layers(3)
    with pytest.raises(RequestError, match="proj_size"):
        held_layers(torch.nn.LSTM(3, 5, proj_size=2))
    with pytest.raises(RequestError, match="call its eval"):
        held_layers(torch.nn.LSTM(3, 5, num_layers=2, dropout=0.5))
    with pytest.raises(RequestError, match="did you mean 'flax-nnx'"):
        from_params("flax-nn", LSTM, {})
