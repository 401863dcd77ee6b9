"""Gradient descent: one step, and many beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gradparity.backends import FeedForward, Problem, Recurrent
from gradparity.backends.references.manual_backend import answer
from gradparity.manual import descend
from torch.nn.functional import cross_entropy

RATE = 0.5
PROBLEMS = {
    "elman": Problem.from_seed(Recurrent("rnn", 3, 5, 4, reduction="mean"), seq_len=6, batch_size=2, seed=0),
    "mlp": Problem.from_seed(FeedForward((3, 5, 4), reduction="mean"), batch_size=8, seed=0),
}
of_both = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def train(problem, steps, update):
    """The losses, and the parameters after all steps, by the hand derivation's gradients and the given update."""
    params, losses = dict(problem.params), []
    for _ in range(steps):
        found = answer(problem.with_unchecked(params=params))
        losses.append(float(found.loss))
        params = update(params, found.gradients, RATE)
    return losses, params


def by_torch(params, gradients, rate):
    leaves = {name: torch.tensor(array, requires_grad=True) for name, array in params.items()}
    for name, leaf in leaves.items():
        leaf.grad = torch.tensor(gradients[name])
    torch.optim.SGD(leaves.values(), lr=rate).step()
    return {name: leaf.detach().numpy() for name, leaf in leaves.items()}


def test_one_step_goes_against_the_gradient_by_the_learning_rate():
    theta = {"W": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.array([5.0, 6.0])}
    gradients = {"W": np.array([[1.0, 0.0], [-1.0, 2.0]]), "b": np.array([4.0, -4.0]), "inputs": np.ones(3)}
    found = descend(theta, gradients, 0.5)
    assert {name: array.tolist() for name, array in found.items()} == {"W": [[0.5, 2], [3.5, 3]], "b": [3, 8]}
    assert theta["b"].tolist() == [5, 6]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_step_stays_in_the_dtype_of_the_parameters(dtype):
    found = descend({"b": np.ones(2, dtype)}, {"b": np.ones(2, dtype)}, 0.1)
    assert found["b"].dtype == dtype


@of_both
def test_twenty_steps_lower_the_loss_every_time(problem):
    losses, _ = train(problem, 20, descend)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.9 * losses[0]


@of_both
def test_the_trajectory_is_that_of_the_sgd_of_torch(problem):
    """From the same gradients at every step, PyTorch's update may round once where ours rounds twice."""
    _, ours = train(problem, 20, descend)
    _, theirs = train(problem, 20, by_torch)
    for name, array in ours.items():
        np.testing.assert_allclose(array, theirs[name], rtol=0, atol=20 * np.finfo(float).eps * np.abs(array).max())


def test_and_so_it_is_where_torch_differentiates_too():
    problem = PROBLEMS["elman"]
    x, y, h0 = (torch.tensor(array) for array in (problem.inputs, problem.targets, problem.h0))
    p = {name: torch.tensor(array, requires_grad=True) for name, array in problem.params.items()}
    optimizer, theirs = torch.optim.SGD(p.values(), lr=RATE), []
    for _ in range(20):
        h, outputs = h0, []
        for x_t in x:
            h = torch.tanh(x_t @ p["U"].T + h @ p["W"].T + p["b"])
            outputs.append(h @ p["V"].T + p["c"])
        loss = cross_entropy(torch.stack(outputs).flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        theirs.append(loss.item())
    ours, params = train(problem, 20, descend)
    # A few roundings in each of 20 steps of a contracting trajectory.
    np.testing.assert_allclose(ours, theirs, rtol=1e-13)
    for name, array in params.items():
        np.testing.assert_allclose(array, p[name].detach(), rtol=0, atol=1e-13 * np.abs(array).max())
