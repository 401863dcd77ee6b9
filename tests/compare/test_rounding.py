import numpy as np
import pytest
from gradparity.compare.tolerance.rounding import RandomlyRounded, Roundings

EPS = np.finfo(float).eps


def noisy(array, seed=0):
    """The array with random rounding from now on, its entries still the same."""
    rounded = np.array(array).view(RandomlyRounded)
    rounded.roundings = Roundings(seed)
    return rounded


def plain(array):
    return np.asarray(array).view(np.ndarray)


X = np.random.default_rng(0).standard_normal(400)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_every_entry_moves_by_one_unit_in_the_last_place(dtype):
    x = X.astype(dtype)
    moved = plain(Roundings(0).array(x))
    assert moved.dtype == dtype
    units = np.abs(moved - x) / np.spacing(np.abs(x))
    assert set(units) <= {1.0, 2.0}  # eps·x is between one and two units
    assert 0.4 < np.mean(moved > x) < 0.6


@pytest.mark.parametrize(
    "operation",
    [np.tanh, lambda x: x * x, lambda x: x + 0.1, lambda x: x / 3, lambda x: np.where(x > 0, x, 0) * 1.1],
)
def test_an_operation_that_rounds_moves_its_result(operation):
    deviation = np.abs(plain(operation(noisy(X))) - operation(X))
    moved = operation(X) != 0
    assert np.mean(deviation[moved] > 0) > 0.8  # a few sums happen to be exact
    assert np.all(deviation <= 2 * EPS * np.abs(operation(X)))


@pytest.mark.parametrize(
    "operation",
    [
        lambda x: -x,
        np.abs,
        lambda x: np.maximum(x, 0),
        lambda x: 2 * x,
        lambda x: x * 0.5,
        lambda x: x - x,
        lambda x: x / x,
        lambda x: x * 0,
        lambda x: np.exp(x * 0),
        lambda x: (x * 0).sum(),
        lambda x: x[:1].sum(),
    ],
)
def test_what_floating_point_does_exactly_stays_exact(operation):
    np.testing.assert_array_equal(plain(operation(noisy(X))), operation(X))


def test_a_sum_moves_by_the_square_root_of_its_terms_and_a_long_one_by_more():
    deviations = [float(noisy(np.full(10_000, 0.1), seed).sum()) - np.full(10_000, 0.1).sum() for seed in range(8)]
    assert max(map(abs, deviations)) == pytest.approx(10_000 / 32 * EPS * 1000, rel=0.1)
    deviations = [float(noisy(np.full(100, 0.1), seed).sum()) - np.full(100, 0.1).sum() for seed in range(8)]
    assert max(map(abs, deviations)) == pytest.approx(10 * EPS * 10, rel=0.1)


def test_the_largest_number_on_the_way_is_remembered():
    x = noisy(np.array([2.0, 3.0]))
    assert (x * 1e200 / 1e200).sum() > 4
    assert x.roundings.largest == pytest.approx(3e200)
    with np.errstate(all="ignore"):
        (x * np.inf) * 0
    assert x.roundings.largest == np.inf


def test_products_of_matrices_and_in_place_operations_round_too():
    a = np.random.default_rng(1).standard_normal((4, 4))
    assert np.all(plain(noisy(a) @ a) != a @ a)
    out = np.zeros((4, 4))
    np.multiply(noisy(a), a, out=out)
    assert np.any(out != a * a)
    changed = noisy(a)
    changed += 0.1
    assert isinstance(changed, RandomlyRounded)
    assert np.any(plain(changed) != a + 0.1)


def test_cancellation_is_seen_that_no_change_of_the_input_shows():
    """1 − σ(30) is 9e-14: an ulp more or less in 30 changes it by 1e-15 of itself, but a rounding of σ by 1e-3."""

    def one_minus_sigmoid(a):
        return 1 - 1 / (1 + np.exp(-a))

    exact = np.exp(-30.0)
    moved = one_minus_sigmoid(np.nextafter(30.0, 31.0))
    assert moved == one_minus_sigmoid(30.0)
    spread = max(abs(float(one_minus_sigmoid(noisy(np.array([30.0]), seed))[0]) - exact) for seed in range(8))
    assert spread / exact > 1e-3


def test_the_same_generator_gives_the_same_roundings():
    first, second = (plain(np.tanh(Roundings(5).array(X))) for _ in range(2))
    np.testing.assert_array_equal(first, second)


SUBNORMAL = np.array([[1e-310, -1e-310, 1e-300, 0.0] * 16] * 3)


def after_a_product(underflow, row=None):
    rounded = SUBNORMAL.view(RandomlyRounded)
    rounded.roundings = Roundings(0, underflow, row)
    return plain(rounded * 0.9)


def test_subnormal_numbers_are_kept_where_underflow_is_gradual():
    assert (after_a_product("gradual")[:, ::4] != 0).all()


def test_every_subnormal_number_is_flushed_where_they_are_flushed():
    product = after_a_product("flushed")
    assert not product[:, 0::4].any()
    assert not product[:, 1::4].any()
    assert (product[:, 2::4] != 0).all()


def test_a_subnormal_number_is_flushed_even_if_it_is_an_exact_result_or_an_input():
    rounded = np.array([4e-308]).view(RandomlyRounded)
    rounded.roundings = Roundings(0, "flushed")
    assert plain(rounded * 0.25) == 0
    assert not plain(Roundings(0, "flushed").array(np.array([1e-310]))).any()


def test_underflow_holds_of_one_row_if_that_is_asked_for():
    product = after_a_product("flushed", row=1)
    assert (product[[0, 2], ::4] != 0).all()
    assert not product[1, ::4].any()


def product_of(*factors, underflow="reordered", seed=0):
    """The deviation of a product from what it is in this order."""
    roundings = Roundings(seed, underflow)
    product = 1.0
    for factor in factors:
        rounded = np.full(8, factor).view(RandomlyRounded)
        rounded.roundings = roundings
        product = rounded * product
    return np.abs(plain(product) - float(np.prod(factors))).max()


@pytest.mark.parametrize("factors", [(1e200, 1e-200, 1e-200), (1e-200, 1e200, 1e-200), (1e250, 1e-160, 1e-160)])
def test_a_product_that_underflows_in_another_order_may_be_off_by_all_of_what_is_lost(factors):
    """1e-200 · 1e-200 is 0, and 1e200 times nothing."""
    assert product_of(*factors) >= 0.9 * np.finfo(float).tiny * max(factors)
    assert product_of(*factors, underflow="gradual") <= 4 * EPS * np.prod(factors)


@pytest.mark.parametrize("factors", [(1e-100, 1e-100, 1e100), (1e-200, 1e50), (0.0, 1e-300, 1e200)])
def test_a_product_that_underflows_in_no_order_loses_nothing(factors):
    assert product_of(*factors) <= 4 * EPS * np.prod(factors)


def test_a_sum_begins_a_new_product():
    x = noisy(np.full(8, 1e-200))
    x.roundings.underflow = "reordered"
    assert (x * 1e200 + 1.0).factors is None
    assert (x * 1e200).factors == (1e-200, 1e200)


def test_in_place_what_is_exact_stays_exact_and_what_rounds_moves():
    """The rounding error is told from the operands as they were, not as the result has overwritten them."""
    exact, small = noisy(np.full(400, 1.0)), noisy(np.full(400, 2.0**-60))
    exact += noisy(np.full(400, 2.0))
    np.testing.assert_array_equal(plain(exact), 3.0)
    target = noisy(np.full(400, 1.0))
    assert np.add(target, small, out=target) is target
    assert 0.4 < np.mean(plain(target) > 1) < 0.6  # 1 + 2⁻⁶⁰ is 1, rounded


def test_dot_rounds_as_matmul_does_and_writes_where_it_is_told():
    one, other, out = noisy(X.reshape(20, 20)), noisy(X.reshape(20, 20).T), noisy(np.empty((20, 20)))
    assert np.dot(one, other, out=out) is out
    assert np.mean(plain(out) != plain(one) @ plain(other)) > 0.8


def test_an_exponential_that_overflows_on_the_way_to_a_sigmoid_of_zero_is_no_overflow():
    a = noisy(np.array([-1e4, -100.0, 0.0, 100.0]))
    with np.errstate(over="ignore"):
        result = np.reciprocal(1 + np.exp(-a))
        used_otherwise = np.exp(noisy(np.array([800.0]))) * 1.0
    assert plain(result)[0] == 0
    assert a.roundings.largest < 1e5
    assert used_otherwise.roundings.largest == np.inf
