"""The three truncations, each against its own definition."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gradparity.backends import Chunks, LastSteps, Problem, Recurrent, Window
from gradparity.backends.references.manual_backend import answer
from gradparity.manual import rnn
from gradparity.manual.stack import CELLS
from gradparity.manual.truncation import window_backward
from torch.nn.functional import cross_entropy

T, H = 7, 5
MEANINGS = (Window, Chunks, LastSteps)
of_every_cell = pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
of_every_reach = pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 7, 9])


def make(cell, **options):
    return Problem.from_seed(Recurrent(cell, 3, H, 4), **{"seq_len": T, "batch_size": 3, "seed": 0, **options})


def truncated(problem, truncation):
    return answer(replace(problem, model=replace(problem.model, truncation=truncation)))


def piece(problem, start, stop):
    """The steps start + 1 … stop of a problem, from the state that they begin with."""
    mask = np.ones(problem.leading, dtype=bool)
    _, cache = CELLS[problem.model.cell].forward(problem.params, problem.inputs, tuple(problem.states.values()), mask)
    states = {name: getattr(cache, name[0])[start] for name in problem.states}
    return answer(replace(problem, inputs=problem.inputs[start:stop], targets=problem.targets[start:stop], **states))


def assert_same(found, expected, *, part=1e-13):
    """Equal but for the roundings of sums in another order, as a part of the largest entry."""
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        limit = part * np.abs(array).max(initial=0)
        np.testing.assert_allclose(found[name], array, rtol=0, atol=limit, err_msg=name)


def step(cell, x, state, p):
    """PyTorch's own cells, with their two biases."""
    zeros = torch.zeros_like(p["b"])
    if cell == "rnn":
        return (torch.rnn_tanh_cell(x, *state, p["U"], p["W"], p["b"], zeros),)
    if cell == "lstm":
        return torch.lstm_cell(x, state, p["U"], p["W"], p["b"], zeros)
    return (torch.gru_cell(x, *state, p["U"], p["W"], p["b"], torch.cat([zeros[: 2 * H], p["b_hn"]])),)


def window_by_detach(problem, n):
    """The gradients where every loss has n steps of its own, which begin at a detached state: T·n steps."""
    p = {name: torch.tensor(array, requires_grad=True) for name, array in problem.differentiable.items()}
    cell, x = problem.model.cell, p["inputs"]
    states = [tuple(p[name] for name in problem.states)]
    for t in range(T):
        states.append(tuple(each.detach() for each in step(cell, x[t], states[t], p)))
    lengths = torch.tensor(problem.lengths)
    total = 0
    for end in range(1, T + 1):
        start = max(0, end - n)
        state = states[start]
        for t in range(start, end):
            state = step(cell, x[t], state, p)
        losses = cross_entropy(state[0] @ p["V"].T + p["c"], torch.tensor(problem.targets[end - 1]), reduction="none")
        total = total + losses[end <= lengths].sum()
    total.backward()
    return {name: np.zeros(leaf.shape) if leaf.grad is None else leaf.grad.numpy() for name, leaf in p.items()}


@of_every_cell
@of_every_reach
def test_a_window_is_what_detach_makes_of_every_loss_on_its_own(cell, n):
    problem = make(cell, lengths=[7, 4, 1])
    assert_same(truncated(problem, Window(n)).gradients, window_by_detach(problem, n))


@of_every_cell
@of_every_reach
def test_chunks_are_pieces_differentiated_apart(cell, n):
    problem = make(cell)
    pieces = [piece(problem, start, min(start + n, T)) for start in range(0, T, n)]
    found = truncated(problem, Chunks(n))
    first = pieces[0].gradients
    assert_same(
        found.gradients,
        {name: sum(each.gradients[name] for each in pieces) for name in problem.params}
        | {name: first[name] for name in problem.states}
        | {"inputs": np.concatenate([each.gradients["inputs"] for each in pieces])},
    )
    names = pieces[0].adjoints
    assert_same(found.adjoints, {name: np.concatenate([each.adjoints[name] for each in pieces]) for name in names})


@of_every_cell
@pytest.mark.parametrize("n", [1, 3, 6])
def test_last_steps_are_the_last_piece_alone_and_earlier_losses_reach_v_and_c_only(cell, n):
    problem = make(cell)
    last, whole = piece(problem, T - n, T), answer(problem)
    nothing_before = [(T - n, 0), (0, 0), (0, 0)]
    found = truncated(problem, LastSteps(n))
    assert_same(
        found.gradients,
        last.gradients
        | {name: np.zeros((3, H)) for name in problem.states}
        | {"inputs": np.pad(last.gradients["inputs"], nothing_before)}
        | {name: whole.gradients[name] for name in "Vc"},
    )
    for name in found.adjoints.keys() - {"o"}:
        assert not found.adjoints[name][: T - n].any()
    np.testing.assert_array_equal(found.adjoints["o"], whole.adjoints["o"])


@of_every_cell
def test_the_last_steps_of_a_short_sequence_are_its_own(cell):
    found = truncated(make(cell, lengths=[7, 4, 1]), LastSteps(2)).adjoints["h"]
    assert [np.flatnonzero(found[:, b].any(axis=1)).tolist() for b in range(3)] == [[5, 6], [2, 3], [0]]


@of_every_cell
@pytest.mark.parametrize("n", [T, T + 3])
@pytest.mark.parametrize("lengths", [None, [7, 4, 1]])
def test_with_as_many_steps_as_there_are_nothing_is_truncated(cell, n, lengths):
    problem = make(cell, lengths=lengths)
    whole = answer(problem)
    for meaning in (Chunks, LastSteps):
        for name, gradient in truncated(problem, meaning(n)).gradients.items():
            np.testing.assert_array_equal(gradient, whole.gradients[name])
    assert_same(truncated(problem, Window(n)).gradients, whole.gradients)  # it sums over the losses, not the steps
    assert_same(truncated(problem, Window(n)).adjoints, whole.adjoints)


def test_window_of_one_keeps_only_the_immediate_term():
    problem = make("rnn")
    found = truncated(problem, Window(1))
    _, cache = rnn.forward(problem.params, problem.inputs, (problem.h0,), np.ones((T, 3), dtype=bool))
    da = (found.adjoints["o"] @ problem.params["V"]) * (1 - cache.h[1:] ** 2)
    immediate = {"U": problem.inputs, "W": cache.h[:-1], "b": np.ones((T, 3, 1))}
    expected = {name: np.einsum("tbi,tbj->ij", da, last) for name, last in immediate.items()}
    assert_same({name: found.gradients[name].reshape(H, -1) for name in "UWb"}, expected)
    np.testing.assert_allclose(found.gradients["h0"], da[0] @ problem.params["W"], rtol=1e-13)


@of_every_cell
@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_three_meanings_are_not_interchangeable(cell, n):
    problem = make(cell)
    found = [truncated(problem, meaning(n)).gradients["W"] for meaning in MEANINGS] + [answer(problem).gradients["W"]]
    for one, other in combinations(found, 2):
        assert np.abs(one - other).max() > 1e-3 * np.abs(one).max()


@of_every_cell
def test_chunks_of_one_step_are_windows_of_one(cell):
    problem = make(cell)
    assert_same(truncated(problem, Chunks(1)).gradients, truncated(problem, Window(1)).gradients)


@of_every_cell
def test_with_one_loss_at_the_end_a_window_is_the_last_steps(cell):
    problem = make(cell, lengths=[7, 4, 1])
    problem = replace(problem, model=replace(problem.model, loss_at="last_step"))
    assert_same(truncated(problem, Window(3)).gradients, truncated(problem, LastSteps(3)).gradients)


@pytest.mark.parametrize("truncation", [meaning(2) for meaning in MEANINGS], ids=lambda each: type(each).__name__)
@of_every_cell
def test_no_truncation_changes_the_loss_nor_what_the_read_out_gets(cell, truncation):
    whole, found = answer(make(cell)), truncated(make(cell), truncation)
    assert found.loss == whole.loss
    for name in "Vc":
        np.testing.assert_array_equal(found.gradients[name], whole.gradients[name])


@pytest.mark.parametrize(("n", "steps_back"), [(1, 1), (3, 3), (T + 4, T)])
def test_the_window_takes_n_steps_back_for_all_losses_at_once(n, steps_back):
    steps = []

    def counting(*arguments):
        steps.append(arguments)
        return rnn.step_backward(*arguments)

    problem = make("rnn")
    _, cache = rnn.forward(problem.params, problem.inputs, (problem.h0,), np.ones((T, 3), dtype=bool))
    cell = SimpleNamespace(**{**vars(rnn), "step_backward": counting})
    window_backward(cell, np.ones((T, 3, H)), cache, n)
    assert len(steps) == steps_back
