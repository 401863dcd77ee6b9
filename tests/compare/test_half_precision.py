"""Layers in float16 and bfloat16: right ones agree with float64's answer, and small faults of planted ones are seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradparity.backends import InvalidProblemError, Problem, Recurrent, UnsupportedProblemError
from gradparity.backends.adapters import from_params, to_params
from gradparity.compare import DisagreementError, assert_same_layer
from gradparity.compare.tolerance import half_format, measure_tolerance, rounded_to, units_in_the_last_place
from sampling import case, chequered

TORCH_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
LAYERS = (torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN)


def layer(kind=torch.nn.LSTM, precision="float16", like=None):
    torch.manual_seed(1)
    made = kind(3, 8)
    if like is not None:
        made.load_state_dict(like.state_dict())
    return made.to(TORCH_DTYPES[precision])


class Scaled(torch.nn.LSTM):
    factor = 1.0

    def forward(self, x, hx=None):
        h, states = super().forward(x, hx)
        return h * self.factor, states


class StateOfFirst(torch.nn.LSTM):
    """The gradient does not flow into the initial states."""

    def forward(self, x, hx=None):
        return super().forward(x, hx and tuple(state.detach() for state in hx))


@pytest.mark.parametrize(("precision", "kind"), chequered(TORCH_DTYPES, LAYERS))
def test_a_right_layer_uses_a_small_part_of_what_rounding_allows(kind, precision):
    comparison = assert_same_layer(layer(kind, precision), layer(kind, precision))
    assert (comparison.verdict, comparison.precision) == ("agree", precision)
    assert f"float64, rounded to {precision}" in comparison.answers
    assert 0 < comparison.closest.ratio < 0.3
    assert list(comparison.questions) == ["from given initial states", "without an initial state", "with lengths"]


def test_a_layer_in_float32_is_compared_with_its_copy_in_half_precision():
    full = torch.nn.LSTM(3, 8)
    comparison = assert_same_layer(full, layer(like=full))
    assert (comparison.verdict, comparison.precision) == ("agree", "float16")


@pytest.mark.parametrize(
    ("factor", "expected"), [case(1.0, "agree", campaign=True), (1.1, "disagree"), case(0.9, "disagree", campaign=True)]
)
def test_an_error_of_a_tenth_is_told_from_rounding(factor, expected):
    right = layer()
    other = layer(Scaled, like=right)
    other.factor = factor
    if expected == "agree":
        assert assert_same_layer(right, other).verdict == expected
        return
    with pytest.raises(DisagreementError, match="float16, T=7 B=3") as error:
        assert_same_layer(right, other)
    assert error.value.comparison.verdict == expected
    assert "float64, rounded to float16" in str(error.value)


@pytest.mark.campaign
def test_a_gradient_that_is_lost_is_told_in_bfloat16_too():
    right = layer(precision="bfloat16")
    with pytest.raises(DisagreementError, match="dh0"):
        assert_same_layer(right, layer(StateOfFirst, "bfloat16", like=right))


def test_one_weight_that_is_next_to_the_right_one_is_told():
    one, other = layer(), layer()
    with torch.no_grad():
        other.weight_hh_l0[3, 2] *= 1 + 2**-9
    with pytest.raises(DisagreementError, match=r"W of torch LSTM 2 differs in one entry of 256, W\[3, 2\]"):
        assert_same_layer(one, other)


def test_two_half_precisions_have_no_common_measure():
    with pytest.raises(UnsupportedProblemError, match="torch LSTM 1 in float16, torch LSTM 2 in bfloat16"):
        assert_same_layer(layer(), layer(precision="bfloat16"))


def test_weights_of_two_precisions_are_refused_in_one_line():
    mixed = layer()
    mixed.bias_ih_l0 = torch.nn.Parameter(mixed.bias_ih_l0.float())
    with pytest.raises(InvalidProblemError, match="has weights of float16 and float32, expected one dtype"):
        assert_same_layer(mixed, layer())


@pytest.mark.campaign
@pytest.mark.parametrize("precision", TORCH_DTYPES)
def test_libraries_of_jax_compute_in_half_precision_too(precision):
    import jax
    import jax.numpy as jnp
    from flax import nnx

    params = {name: array.astype("float32") for name, array in to_params(layer(precision=precision)).items()}
    cell = from_params("equinox", Recurrent("lstm", 3, 8, 1), params)
    half = jax.tree.map(lambda leaf: leaf.astype(precision) if hasattr(leaf, "astype") else leaf, cell)
    assert assert_same_layer(layer(precision=precision), half).precision == precision
    computing = nnx.OptimizedLSTMCell(3, 8, dtype=jnp.dtype(precision), rngs=nnx.Rngs(0))
    assert assert_same_layer(computing, computing).precision == precision


def test_the_tolerance_grows_with_the_unit_of_the_format():
    model = Recurrent("lstm", 3, 5, 2, loss="squared_error")
    problem = Problem.from_seed(model, seed=0, seq_len=4, batch_size=2)
    allowed = [
        float(measure_tolerance(problem, rounded_in=format_).allowed["dW"].max())
        for format_ in (None, half_format("float16"), half_format("bfloat16"))
    ]
    assert 1e9 < allowed[1] / allowed[0] < 1e13
    assert 4 < allowed[2] / allowed[1] < 16  # the units are 8 apart


@pytest.mark.parametrize("precision", TORCH_DTYPES)
def test_numbers_are_rounded_as_torch_rounds_them(precision):
    rng = np.random.default_rng(0)
    numbers = np.concatenate([rng.standard_normal(2000) * 10.0 ** rng.uniform(-12, 4, 2000), [0.0, -0.0, 1.0, 65504.0]])
    wide = numbers.astype("float32")
    expected = torch.tensor(wide).to(TORCH_DTYPES[precision]).double().numpy()
    assert np.array_equal(rounded_to(wide, precision), expected)


def test_units_of_half_precision_are_those_of_numpy():
    scale = np.array([1.0, 1.9990234375, 2.0, 1000.0, 3e-5])
    expected = np.spacing(scale.astype("float16"))
    found = units_in_the_last_place(scale, half_format("float16"))
    assert np.array_equal(found[:4], expected[:4].astype("float64"))
    assert found[4] == expected[4]  # subnormal: the unit of the smallest normal number
