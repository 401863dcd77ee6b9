"""Gradient flow: what is shown is ‖∂L_T/∂h_t‖, and it is shown so that it can be read."""

from __future__ import annotations

from dataclasses import replace
from math import log

import numpy as np
import pytest
import torch
from faults import Faulty, in_adjoints
from gradparity.backends import Chunks, LastSteps, Problem, Recurrent, RequestError, Window, get_backend
from gradparity.compare import SYSTEMS, System
from gradparity.compare.flow.measurement import GradientFlow, measure_flow, remembering_bias
from sampling import case, chequered
from torch import nn

MANUAL, TORCH = get_backend("manual"), get_backend("torch")


def measured(system, scale=1.0, *, seq_len=12, backends=(MANUAL, TORCH), **options):
    """The flow through one system, by its name or its model."""
    system = SYSTEMS[system] if isinstance(system, str) else System("mine", "", (), system)
    (flow,) = measure_flow([system], [scale], list(backends), seq_len=seq_len, batch_size=3, **options)
    return flow


def a_flow(*norms):
    """A flow without a comparison."""
    return GradientFlow("mine", 1.0, np.array(norms, float), comparison=None)


# What is measured


def cell_of(problem, bias):
    """The problem's cell out of torch.nn, its remembering gates opened by a bias."""
    model, params = problem.model, {name: torch.tensor(array) for name, array in problem.params.items()}
    D, H = model.input_size, model.hidden_size
    kinds = {"rnn": lambda: nn.RNNCell(D, H, nonlinearity=model.activation)}
    kinds |= {"lstm": lambda: nn.LSTMCell(D, H), "gru": lambda: nn.GRUCell(D, H)}
    cell = kinds[model.cell]().double()
    b, b_h = params["b"].clone(), torch.zeros_like(params["b"])
    if model.cell == "lstm":  # i f g o
        b[:H] -= bias
        b[H : 2 * H] += bias
    if model.cell == "gru":  # r z n
        b[H : 2 * H] += bias
        b_h[2 * H :] = params["b_hn"]
    cell.load_state_dict({"weight_ih": params["U"], "weight_hh": params["W"], "bias_ih": b, "bias_hh": b_h})
    return cell, params["V"], params["c"]


def norms_by_torch(name, scale, bias, T=12, B=3):
    """‖∂L_T/∂h_t‖ for t = 0…T, by a loop over a cell of torch.nn and one call of autograd."""
    model = replace(SYSTEMS[name].model, loss_at="last_step")
    problem = Problem.from_seed(model, seq_len=T, batch_size=B, seed=0, recurrent_gain=scale)
    cell, V, c = cell_of(problem, bias)
    states = {state: torch.tensor(array, requires_grad=True) for state, array in problem.states.items()}
    h = [states["h0"]]
    carried = states.get("c0")
    for x in torch.tensor(problem.inputs):
        if carried is None:
            h.append(cell(x, h[-1]))
        else:
            after, carried = cell(x, (h[-1], carried))
            h.append(after)
    loss = nn.functional.cross_entropy(h[-1] @ V.T + c, torch.tensor(problem.targets[-1]), reduction="sum")
    adjoints = torch.stack(torch.autograd.grad(loss, h))
    return (adjoints**2).sum(dim=-1).mean(dim=-1).sqrt().numpy()


@pytest.mark.parametrize(("name", "scale"), chequered(["elman-softmax", "elman-relu", "lstm", "gru"], [0.5, 1.5]))
def test_the_norms_are_those_of_the_loss_of_the_last_step(name, scale):
    """1e-10: a few thousand roundings, where a wrong step would be wrong by a factor."""
    expected = norms_by_torch(name, scale, bias=log(11))
    np.testing.assert_allclose(measured(name, scale).norms, expected, rtol=1e-10)


def test_the_gates_are_opened_as_far_as_is_asked_for():
    for name in ("lstm", "gru"):
        norms = measured(name, gate_bias=0.7).norms
        np.testing.assert_allclose(norms, norms_by_torch(name, 1.0, bias=0.7), rtol=1e-10)
    assert remembering_bias(60) == pytest.approx(log(59))
    assert remembering_bias(2) == 0


def test_a_bias_of_the_gates_leaves_a_plain_cell_alone():
    np.testing.assert_array_equal(measured("elman-softmax", gate_bias=3.0).norms, measured("elman-softmax").norms)


def test_of_a_stack_the_topmost_layer_is_shown():
    flow = measured("elman-stacked")
    problem = Problem.from_seed(
        replace(SYSTEMS["elman-stacked"].model, loss_at="last_step"), seq_len=12, batch_size=3, seed=0
    )
    answer = MANUAL.evaluate(problem, trace=True)
    top = np.concatenate([answer.gradients["h0"][1:], answer.adjoints["layer1.h"]])
    np.testing.assert_allclose(flow.norms, np.sqrt((top**2).sum(axis=-1).mean(axis=-1)), rtol=1e-12)  # one formula


@pytest.mark.parametrize("n", [1, 5, 11, 12, 20])
def test_a_window_of_n_steps_stops_after_n_steps(n):
    flow = measured(replace(SYSTEMS["elman-window"].model, truncation=Window(n)))
    untruncated = measured("elman-softmax")
    last = range(13)[-n:] if n < 12 else range(13)
    assert [t for t in range(13) if flow.norms[t] > 0] == list(last)
    np.testing.assert_allclose(flow.norms[last], untruncated.norms[last], rtol=1e-12)  # in another order of summation
    assert flow.character == ("stops" if n < 12 else untruncated.character)


@pytest.mark.parametrize(("truncation", "first"), [(Chunks(5), 11), (LastSteps(5), 8), (Chunks(12), 0)])
def test_the_other_truncations_stop_where_they_are_to(truncation, first):
    flow = measured(replace(SYSTEMS["lstm"].model, truncation=truncation))
    assert [t for t in range(13) if flow.norms[t] > 0] == list(range(first, 13))


@pytest.mark.parametrize(
    ("name", "scale", "character"),
    [
        ("elman-softmax", 0.5, "vanishes"),
        case("elman-softmax", 1.0, "vanishes", campaign=True),
        case("elman-relu", 0.5, "vanishes", campaign=True),
        ("elman-relu", 1.5, "explodes"),
        case("linear-mean", 3.0, "explodes", campaign=True),
        ("lstm", 0.5, "holds"),
        case("lstm", 1.5, "holds", campaign=True),
        case("gru", 0.5, "holds", campaign=True),
        ("gru", 1.5, "holds"),
        ("elman-window", 1.0, "stops"),
    ],
)
def test_plain_cells_vanish_or_explode_and_gated_ones_hold(name, scale, character):
    assert measured(name, scale, seq_len=40).character == character


def test_a_closed_gate_does_not_hold():
    assert measured("lstm", gate_bias=0.0, seq_len=40).character == "vanishes"


@pytest.mark.parametrize(
    ("norms", "character", "factor"),
    [
        ((1.0, 1.0, 1.0), "holds", 1.0),
        ((4.0, 2.0, 1.0), "holds", 2.0),
        ((0.25, 0.5, 1.0), "holds", 0.5),
        ((1.01e3, 1.0), "explodes", 1.01e3),
        ((0.99e-3, 1.0), "vanishes", 0.99e-3),
        ((1e-200, 1e-100, 1.0), "vanishes", 1e-100),
        ((0.0, 0.0, 1.0), "stops", 0.0),
        ((0.0, 0.0, 0.0), "stops", None),
    ],
)
def test_a_gradient_has_its_character_and_its_factor_for_each_step(norms, character, factor):
    flow = a_flow(*norms)
    assert flow.character == character
    assert np.isnan(flow.factor) if factor is None else flow.factor == pytest.approx(factor)


def test_a_gradient_that_is_no_number_does_not_hold():
    assert a_flow(np.nan, np.nan, np.inf).character == a_flow(np.inf, 1.0).character == "overflows"


@pytest.mark.parametrize(
    ("name", "scale", "character"),
    [
        case("elman-softmax", 0.5, "vanishes", campaign=True),
        case("elman-relu", 100.0, "explodes", campaign=False),
    ],
)
def test_a_norm_whose_square_is_beyond_float64_is_no_zero_and_no_infinity(name, scale, character):
    flow = measured(name, scale, seq_len=360 if scale < 1 else 120)
    assert np.all(flow.norms > 0)
    assert np.all(np.isfinite(flow.norms))
    assert not 1e-154 < flow.norms[0] < 1e154
    assert flow.character == character


# Who says so


def test_a_flow_comes_with_the_verdict_of_all_backends():
    flow = measured("gru", backends=(MANUAL, TORCH, get_backend("jax")))
    assert (flow.comparison.verdict, flow.comparison.strength) == ("agree", "rounding")
    assert list(flow.comparison.answers) == ["manual", "torch", "jax"]


def test_a_wrong_adjoint_is_a_flow_that_disagrees():
    flow = measured("elman-softmax", backends=(MANUAL, TORCH, Faulty(in_adjoints(("h", 4)))))
    assert flow.comparison.verdict == "disagree"


def without_adjoints(name):
    return Faulty(lambda answer, problem: replace(answer, adjoints={}), name)


def test_without_adjoints_there_is_nothing_to_show():
    with pytest.raises(RequestError, match="no backend gave the adjoints of the states: ask manual, torch or jax"):
        measured("elman-softmax", backends=(without_adjoints("one"), without_adjoints("other")))
    assert measured("elman-softmax", backends=(without_adjoints("one"), TORCH)).norms[-1] > 0


def test_sequences_of_unequal_length_have_no_last_step_in_common():
    with pytest.raises(RequestError, match="elman-lengths has sequences of unequal length"):
        measured("elman-lengths")


@pytest.mark.parametrize("name", ["mlp", "logistic-regression", "ordered-derivatives"])
def test_a_system_without_time_has_no_flow(name):
    with pytest.raises(RequestError, match=f"{name} has no time, and so no gradient flow: expected a recurrent system"):
        measured(name)


RECURRENT = [name for name, system in SYSTEMS.items() if isinstance(system.model, Recurrent) and not system.lengths]


@pytest.mark.parametrize("name", RECURRENT)
def test_every_recurrent_system_has_a_flow(name):
    flow = measured(name, seq_len=4)
    assert (flow.comparison.verdict, len(flow.norms)) == ("agree", 5)
    assert flow.norms[-1] > 0


def test_every_system_is_measured_at_every_scale():
    reported = []
    flows = measure_flow(
        [SYSTEMS["gru"], SYSTEMS["elman-relu"]],
        [0.5, 2.0],
        [MANUAL, TORCH],
        seq_len=3,
        progress=lambda label, done: reported.append((label, done)),
    )
    assert [flow.label for flow in flows] == ["gru × 0.5", "gru × 2", "elman-relu × 0.5", "elman-relu × 2"]
    assert reported == [(flow.label, i + done) for i, flow in enumerate(flows) for done in (0, 1)]
