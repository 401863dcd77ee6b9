"""The certificate on hand-made balls: its bounds, its precision, and its estimate of the time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flint import arb, ctx
from gradparity.backends import FeedForward, Problem, Recurrent, Window, get_backend
from gradparity.backends.errors import RequestError
from gradparity.compare import SYSTEMS
from gradparity.compare.answers import Quantity, QuantityName, Training, quantities
from gradparity.compare.certificate import enclosure
from gradparity.compare.certificate.enclosure import (
    Certificate,
    UncertifiableError,
    _missing_bits,
    _upper,
    certify,
    number_of_products,
)
from gradparity.manual import descend

NAME = QuantityName("h", True)
EPS, TINY = (float(getattr(np.finfo("float64"), name)) for name in ("eps", "tiny"))
PROBLEM = Problem.from_seed(FeedForward((2, 3, 2)), batch_size=2, seed=0)


def quantity(*blocks):
    rows = np.array(blocks, dtype=object)
    return Quantity(NAME.at("t"), rows, NAME.steps(len(rows)))


def answered(*blocks):
    return Quantity(NAME.at("t"), np.array(blocks), NAME.steps(len(blocks)))


def next_after(number):
    return float(np.nextafter(number, np.inf))


# How far an answer is from the exact one


def test_an_error_is_that_of_one_entry_the_radius_of_the_ball_included():
    certificate = Certificate({"dh_t": quantity([arb(1), arb(2, 0.25)], [arb(3), arb(-4)])}, 64)
    errors = certificate.errors("dh_t", answered([1.5, 2.5], [3.0, -4.0]))
    assert errors[0, 0] == next_after(0.5)
    assert errors[0, 1] == pytest.approx(0.75, rel=1e-8)
    assert errors[0, 1] >= 0.75
    assert errors[1].tolist() == [0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_error_of_what_is_no_number_is_infinite(bad):
    certificate = Certificate({"dh_t": quantity([arb(1), arb(2)], [arb(3), arb(4)])}, 64)
    assert certificate.errors("dh_t", answered([1.0, bad], [3.0, 4.0])).tolist() == [[0, np.inf], [0, 0]]


def test_an_error_is_measured_with_the_precision_of_the_balls():
    with ctx.workprec(200):
        close = arb(1) + arb(2) ** -150
    certificate = Certificate({"dh_t": quantity([close])}, 200)
    assert certificate.errors("dh_t", answered([1.0])) == pytest.approx(2.0**-150)


def test_the_scale_is_the_largest_magnitude_of_a_block():
    certificate = Certificate({"dh_t": quantity([arb(1), arb(-2, 0.5)], [arb(0), arb(0)])}, 64)
    first, second = certificate.scale("dh_t")
    assert 2.5 <= first < 2.5 + 1e-8
    assert second == 0


def test_an_upper_bound_is_no_smaller_than_the_ball_and_zero_stays_zero():
    assert _upper(arb(0)) == 0
    assert _upper(arb(1)) == next_after(1)
    with ctx.workprec(200):
        assert _upper(arb(1) + arb(2) ** -60) >= next_after(1)
    assert _upper(arb(1) / arb(0)) == np.inf or math.isnan(_upper(arb(1) / arb(0)))


# How narrow it is


def narrow(*balls, dtype="float64"):
    return not _missing_bits({"dh_t": quantity(list(balls))}, np.dtype(dtype))


@pytest.mark.parametrize(("dtype", "eps"), [("float64", EPS), ("float32", 2.0**-23)])
def test_a_ball_is_narrow_up_to_1024th_of_eps_of_its_blocks_largest_entry(dtype, eps):
    edge = 4 * eps / 1024
    assert narrow(arb(8, 4), arb(0, edge * (1 - 1e-6)), dtype=dtype) is False
    assert narrow(arb(4), arb(0, edge * (1 - 1e-6)), dtype=dtype)
    assert not narrow(arb(4), arb(0, edge * (1 + 1e-6)), dtype=dtype)
    assert narrow(arb(-4), arb(0, edge * (1 - 1e-6)), dtype=dtype)


def test_an_exact_zero_and_what_lies_far_below_the_smallest_number_is_narrow():
    assert narrow(arb(0), arb(0))
    edge = arb(TINY) * arb(EPS / 1024)  # in balls, since it is no float
    assert narrow(edge * arb(0, 0.999))
    assert not narrow(edge * arb(0, 1.001))


def test_every_block_of_every_quantity_is_to_be_narrow_and_finite():
    wide = arb(1, 0.5)
    assert _missing_bits({"dh_t": quantity([arb(1)], [wide])}, np.dtype("f8"))
    assert _missing_bits({"dh_t": quantity([wide], [arb(1)])}, np.dtype("f8"))
    assert _missing_bits({"a": quantity([arb(1)]), "b": quantity([wide])}, np.dtype("f8"))
    assert not narrow(arb(1), arb("nan"))
    assert not narrow(arb("inf"), arb(1))
    assert narrow(arb(1), arb(2))


# The precision and the time


@pytest.fixture
def passes(monkeypatch):
    """The precisions that were tried; it is narrow enough at the one that is set, and says so or not."""
    tried = []

    def missing(exact, dtype):
        tried.append(ctx.prec)
        return (passes.enough - ctx.prec if passes.says else np.inf) if ctx.prec < passes.enough else 0.0

    passes = type("Passes", (), {"tried": tried, "enough": 128, "says": False})()
    monkeypatch.setattr(enclosure, "_missing_bits", missing)
    return passes


@pytest.mark.parametrize(("enough", "tried"), [(1, [128]), (129, [128, 256]), (1024, [128, 256, 512, 1024])])
def test_the_precision_begins_at_128_bits_and_doubles_until_it_is_enough(passes, enough, tried):
    passes.enough = enough
    assert certify(PROBLEM).bits == tried[-1]
    assert passes.tried == tried


@pytest.mark.parametrize(("enough", "tried"), [(129, [128, 192]), (177, [128, 256]), (300, [128, 256, 320])])
def test_what_is_known_to_be_missing_is_added(passes, enough, tried):
    passes.enough, passes.says = enough, True
    assert certify(PROBLEM).bits == tried[-1]
    assert passes.tried == tried


def test_what_gets_no_narrower_is_tried_at_twice_the_precision(monkeypatch):
    tried = []
    monkeypatch.setattr(enclosure, "_missing_bits", lambda exact, dtype: tried.append(ctx.prec) or 61.0)
    with pytest.raises(UncertifiableError, match="no precision up to 32768 bits is enough"):
        certify(PROBLEM)
    assert tried == [128, *(2**n for n in range(8, 16))]


def test_so_many_bits_are_missing_as_a_ball_is_too_wide():
    eps = arb(EPS) / 1024
    assert _missing_bits({"dh_t": quantity([arb(1), eps * arb(0, 1000)])}, np.dtype("f8")) == pytest.approx(
        9.966, abs=1e-3
    )
    assert _missing_bits({"dh_t": quantity([arb(1), arb("nan")])}, np.dtype("f8")) == np.inf


def test_beyond_32768_bits_no_precision_is_tried(passes):
    passes.enough = 1e9
    with pytest.raises(UncertifiableError, match="no precision up to 32768 bits is enough for this problem"):
        certify(PROBLEM)
    assert passes.tried == [2**n for n in range(7, 16)]


def test_nine_tenths_of_the_progress_are_the_first_precision_and_nine_tenths_of_the_rest_the_second(passes):
    passes.enough = 256
    parts = []
    certify(PROBLEM, progress=parts.append)
    half = len(parts) // 2
    first, second = parts[:half], parts[half:]
    assert (first[0], second[0]) == (pytest.approx(0.9 * 0.3), pytest.approx(0.9 + 0.09 * 0.3))
    assert 0.7 < first[-1] < 0.9 < second[-1] < 0.99
    assert parts == sorted(parts)


def test_the_next_precision_is_expected_to_take_three_times_as_long(passes, monkeypatch):
    passes.enough = 256
    clock = iter([1000.0, 1101.0])
    monkeypatch.setattr(enclosure.time, "monotonic", lambda: next(clock))
    with pytest.raises(UncertifiableError, match="about 5 minutes at 256 bits, expected at most 5; take fewer steps"):
        certify(PROBLEM)
    clock = iter([1000.0, 1100.0, 1200.0])
    assert certify(PROBLEM).bits == 256


def test_the_estimate_is_a_time_for_each_product_and_each_step_of_a_training(monkeypatch):
    products = number_of_products(PROBLEM)
    monkeypatch.setattr(enclosure, "SECONDS_PER_PRODUCT", 300 / products)
    assert certify(PROBLEM).bits == 128
    with pytest.raises(UncertifiableError, match="about 10 minutes at 128 bits"):
        certify(PROBLEM, Training(0.1, 2))
    monkeypatch.setattr(enclosure, "SECONDS_PER_PRODUCT", 300.5 / products)
    with pytest.raises(UncertifiableError, match="about 5 minutes at 128 bits, expected at most 5"):
        certify(PROBLEM)
    assert issubclass(UncertifiableError, RequestError)


def test_the_products_are_three_for_each_weight_each_sample_and_each_cell():
    assert number_of_products(PROBLEM) == 3 * 2 * (3 * 2 + 3 + 2 * 3 + 2)
    model = Recurrent("rnn", 2, 3, 4)
    weights = 3 * 2 + 3 * 3 + 3 + 4 * 3 + 4
    assert number_of_products(Problem.from_seed(model, seq_len=5, batch_size=2, seed=0)) == 3 * 5 * 2 * weights
    cut = Recurrent("rnn", 2, 3, 4, truncation=Window(2))
    assert number_of_products(Problem.from_seed(cut, seq_len=5, batch_size=2, seed=0)) == 3 * 14 * 2 * weights
    both = Problem.from_seed(Recurrent("rnn", 2, 3, 4, bidirectional=True), seq_len=5, batch_size=1, seed=0)
    assert number_of_products(both) == 3 * 5 * sum(array.size for array in both.params.values())
    assert number_of_products(SYSTEMS["ordered-derivatives"].problem(seed=0)) == 3 * 4**2


def test_a_cell_without_a_definition_is_refused(monkeypatch):
    monkeypatch.delitem(enclosure.CELLS, "gru")
    with pytest.raises(UncertifiableError, match="the certificate has no definition of the cell 'gru'"):
        certify(Problem.from_seed(Recurrent("gru", 2, 3, 4), seq_len=2, batch_size=1, seed=0))
    assert certify(Problem.from_seed(Recurrent("rnn", 2, 3, 4), seq_len=2, batch_size=1, seed=0)).bits == 128


def test_the_right_answer_lies_within_a_few_units_and_a_wrong_one_does_not():
    right = quantities(get_backend("manual").evaluate(PROBLEM, trace=True), PROBLEM)
    certificate = certify(PROBLEM)
    assert certificate.exact.keys() == right.keys()
    for name, quantity in right.items():
        scale = np.abs(quantity.blocks).max(axis=1)
        assert (certificate.errors(name, quantity).max(axis=1) <= 16 * EPS * scale).all()
        assert certificate.scale(name) == pytest.approx(scale, rel=1e-13)


def test_a_trajectory_descends_by_the_learning_rate_as_a_number_of_the_dtype():
    problem = Problem.from_seed(FeedForward((2, 3, 2)), batch_size=2, seed=0, dtype="float32")
    parts = []
    certificate = certify(problem, Training(0.1, 2), parts.append)
    assert parts[:2] == pytest.approx([0.0, 0.9 / 3])
    numbers = (problem.inputs.astype("f8"), problem.targets.astype("f8"))
    double = Problem(problem.model, {name: array.astype("f8") for name, array in problem.params.items()}, *numbers)
    params = dict(double.params)
    for step in range(2):
        answer = get_backend("manual").evaluate(double.with_unchecked(params=params))
        params = descend(params, answer.gradients, float(np.float32(0.1)))
        for name, theta in params.items():
            exact = certificate.exact[name].values[step].astype(float)
            np.testing.assert_allclose(exact, theta, rtol=0, atol=1e-14)
        loss = float(certificate.exact["loss"].values[step])
        assert loss == pytest.approx(answer.loss, rel=1e-13)
