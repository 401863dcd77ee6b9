"""Stochastic arithmetic, one operation at a time: which entries move, by how much, and what is remembered."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare.tolerance.rounding import RandomlyRounded, Range, Roundings, _is_power_of_two, _units

EPS, TINY = (float(getattr(np.finfo("float64"), name)) for name in ("eps", "tiny"))


def noisy(array, underflow="gradual", row=None, dtype="float64"):
    """The array with random rounding from now on, its entries still the same."""
    rounded = np.array(array, dtype).view(RandomlyRounded)
    rounded.roundings = Roundings(0, underflow, row)
    return rounded


def plain(array):
    return np.asarray(array).view(np.ndarray)


# By how many units


@pytest.mark.parametrize(
    ("terms", "units"),
    [(1, 1), (2, 2**0.5), (100, 10), (1023, 1023**0.5), (1024, 32), (1025, 1025 / 32), (4096, 128)],
)
def test_a_sum_moves_by_the_root_of_its_terms_and_one_of_more_than_1024_by_a_32nd_of_them(terms, units):
    assert _units(np.add, "reduce", [np.ones(terms)], np.ones(())) == pytest.approx(units, rel=1e-15)
    assert _units(np.add, "reduce", [np.ones((3, terms))], np.ones(3)) == pytest.approx(units, rel=1e-15)
    product = [np.ones((5, terms)), np.ones((terms, 2))]
    assert _units(np.matmul, "__call__", product, np.ones((5, 2))) == pytest.approx(units, rel=1e-15)
    beside_each_other = [np.ones((4, 5, terms)), np.ones((4, terms, 2))]
    assert _units(np.matmul, "__call__", beside_each_other, np.ones((4, 5, 2))) == pytest.approx(units, rel=1e-15)


def test_an_entrywise_operation_moves_by_one_unit_and_a_sum_over_nothing_too():
    assert _units(np.multiply, "__call__", [np.ones(100), np.ones(100)], np.ones(100)) == 1
    assert _units(np.add, "reduce", [np.ones((100, 0))], np.ones(0)) == 1


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_an_entry_moves_up_or_down_by_its_units_where_it_is_inexact(dtype):
    values, eps = np.ones(400, dtype), np.finfo(dtype).eps
    inexact = np.arange(400) % 2 == 0
    Roundings(0).perturb(values, inexact, 3.0)
    assert set(values[1::2]) == {1}
    assert set(values[::2]) == {1 - 3 * eps, 1 + 3 * eps}
    Roundings(0).perturb(values := np.ones(400, dtype))
    assert set(values) == {1 - eps, 1 + eps}


def test_a_sum_moves_by_all_its_units_whether_along_an_axis_or_in_a_product_of_matrices():
    ones = np.ones((400, 4))
    for total in (noisy(ones).sum(axis=1), noisy(ones) @ np.ones(4), np.add.reduce(noisy(ones.T))):
        assert set(plain(total)) == {4 - 8 * EPS, 4 + 8 * EPS}


# Which entries


def moved(result, exact):
    """Which entries differ from those of the plain operation; each is repeated, since a rounding may not show."""
    return (plain(result) != exact).any(axis=0).tolist()


PAIRS = {
    np.add: [
        ((0, 3), False),
        ((3, 0), False),
        ((1, 2), False),
        ((1, 2.0**-60), True),
        ((2.0**-60, 1), True),
        ((0.1, 0.2), True),
        ((3, -3), False),
    ],
    np.subtract: [((3, 1), False), ((1, 3), False), ((1, 2.0**-60), True), ((2.0**-60, 1), True), ((0.3, -0.1), True)],
    np.multiply: [
        ((3, 5), True),
        ((4, 3), False),
        ((3, 0.5), False),
        ((4, 2), False),
        ((-8, 3), False),
        ((0, 3), False),
    ],
    np.divide: [
        ((5, 3), True),
        ((3, 5), True),
        ((4, 3), True),
        ((3, 4), False),
        ((3, 3), False),
        ((2, 2), False),
        ((2, 8), False),
    ],
    np.maximum: [((3, 5), False), ((0.3, 0.1), False)],
    np.minimum: [((3, 5), False), ((0.3, 0.1), False)],
    np.power: [((3, 2), True), ((2, 2), True)],
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    ("ufunc", "pair", "inexact"), [(ufunc, *case) for ufunc, cases in PAIRS.items() for case in cases]
)
def test_an_operation_of_two_moves_its_result_unless_it_is_exact(ufunc, pair, inexact, dtype):
    one, other = (np.full((40, 1), number, dtype) for number in pair)
    exact = ufunc(one, other)
    for result in (ufunc(noisy(one, dtype=dtype), other), ufunc(one, noisy(other, dtype=dtype))):
        assert isinstance(result, RandomlyRounded)
        assert result.dtype == dtype
        assert moved(result, exact) == [inexact]


@pytest.mark.parametrize(
    ("ufunc", "argument", "inexact"),
    [
        (np.exp, 0, False),
        (np.exp, 1, True),
        (np.exp, -1, True),
        (np.reciprocal, 4, False),
        (np.reciprocal, 3, True),
        (np.tanh, 4, True),
        (np.log1p, 2, True),
        (np.negative, 3, False),
        (np.positive, 3, False),
        (np.absolute, -3, False),
        (np.sign, -3, False),
    ],
)
def test_a_function_moves_its_result_unless_it_is_exact(ufunc, argument, inexact):
    argument = np.full((40, 1), argument, "float64")
    assert moved(ufunc(noisy(argument)), ufunc(argument)) == [inexact]


def test_a_sum_of_at_most_one_number_that_is_not_zero_is_exact():
    columns = np.array([[0, 3, 3, 0, 3], [0, 0, 5, 7, 5], [0, 0, 0, 0, 9.0]])
    exact = [0, 3, 8, 7, 17]
    sums = np.add.reduce(noisy(columns)), noisy(columns).sum(axis=0, keepdims=True)[0], noisy(columns.T).sum(axis=1)
    for total in sums:
        assert (plain(total) != exact).tolist() == [False, False, True, False, True]
    assert noisy(columns.T).sum(axis=-1, keepdims=True).shape == (5, 1)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_power_of_two_has_no_fraction(dtype):
    numbers = np.array([1, 2, 0.5, 0, -4, 2.0**-100, 3, 1.5, 1 + np.finfo(dtype).eps, -0.1], dtype)
    assert _is_power_of_two(numbers).tolist() == [True] * 6 + [False] * 4


# What underflows


def test_below_the_smallest_normal_number_an_entry_is_flushed_and_that_number_itself_is_not():
    below = np.nextafter(TINY, 0)
    values = np.array([TINY, -TINY, below, -below, 1.0])
    Roundings(0, "flushed").flush(values)
    assert values.tolist() == [TINY, -TINY, 0, 0, 1]
    values = np.array([np.finfo("f4").tiny, np.nextafter(np.finfo("f4").tiny, np.float32(0))])
    Roundings(0, "flushed").flush(values)
    assert values.tolist() == [np.finfo("f4").tiny, 0]


def test_where_products_are_reordered_some_subnormal_numbers_are_flushed_and_others_not():
    values = np.array([[TINY / 2] * 200, [1.0] * 200, [TINY / 2] * 200])
    Roundings(0, "reordered", row=0).flush(values)
    assert set(values[0]) == {0, TINY / 2}
    assert 50 < np.count_nonzero(values[0]) < 150
    assert set(values[2]) == {TINY / 2}


def lost(one, other, factors, *, row=None, underflow="reordered"):
    one, other = np.broadcast_arrays(np.array(one, "float64"), np.array(other, "float64"))
    product = one * other
    Roundings(0, underflow, row).lose(product, one, other, Range(*factors))
    return product - one * other


def test_what_a_product_may_lose_is_the_smallest_normal_number_times_the_largest_of_its_factors():
    assert set(lost([1.0] * 100, 2.0**-1000, (np.nextafter(TINY, 0), 2.0**60))) == {TINY * 2.0**60, -TINY * 2.0**60}
    for low in (TINY, 2 * TINY, 1.0):
        assert not lost([1.0] * 100, 2.0**-1000, (low, 2.0**60)).any()


def test_a_product_with_zero_loses_nothing_and_only_the_row_that_underflows_loses():
    assert (lost([-1, 1, -1, 0], np.array([1, -1, -1, -1]) * 2.0**-1000, (0.0, 2.0**60)) != 0).tolist() == [
        True
    ] * 3 + [False]
    assert (lost([0, 1, 0, 1], [0, 0, 2.0**-1000, 2.0**-1000], (0.0, 2.0**60)) != 0).tolist() == [
        False,
        False,
        False,
        True,
    ]
    assert (lost(np.ones((3, 2)), 2.0**-1000, (0.0, 2.0**60), row=1) != 0).any(axis=1).tolist() == [False, True, False]
    assert (lost(2.0**-1000, np.ones((3, 2)), (0.0, 2.0**60)) != 0).all()


@pytest.mark.parametrize(
    ("numbers", "low", "high"),
    [
        ([0.5, 4], 0.5, 4),
        ([2, 3], 1, 3),
        ([0.25, 0.5], 0.25, 1),
        ([-0.25, -8], 0.25, 8),
        ([0, 0], 1, 1),
        ([0, 0.125, 2], 0.125, 2),
        ([], 1, 1),
        (3.0, 1, 3),
    ],
)
def test_the_range_of_numbers_holds_all_that_are_not_zero_and_one(numbers, low, high):
    assert Range.of(np.array(numbers, "float64")) == (low, high)
    assert Range.of(noisy(numbers)) == (low, high)


def test_what_is_no_number_leaves_the_range_of_the_others_as_low_as_it_is():
    assert Range.of(np.array([np.nan, 0.5])).low == 0.5


def test_the_range_of_a_product_is_the_product_of_the_ranges_and_of_anything_else_that_of_its_numbers():
    x = noisy([0.5, 4], "reordered")
    assert (x * x).factors == (0.25, 16)
    assert ((x * x) * 0.125).factors == (0.25 * 0.125, 16)
    assert (0.125 * x).factors == (0.0625, 4)
    for other in (x + x, x - 0.5, x / x, x[:1], np.exp(x), (x * x).sum(), np.multiply.reduce(x), -x):
        assert other.factors is None
    assert (noisy([0.5, 4]) * 2.0).factors is None
    assert (noisy([0.5, 4], "flushed") * 2.0).factors is None


def test_a_product_of_this_arithmetic_loses_by_its_own_factors():
    small, large = np.full(40, 2.0**-700), np.full(40, 2.0**600)
    x = noisy(small, "reordered")
    product = plain((x * large) * small) - 2.0**-800
    assert set(np.round(np.abs(product) / (TINY * 2.0**600), 6)) == {1.0}
    zero_last = np.array([2.0**-700, 0.0])
    for product in (noisy([2.0**-700] * 2, "reordered") * zero_last, noisy(zero_last, "reordered") * small[:2]):
        assert (plain(product) != 0).tolist() == [True, False]
    assert not plain((x * 0.0) * small).any()
    assert not plain((0.0 * x) * small).any()


# What is remembered


def test_the_largest_magnitude_so_far_is_remembered_and_a_nan_counts_as_infinite():
    roundings = Roundings(0)
    assert roundings.largest == 0
    for values, largest in (
        ([0.5], 0.5),
        ([2.0, -3.0], 3),
        ([1.0], 3),
        ([], 3),
        ([-4.0], 4),
        ([np.nan, 1], np.inf),
        ([5.0], np.inf),
    ):
        roundings.record(np.array(values))
        assert roundings.largest == largest


@pytest.mark.parametrize(
    ("operation", "largest"),
    [
        (lambda x: np.exp(x), 0),
        (lambda x: x + 1.0, 0),
        (lambda x: 1.0 + x, 0),
        (lambda x: x + np.array([1.0]), 65),
        (lambda x: x - 1.0, 63),
        (lambda x: x * 2.0, 128),
        (lambda x: -x, 64),
        (lambda x: x > 2, 0),
    ],
)
def test_what_grows_by_design_on_the_way_to_a_sigmoid_is_not_remembered(operation, largest):
    x = noisy([64.0])
    operation(x)
    assert x.roundings.largest == pytest.approx(largest)


def test_every_result_goes_on_with_the_roundings_of_its_operands_or_of_where_it_is_written():
    x, y = noisy([1.0, 2.0]), np.array([0.1, 0.2])
    for result in (x + y, y + x, x[:1], np.where(y > 0, x, y), x.sum(), x.reshape(2, 1) @ x.reshape(1, 2), x.T):
        assert result.roundings is x.roundings
    out = noisy([0.0, 0.0])
    assert np.multiply(y, 3.0, out=out) is out
    assert (plain(out) != y * 3.0).all()
    stranger = np.zeros(2).view(RandomlyRounded)  # which has none of its own yet
    assert np.multiply(x, stranger).roundings is x.roundings
    assert np.multiply(stranger, x).roundings is x.roundings
    assert (x > y).dtype == bool
    assert type(np.isin(x, y)) is type(np.searchsorted(x, y)) is np.ndarray
    assert (x.astype(int) + 1).tolist() == [2, 3]  # of integers nothing is rounded


def test_an_array_begins_with_one_rounding_and_without_what_underflows():
    values = np.array([1.0] * 200 + [TINY / 2])
    rounded = Roundings(0, "flushed").array(values)
    assert set(plain(rounded)) == {1 - EPS, 1 + EPS, 0}
    assert set(values) == {1.0, TINY / 2}
    assert rounded.factors is None
