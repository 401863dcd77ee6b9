"""What shares memory, and lists of floats, which are arrays that share none."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.backends.tracing.trace import call, trace

W, X = np.array([[0.5, -0.25], [1.0, 0.75]]), np.array([0.3, -0.6])


def test_what_is_written_through_a_view_of_an_argument_reaches_the_others(gradients):
    def loss(theta, first, other):
        first *= theta[3]
        return (theta**2 * np.arange(6)).sum() + other.sum() * theta[0]

    theta = np.linspace(0.5, 1.5, 6)
    views = {"theta": theta, "first": theta[:2], "other": theta[::-1][4:].reshape(2, 1)}
    gradients(loss, views, ["theta"])


def spaced(array):
    """Over memory that is no array's, with room between the numbers."""
    made = np.ndarray(array.shape, "float64", bytearray(16 * array.size), 0, (32, 16))
    made[...] = array
    return made


@pytest.mark.parametrize("make", [np.asfortranarray, lambda a: a[::-1].copy()[::-1], lambda a: a.astype(">f8"), spaced])
def test_an_array_of_another_layout_is_recorded(make, gradients):
    gradients(lambda w, x: np.tanh(w @ x).sum(), {"w": make(W), "x": X}, ["w", "x"])


def test_arrays_over_one_buffer_of_bytes_share_its_memory(gradients):
    buffer = np.zeros(54, "uint8")
    whole, part = buffer[3:51].view("float64"), buffer[19:43].view("float64")
    whole[:] = np.linspace(0.5, 1, 6)

    def loss(whole, part):
        part[1:] = whole[:2] ** 2
        return (whole**3).sum()

    gradients(loss, {"whole": whole, "part": part}, ["whole"])


def test_integers_that_share_memory_share_it_in_the_recording(gradients):
    places = np.array([0, 1, 2])

    def loss(w, places, part):
        part[0] = 2
        return (w[places] ** 2).sum()

    gradients(loss, {"w": np.array([1.0, 2.0, 3.0]), "places": places, "part": places[1:]}, ["w"])


def test_numbers_that_may_not_be_written_to_are_moved_all_the_same(gradients):
    frozen = np.frombuffer(np.linspace(0.5, 1, 4).tobytes())
    gradients(lambda w: np.sin(w).sum(), {"w": frozen}, ["w"])


# Lists of floats


def test_a_list_of_lists_of_floats_is_an_array_and_is_moved(gradients):
    def loss(w, deep):
        total = 0.0
        for row in w:
            for number in row:
                total += number * number * deep[1][0][1]
        return total

    w, deep = [[0.5, 1.5], [2.0, -1.0]], [[[1.0, 2.0]], [[3.0, 4.0]]]
    gradients(loss, {"w": w, "deep": deep}, ["w", "deep"])
    assert w == [[0.5, 1.5], [2.0, -1.0]]
    assert deep == [[[1.0, 2.0]], [[3.0, 4.0]]]
    assert {type(one) for row in w for one in row} == {float}


def test_a_list_that_is_held_alone_and_in_another_list_is_one(gradients):
    row = [0.5, 1.5]
    gradients(lambda row, rows: row[0] * rows[0][0] * rows[1][1], {"row": row, "rows": [row, [2.0, 3.0]]}, ["row"])
    assert row == [0.5, 1.5]


@pytest.mark.parametrize(("kind", "meets"), [(float, "float32"), (np.float64, "float64"), (np.float32, "float32")])
def test_a_number_that_is_differentiated_by_keeps_its_kind(kind, meets):
    def loss(alpha):
        product = alpha * np.ones(1, "float32")
        if product.dtype != meets:
            raise TypeError(f"{type(alpha)} and float32 gave {product.dtype}")
        return product.sum()

    arguments = {"alpha": kind(0.5)}
    assert call(loss, arguments, {"alpha": np.array(0.25)}) == 0.25
    found = trace(loss, arguments, ["alpha"]).arguments["alpha"].values
    assert (found.shape, found.dtype) == ((), kind)
