"""The four equations of backpropagation, and logistic regression as their smallest case."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from extended import assert_gradients_are_slopes
from gradparity.backends import FeedForward, Problem
from gradparity.backends.references.manual_backend import answer
from gradparity.compare.testing.strategies import problems
from hypothesis import given, settings
from sampling import examples

SIZES = (3, 5, 4, 2)


def make(model, **options):
    return Problem.from_seed(model, **{"batch_size": 6, "seed": 0, **options})


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@settings(max_examples=examples(120))
@given(problem=problems(family="FeedForward"))
def test_every_gradient_is_the_slope_along_a_random_direction(problem):
    assert_gradients_are_slopes(problem, limit=1e-4 if problem.model.activation == "relu" else 1e-8)


def test_the_four_equations_sample_by_sample():
    """As the document writes them, for column vectors and f = σ, with f′ taken at z and not by way of a."""
    problem = make(FeedForward(SIZES))
    p, found = problem.params, answer(problem)
    sums = {name: np.zeros(array.shape) for name, array in p.items()}
    total = 0.0
    for sample, (x, y) in enumerate(zip(problem.inputs, problem.targets, strict=True)):
        z, a = {}, {0: x}
        for layer in (1, 2, 3):
            z[layer] = p[f"W{layer}"] @ a[layer - 1] + p[f"b{layer}"]
            a[layer] = sigmoid(z[layer])
        total += 0.5 * np.linalg.norm(y - a[3]) ** 2
        slope = {layer: np.exp(-z[layer]) / (1 + np.exp(-z[layer])) ** 2 for layer in z}
        delta = {3: -(y - a[3]) * slope[3]}
        for layer in (2, 1):
            delta[layer] = (p[f"W{layer + 1}"].T @ delta[layer + 1]) * slope[layer]
        for layer in (1, 2, 3):
            np.testing.assert_allclose(found.adjoints[f"z{layer}"][sample], delta[layer], rtol=1e-12)
            sums[f"W{layer}"] += np.outer(delta[layer], a[layer - 1])
            sums[f"b{layer}"] += delta[layer]
        np.testing.assert_allclose(found.outputs[sample], z[3], rtol=1e-13)
        np.testing.assert_allclose(found.gradients["inputs"][sample], p["W1"].T @ delta[1], rtol=1e-12)
    assert found.loss == pytest.approx(total, rel=1e-14)
    for name, expected in sums.items():
        np.testing.assert_allclose(found.gradients[name], expected, rtol=0, atol=1e-14)  # sums of six numbers below 1


def test_logistic_regression_is_the_smallest_case():
    problem = make(FeedForward((3, 1), loss="sigmoid_cross_entropy", reduction="mean"))
    X, y, (W, b) = problem.inputs, problem.targets[:, 0], problem.params.values()
    p = sigmoid(X @ W[0] + b)
    found = answer(problem)
    assert found.loss == pytest.approx(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), rel=1e-14)
    np.testing.assert_allclose(found.gradients["W1"], [X.T @ (p - y) / 6], rtol=1e-13)
    np.testing.assert_allclose(found.gradients["b1"], [np.mean(p - y)], rtol=1e-13)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "identity"])
def test_a_cross_entropy_is_taken_of_the_linear_output_and_the_squared_error_of_f(activation):
    for loss, of_f in (("softmax_cross_entropy", False), ("sigmoid_cross_entropy", False), ("squared_error", True)):
        losses = {f: answer(make(FeedForward((3, 2), activation=f, loss=loss))).loss for f in (activation, "identity")}
        assert (losses[activation] != losses["identity"]) == (of_f and activation != "identity")


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error"])
def test_a_batch_averages_over_its_samples(loss):
    problem = make(FeedForward(SIZES, loss=loss, reduction="mean"))
    alone = [
        answer(replace(problem, inputs=problem.inputs[i : i + 1], targets=problem.targets[i : i + 1])) for i in range(6)
    ]
    found = answer(problem)
    assert found.loss == pytest.approx(np.mean([each.loss for each in alone]), rel=1e-14)
    for name in problem.params:
        expected = np.mean([each.gradients[name] for each in alone], axis=0)
        np.testing.assert_allclose(found.gradients[name], expected, rtol=0, atol=1e-14 * np.abs(expected).max() * 6)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error"])
def test_everything_stays_in_the_dtype_of_the_problem(loss, dtype):
    found = answer(make(FeedForward(SIZES, loss=loss, reduction="mean"), dtype=dtype))
    arrays = [found.loss, found.outputs, *found.gradients.values(), *found.adjoints.values()]
    assert {array.dtype.name for array in arrays} == {dtype}


def test_a_deep_network_names_its_layers_in_their_order():
    found = answer(make(FeedForward((1,) * 13)))
    assert list(found.adjoints) == [f"z{layer}" for layer in range(1, 13)]
