"""Total beside partial derivatives, in the documents' four variables and in any others."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from extended import assert_gradients_are_slopes
from gradparity.backends import Problem
from gradparity.backends.references.manual_backend import answer
from gradparity.compare import SYSTEMS
from gradparity.compare.testing.strategies import problems
from gradparity.manual import ordered
from hypothesis import given, settings
from hypothesis import strategies as st
from sampling import examples

WERBOS = SYSTEMS["ordered-derivatives"].model


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_four_variables_of_the_documents_have_exactly_these_totals(dtype):
    """z2 = 2 z1, z3 = 3 z2 + z1, z4 = 4 z3 + 2 z2 + z1 and E = 4 z4 + 2 z2, where z1 = 1."""
    A, c, z1 = (np.array(values, dtype) for values in (WERBOS.weights, WERBOS.objective, [1]))
    found = ordered.loss_and_gradients(A, c, z1)
    assert found.outputs.tolist() == [1, 2, 7, 33]
    assert found.loss == 136
    assert found.adjoints["z"].tolist() == [136, 58, 16, 4]
    assert found.gradients["inputs"].tolist() == [136]
    assert found.gradients["A"].tolist() == [[0, 0, 0, 0], [58, 0, 0, 0], [16, 32, 0, 0], [4, 8, 28, 0]]
    assert WERBOS.objective == (0, 2, 0, 4)  # the partial derivatives, which are others


def test_a_total_is_the_partial_derivative_and_what_later_variables_pass_on():
    total = answer(Problem.from_seed(WERBOS, seed=0)).adjoints["z"]
    for i, partial in enumerate(WERBOS.objective):
        assert total[i] == partial + sum(total[j] * WERBOS.weights[j][i] for j in range(i + 1, 4))


integers = st.integers(-9, 9)


@given(N=st.integers(1, 6), data=st.data())
def test_integers_stay_exact(N, data):
    """Against the sum over all paths from a variable to E, in Python's own integers."""
    A = [[data.draw(integers) if j < i else 0 for j in range(N)] for i in range(N)]
    c, z1 = [data.draw(integers) for _ in range(N)], data.draw(integers)

    def over_all_paths(i):
        return Fraction(c[i]) + sum(A[j][i] * over_all_paths(j) for j in range(i + 1, N))

    totals = [over_all_paths(i) for i in range(N)]
    found = ordered.loss_and_gradients(np.array(A, float), np.array(c, float), np.array([z1], float))
    assert found.adjoints["z"].tolist() == totals
    assert found.loss == totals[0] * z1


@settings(max_examples=examples(50))
@given(problem=problems(family="OrderedSystem"))
def test_every_gradient_is_the_slope_along_a_random_direction(problem):
    assert_gradients_are_slopes(problem)


@settings(max_examples=examples(50))
@given(problem=problems(family="OrderedSystem", dtype="float64"))
def test_the_totals_are_the_solution_of_a_triangular_system(problem):
    A, c = problem.params["A"], np.array(problem.model.objective)
    expected = np.linalg.solve((np.eye(len(A)) - A).T, c)
    limit = 1e-13 * (1 + np.abs(expected).max())  # a few roundings, for weights of at most 2
    np.testing.assert_allclose(answer(problem).adjoints["z"], expected, rtol=0, atol=limit)


def test_what_stands_on_and_above_the_diagonal_is_not_used():
    A, c, z1 = (np.array(values, float) for values in (WERBOS.weights, WERBOS.objective, [1]))
    clean, other = (ordered.loss_and_gradients(each, c, z1) for each in (A, A + np.triu(np.full((4, 4), 5.0))))
    assert clean.loss == other.loss
    np.testing.assert_array_equal(clean.gradients["A"], other.gradients["A"])
