"""A stack is composed of single layers, and a layer of both directions of two, one of them on reversed time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import Problem, Recurrent
from gradparity.backends.references.manual_backend import answer
from gradparity.manual import through_time
from gradparity.manual.losses import length_mask
from gradparity.manual.stack import CELLS

T, H = 6, 5
of_every_cell = pytest.mark.parametrize("cell", CELLS)
with_and_without_lengths = pytest.mark.parametrize("lengths", [None, [6, 1, 4]])


def make(cell, lengths=None, **options):
    return Problem.from_seed(Recurrent(cell, 3, H, 4, **options), seq_len=T, batch_size=3, seed=0, lengths=lengths)


def single(problem, prefix, suffix, number):
    """The parameters and the initial states of one layer and direction, under the names of a single layer."""
    names = {name: f"{prefix}{name}{suffix}" for name in ("U", "W", "b", "b_hn")}
    params = {name: problem.params[full] for name, full in names.items() if full in problem.params}
    return params, tuple(state[number] for state in problem.states.values())


def run(problem, prefix, suffix, number, x, dh_of):
    """One layer on x: its states, and its derivatives once it is told what its states receive."""
    params, initial = single(problem, prefix, suffix, number)
    lengths = np.full(3, T) if problem.lengths is None else problem.lengths
    mask, turn = length_mask(lengths, T), slice(None, None, -1 if suffix else 1)
    cell = CELLS[problem.model.cell]
    h, cache = cell.forward(params, x[turn], initial, mask[turn])
    return h[turn], through_time.backward(cell, dh_of[turn], cache)


def assert_same(found, expected, *, part=1e-13):
    """Equal but for the roundings of sums in another order, as a part of the largest entry."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=part * np.abs(expected).max(initial=0))


def assert_is_the_layer(found, layer, prefix, suffix, number):
    """The gradients and adjoints of a whole network hold those of this layer and direction."""
    turn = slice(None, None, -1 if suffix else 1)
    for name in ("U", "W", "b", "b_hn"):
        full = f"{prefix}{name}{suffix}"
        if full in found.gradients:
            assert_same(found.gradients[full], layer.params[name])
    for name, adjoint in layer.adjoints.items():
        assert_same(found.adjoints[f"{prefix}{name}{suffix}"], adjoint[turn])
    for name, initial in zip(("h0", "c0"), layer.initial, strict=False):
        assert_same(found.gradients[name][number], initial)


@of_every_cell
@with_and_without_lengths
def test_the_states_of_a_layer_are_the_inputs_of_the_next(cell, lengths):
    problem = make(cell, lengths, num_layers=2)
    found = answer(problem)
    unknown = np.zeros((T, 3, H))
    below, _ = run(problem, "layer0.", "", 0, problem.inputs, unknown)
    _, upper = run(problem, "layer1.", "", 1, below, found.adjoints["o"] @ problem.params["V"])
    _, lower = run(problem, "layer0.", "", 0, problem.inputs, upper.x)
    assert_is_the_layer(found, upper, "layer1.", "", 1)
    assert_is_the_layer(found, lower, "layer0.", "", 0)
    assert_same(found.gradients["inputs"], lower.x)


@of_every_cell
@with_and_without_lengths
def test_both_directions_are_two_layers_one_on_reversed_time(cell, lengths):
    problem = make(cell, lengths, bidirectional=True)
    found, V = answer(problem), problem.params["V"]
    do = found.adjoints["o"]
    onward, forth = run(problem, "", "", 0, problem.inputs, do @ V[:, :H])
    turned, back = run(problem, "", ".reverse", 1, problem.inputs, do @ V[:, H:])
    assert_is_the_layer(found, forth, "", "", 0)
    assert_is_the_layer(found, back, "", ".reverse", 1)
    assert_same(found.gradients["inputs"], forth.x + back.x[::-1])
    mask = length_mask(np.full(3, T) if lengths is None else problem.lengths, T)[..., None]
    assert_same(found.outputs, mask * (onward @ V[:, :H].T + turned @ V[:, H:].T + problem.params["c"]))


@of_every_cell
def test_turning_time_exchanges_the_directions(cell):
    problem = make(cell, bidirectional=True)
    other = {"": ".reverse", ".reverse": ""}

    def exchanged(name):
        base = name.removesuffix(".reverse")
        return base + other[name[len(base) :]] if f"{base}.reverse" in problem.params else name

    params = {exchanged(name): array for name, array in problem.params.items()}
    params["V"] = np.roll(problem.params["V"], H, axis=1)
    states = {name: state[::-1] for name, state in problem.states.items()}
    mirror = replace(problem, params=params, inputs=problem.inputs[::-1], targets=problem.targets[::-1], **states)
    found, mirrored = answer(problem), answer(mirror)
    assert mirrored.loss == pytest.approx(found.loss, rel=1e-14)
    assert_same(mirrored.outputs, found.outputs[::-1])
    assert_same(mirrored.gradients["inputs"], found.gradients["inputs"][::-1])
    assert_same(mirrored.gradients["h0"], found.gradients["h0"][::-1])
    assert_same(mirrored.gradients["V"], np.roll(found.gradients["V"], H, axis=1))
    for name in ("U", "W", "b"):
        assert_same(mirrored.gradients[f"{name}.reverse"], found.gradients[name])


@of_every_cell
def test_the_second_direction_begins_at_a_sequences_own_end(cell):
    """So the output of its last step knows the second direction's initial state after a single step."""
    problem = make(cell, [6, 1, 4], bidirectional=True)
    problem = replace(problem, model=replace(problem.model, loss_at="last_step"))
    adjoint = answer(problem).adjoints["h.reverse"]
    assert [np.flatnonzero(adjoint[:, b].any(axis=1)).tolist() for b in range(3)] == [[5], [0], [3]]


def test_the_names_tell_the_layer_and_the_direction():
    problem = make("lstm", num_layers=2, bidirectional=True)
    found = answer(problem)
    places = [(layer, suffix) for layer in ("layer0.", "layer1.") for suffix in ("", ".reverse")]
    names = [f"{layer}{name}{suffix}" for layer, suffix in places for name in ("U", "W", "b")]
    assert list(found.gradients) == [*names, "V", "c", "h0", "c0", "inputs"]
    assert found.adjoints.keys() == {"o", *(f"{layer}{name}{suffix}" for layer, suffix in places for name in "hca")}
    assert found.gradients["h0"].shape == found.gradients["c0"].shape == (4, 3, H)
