"""The kinks: where a relu's argument is 0 up to what moved it."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare.tolerance.kinks import SIDES, Kinks


def slopes(arguments, *probed, multiple=8.0, number=0, slope=None):
    """The slopes of one relu in every computation; None where no relu has a kink."""
    kinks = Kinks([np.array(argument) for argument in arguments])
    for probes in probed:
        kinks.add([np.array(probe) for probe in probes])
    sides = kinks.sides(multiple, SIDES)
    shape = (SIDES, *np.shape(arguments[number]))
    return sides[0](number, np.full(shape, 0.5) if slope is None else slope) if sides else None


def test_computations_take_the_sides_zero_one_drawn_opposite_and_between():
    arguments = np.zeros(64)
    found = slopes([arguments], [arguments[None] + 1e-17])
    assert found.shape == (8, 64)
    assert not found[0].any()
    assert (found[1] == 1).all()
    assert set(found[2]) == {0.0, 1.0}
    assert 16 < found[2].sum() < 48
    np.testing.assert_array_equal(found[2] + found[3], 1)
    assert len(np.unique(found[4:])) == 4 * 64
    assert ((found[4:] > 0) & (found[4:] < 1)).all()


def test_one_by_one_the_computations_take_the_same_sides():
    kinks = Kinks([np.zeros(8)])
    kinks.add([np.full((1, 8), 1e-17)])
    (together,) = kinks.sides(8.0, SIDES)
    one_by_one = [sides(0, np.ones((1, 8)))[0] for sides in kinks.sides(8.0, 1)]
    np.testing.assert_array_equal(together(0, np.ones((SIDES, 8))), one_by_one)


def test_an_argument_no_larger_than_the_multiple_of_what_moved_it_is_a_kink_and_a_larger_one_is_not():
    arguments = [8.0, np.nextafter(8.0, 9), -8.0, np.nextafter(-8.0, -9), 7.0]
    found = slopes([arguments], [[[argument + 1.0 for argument in arguments[:4]] + [6.0]]], multiple=8.0)
    assert (found[:2] == [[0, 0.5, 0, 0.5, 0], [1, 0.5, 1, 0.5, 1]]).all()


@pytest.mark.parametrize("probed", [([[9.0], [9.5]],), ([[9.5], [9.0]],), ([[9.0]], [[9.5]]), ([[9.5]], [[9.0]])])
def test_the_probe_that_moved_it_the_furthest_counts_in_whatever_order_it_comes(probed):
    assert slopes([[9.0]], *([one] for one in probed), multiple=18.0) is not None
    assert slopes([[9.0]], *([one] for one in probed), multiple=17.9) is None


def test_what_was_not_moved_is_exactly_zero_and_no_kink():
    assert slopes([[0.0, 1.0]], [[[0.0, 1.5]]], multiple=1.0) is None
    assert slopes([[0.0]], multiple=8.0) is None


def test_every_relu_has_its_own_kinks():
    arguments, probes = [[1.0, 0.0], [0.0, 1.0]], [[[1.0, 1e-9]], [[1e-9, 1.0]]]
    first, second = (slopes(arguments, probes, number=number) for number in (0, 1))
    np.testing.assert_array_equal(first[:2], [[0.5, 0], [0.5, 1]])
    np.testing.assert_array_equal(second[:2], [[0, 0.5], [1, 0.5]])


def test_the_slopes_keep_their_dtype_and_the_draw_is_the_same_each_time():
    arguments, slope = [np.zeros(64)], np.ones((SIDES, 64), "float32")
    one, other = (slopes(arguments, [np.ones((1, 64))], slope=slope) for _ in range(2))
    assert one.dtype == "float32"
    np.testing.assert_array_equal(one, other)


def test_another_number_of_relus_than_before_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        slopes([[1.0], [2.0]], [[[1.0]]])
