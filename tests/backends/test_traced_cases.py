"""A recorded program as a file: the same to the bit, and refused wherever anything of it was changed."""

from __future__ import annotations

import json
from copy import deepcopy

import numpy as np
import pytest
from gradparity.backends import InvalidProblemError, Problem, get_backend
from gradparity.backends.models import model_from
from gradparity.backends.models.operations import OPERATIONS, result_shape
from gradparity.backends.models.traced_parts import parts_of, traced_from
from gradparity.backends.registry import ENGINES
from gradparity.backends.tracing.primitives import PRIMITIVES
from gradparity.backends.tracing.trace import trace


def loss(w, x, mask):
    h = np.tanh(w @ x)
    h = np.where(mask, h, -np.inf)
    if h.max() > 0:
        h = np.exp(h - h.max()) / 3
    return (h.astype(np.float32).sum(axis=0) * np.cumsum(x.astype(np.float32))[1]).sum()


def made():
    rng = np.random.default_rng(0)
    given = {"w": rng.normal(size=(3, 3)), "x": rng.normal(size=3), "mask": np.array([True, False, True])}
    traced = trace(loss, given)
    return Problem(traced.model(traced.returned, {"w": "w"}), {"w": given["w"]})


PROBLEM = made()
VALUES, ARRAYS = parts_of(PROBLEM.model)


def test_a_saved_program_is_the_same_to_the_bit(tmp_path):
    loaded = Problem.load(PROBLEM.save(tmp_path / "case.npz"))
    assert loaded.fingerprint == PROBLEM.fingerprint
    for engine in ENGINES:
        before, after = (get_backend(engine).evaluate(problem) for problem in (PROBLEM, loaded))
        assert before.loss == after.loss
        assert np.array_equal(before.gradients["w"], after.gradients["w"])
    assert str(loaded.model.operations[0].place) == "test_traced_cases.py:20, in loss"


def test_no_line_of_the_program_is_in_the_file():
    assert b"np.tanh" not in PROBLEM.to_bytes()
    assert b"w @ x" not in PROBLEM.to_bytes()


def test_a_fingerprint_depends_on_all_that_is_computed():
    def other(change):
        values, arrays = deepcopy(VALUES), {name: array.copy() for name, array in ARRAYS.items()}
        change(values, arrays)
        return Problem(traced_from(values, arrays), PROBLEM.params).fingerprint

    def another_function(values, arrays):
        next(one for one in values["operations"] if one[0] == "tanh")[0] = "arcsinh"

    def another_constant(values, arrays):
        arrays["constants.float64"][np.isfinite(arrays["constants.float64"])] += 1

    def another_value(values, arrays):
        arrays["fixed.float64"][-1] += 1

    changes = (another_function, another_constant, another_value)
    assert len({PROBLEM.fingerprint, *map(other, changes)}) == 1 + len(changes)


def places_in(values, path=()):
    """The paths of all plain values in nested lists and dicts."""
    if isinstance(values, dict | list):
        items = values.items() if isinstance(values, dict) else enumerate(values)
        return [place for key, one in items for place in places_in(one, (*path, key))]
    return [path]


def read(values):
    """The recording, or the message that refuses it."""
    try:
        return traced_from(values, ARRAYS), ""
    except InvalidProblemError as error:
        return None, str(error)


WRONG = (-1, 10**12, 1.5, None, "other", [], [[[[]]]], True)


def test_whatever_is_changed_in_the_values_is_refused_or_another_program():
    before = PROBLEM.model.description["digest"]
    tried = accepted = 0
    for place in places_in(VALUES):
        for wrong in WRONG:
            values = deepcopy(VALUES)
            inner = values
            for key in place[:-1]:
                inner = inner[key]
            if type(inner[place[-1]]) is type(wrong) and inner[place[-1]] == wrong:
                continue
            inner[place[-1]] = wrong
            tried += 1
            model, message = read(values)
            if message:
                assert message.startswith("no recording: ")
                assert "\n" not in message
            else:
                is_place = place[0] in ("operations", "decisions") and place[-1] == len(inner) - 1
                assert is_place or model.description["digest"] != before, (place, wrong)
                accepted += 1
    assert accepted < tried / 4


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_arrays_of_another_size_or_dtype_are_refused(name):
    for changed in (
        ARRAYS[name].astype("float16"),
        ARRAYS[name][:-1],
        np.append(ARRAYS[name], 1).astype(ARRAYS[name].dtype),
    ):
        if changed.dtype == ARRAYS[name].dtype and len(changed) == len(ARRAYS[name]):
            continue
        with pytest.raises(InvalidProblemError):
            traced_from(VALUES, ARRAYS | {name: changed})
    with pytest.raises(InvalidProblemError):
        traced_from(VALUES, {key: array for key, array in ARRAYS.items() if key != name})


@pytest.mark.parametrize("number", [-1, 10**6])
def test_an_entry_that_nothing_makes_is_refused(number):
    origins = ARRAYS["origins"].copy()
    origins[0] = number
    with pytest.raises(InvalidProblemError, match="an entry that nothing makes"):
        traced_from(VALUES, ARRAYS | {"origins": origins})


def test_an_operation_that_takes_its_own_result_is_refused():
    first = VALUES["operations"][0]
    values = deepcopy(VALUES)
    origins = ARRAYS["origins"].copy()
    origins[0] = first[2]
    with pytest.raises(InvalidProblemError, match="takes what is not there yet"):
        traced_from(values, ARRAYS | {"origins": origins})


def test_a_recording_is_not_made_from_a_description_alone():
    with pytest.raises(InvalidProblemError, match="not made from a description alone"):
        model_from({"family": "Traced", **PROBLEM.model.description})


def test_the_values_are_json():
    assert json.loads(json.dumps(VALUES)) == VALUES


def test_every_operation_has_a_rule_and_a_shape():
    assert set(OPERATIONS) == set(PRIMITIVES)
    assert result_shape("add", [(2, 1), (1, 3)], {}) == (2, 3)
    assert result_shape("logdet", [(4, 2, 2)], {}) == (4,)
    assert result_shape("cast", [(2,)], {"dtype": np.dtype("float32")}) == (2,)


@pytest.mark.parametrize(
    ("name", "shapes", "parameters"),
    [
        ("save", [(2,)], {}),
        ("add", [(2,)], {}),
        ("add", [(2,), (2, 2)], {}),
        ("add", [(2,), (3,)], {}),
        ("tanh", [(2,)], {"axis": -1}),
        ("matmul", [(2, 3), (2, 3)], {}),
        ("matmul", [(3,), (3, 3)], {}),
        ("inverse", [(2, 3)], {}),
        ("sum", [(2, 3)], {"axes": (0,)}),
        ("sum", [(2, 3)], {"axes": (-1, -1)}),
        ("cumsum", [(2, 3)], {"axis": -3}),
    ],
)
def test_an_operation_of_wrong_operands_is_refused(name, shapes, parameters):
    with pytest.raises(ValueError, match=name):
        result_shape(name, shapes, parameters)
