"""A recorded program as a file: the same to the bit, and refused wherever anything of it was changed."""

from __future__ import annotations

import json
import time
import tracemalloc
from copy import deepcopy

import numpy as np
import pytest
from gradparity.backends import InvalidProblemError, Problem, RequestError, get_backend
from gradparity.backends.models import model_from, traced_reading
from gradparity.backends.models.traced_parts import parts_of
from gradparity.backends.models.traced_reading import traced_from
from gradparity.backends.problems import case_file
from gradparity.backends.registry import ENGINES
from gradparity.backends.tracing.pruning import pruned
from gradparity.backends.tracing.trace import trace
from gradparity.compare.certificate import certify
from gradparity.compare.tolerance import measure_tolerance
from sampling import case


def loss(w, x, mask):
    h = np.tanh(w @ x)
    h = np.where(mask, h, -np.inf)
    if h.max() > -1:
        h = np.exp(h - h[np.argmax(h)]) / 3
    unused = np.sinh(w)
    s = np.sort(w, axis=0)[::-1] + np.floor(w) + w.argmin(axis=np.int64(1)) + np.argsort(w)[0, 0]
    s = s + np.argsort(w, axis=None)[0]
    narrow = h.astype(np.float32).sum(axis=0) * np.cumsum(x.astype(np.float32))[1]
    return narrow.sum() + s[0, 1] * np.linalg.inv(w)[0, 1] + np.abs(x).sum() ** 2 + 0 * unused.size


def not_understood(w):
    """With a decision of which the name alone is known."""
    return (w * w).sum() * (2 if np.isin(w, 3.0).any() else 1)


RNG = np.random.default_rng(0)
GIVEN = {"w": RNG.normal(size=(3, 3)), "x": RNG.normal(size=3), "mask": np.array([True, False, True])}


def problem_of(function, given, wrt):
    traced = trace(function, given)
    return Problem(
        pruned(traced.model(traced.returned, {name: name for name in wrt})), {one: given[one] for one in wrt}
    )


PROBLEM = problem_of(loss, GIVEN, ("w", "x"))
VALUES, ARRAYS = parts_of(PROBLEM.model)


def evaluated(problem):
    """What the engines, the measurement of the limit and the certificate make of a problem."""
    for engine in ENGINES:
        answer = get_backend(engine).evaluate(problem)
        yield from (answer.loss, *answer.gradients.values())
    tolerance = measure_tolerance(problem)
    yield from (tolerance.allowed[name] for name in ("loss", "dw", "dx"))
    yield from (str(one.blocks) for one in certify(problem).exact.values())


def test_a_saved_program_is_the_same_to_the_bit(tmp_path):
    loaded = Problem.load(PROBLEM.save(tmp_path / "case.npz"))
    assert loaded.fingerprint == PROBLEM.fingerprint
    assert loaded.to_bytes() == PROBLEM.to_bytes()
    assert loaded.summary == PROBLEM.summary
    before, after = list(evaluated(PROBLEM)), list(evaluated(loaded))
    assert len(before) == 3 * len(ENGINES) + 3 + 3
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))


def test_what_was_left_out_of_a_recording_takes_no_room():
    traced = trace(loss, GIVEN)
    model = traced.model(traced.returned, {"w": "w"})
    assert "sinh" in {operation.primitive for operation in model.operations}
    smaller = pruned(model)
    assert "sinh" not in {operation.primitive for operation in smaller.operations}
    assert sum(smaller.sizes.values()) == sum(block.stop - block.start for block in smaller.blocks) + 2
    assert sum(smaller.sizes.values()) < sum(model.sizes.values())


def test_an_array_that_nothing_takes_takes_no_room_and_the_others_keep_their_numbers():
    def read(table, w, single, x):
        return (w * x).sum() + x[0], (table, single)

    given = {"table": np.arange(50.0), "w": np.ones(3), "single": np.ones(7, "f4"), "x": np.array([2.0, 3.0, 4.0])}
    traced = trace(read, given)
    model = traced.model(traced.returned[0], {"w": "w"})
    smaller = pruned(model)
    assert [block.stop - block.start for block in smaller.arguments] == [3, 3]
    assert smaller.fixed[np.dtype("float64")].tolist() == [1.0, 1.0, 1.0, 2.0, 3.0, 4.0]
    assert sum(smaller.sizes.values()) == sum(block.stop - block.start for block in smaller.blocks) + 2
    for engine in ENGINES:
        answer = get_backend(engine).evaluate(Problem(smaller, {"w": given["w"]}))
        assert (float(answer.loss), answer.gradients["w"].tolist()) == (11.0, [2.0, 3.0, 4.0])


def test_places_are_kept_without_a_line_of_the_program():
    (place,) = (one.place for one in PROBLEM.model.operations if one.primitive == "tanh")
    (saved,) = (one.place for one in traced_from(VALUES, ARRAYS).operations if one.primitive == "tanh")
    assert str(place) == f"{saved}: np.tanh(w @ x)"
    assert (saved.file, saved.function, saved.line) == ("test_traced_cases.py", "loss", place.line)
    assert saved.columns == (8, 8 + len("np.tanh(w @ x)"))
    assert b"np.tanh" not in PROBLEM.to_bytes()


def test_a_fingerprint_depends_on_all_that_is_computed_and_on_no_place():
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

    def another_decision(values, arrays):
        values["decisions"][0][4] ^= True

    def another_place(values, arrays):
        values["places"][0][2] += 1

    changes = (another_function, another_constant, another_value, another_decision)
    moved = PROBLEM.params["w"] + 1
    others = {*map(other, changes), Problem(PROBLEM.model, {**PROBLEM.params, "w": moved}).fingerprint}
    assert len({PROBLEM.fingerprint, *others}) == 2 + len(changes)
    assert other(another_place) == PROBLEM.fingerprint


def test_a_decision_that_is_not_understood_keeps_its_name():
    problem = problem_of(not_understood, {"w": np.ones(2)}, ["w"])
    loaded = Problem.from_bytes(problem.to_bytes())
    assert loaded.fingerprint == problem.fingerprint
    for one in (problem, loaded):
        with pytest.raises(RequestError, match=r"in not_understood.*: a decision by isin cannot be enclosed"):
            certify(one)


def places_in(values, path=()):
    """The paths of everything in nested lists and dicts."""
    if isinstance(values, dict | list):
        items = values.items() if isinstance(values, dict) else enumerate(values)
        inner = [place for key, one in items for place in places_in(one, (*path, key))]
        return [path, *inner] if path else inner
    return [path]


def with_changed(values, place, wrong):
    """The values with another one in a place; None if it is the same."""
    values = deepcopy(values)
    inner = values
    for key in place[:-1]:
        inner = inner[key]
    if type(inner[place[-1]]) is type(wrong) and inner[place[-1]] == wrong:
        return None
    inner[place[-1]] = wrong
    return values


def read(values, arrays):
    """The recording, or the message that refuses it, in one line."""
    try:
        return traced_from(values, arrays), ""
    except InvalidProblemError as error:
        message = str(error)
        assert message.startswith("no recording: ")
        assert message.isprintable()
        assert len(message) < 300
        return None, message


WRONG = (-1, 1, 12, 10**12, 10**30, 1.5, float("nan"), None, True, "tanh", "less", "\x1b[2J", [], [-1], [[[[]]]], {})


@pytest.mark.parametrize("every", [case(1, campaign=True), 71])
def test_whatever_is_changed_in_the_values_is_refused_or_another_program(every):
    """Another program is refused by the fingerprint; here, where there is none, nothing fails in another way."""
    accepted = []
    changes = [(place, wrong) for place in places_in(VALUES) for wrong in WRONG][::every]
    for place, wrong in changes:
        values = with_changed(VALUES, place, wrong)
        model, _ = (None, "") if values is None else read(values, ARRAYS)
        if model is None:
            continue
        of_place = place[0] == "places" or (place[0] in ("operations", "decisions") and place[-1] in (3, 6))
        assert of_place or model.description != PROBLEM.model.description, (place, wrong)
        accepted.append(model)
    assert 0 < len(accepted) < len(changes) / 8
    for number in np.random.default_rng(0).choice(len(accepted), min(40, len(accepted)), replace=False):
        model = accepted[number]
        with np.errstate(all="ignore"):
            try:
                list(evaluated(Problem(model, PROBLEM.params)))
            except (RequestError, np.linalg.LinAlgError):
                continue


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_arrays_of_another_size_or_dtype_are_refused(name):
    array = ARRAYS[name]
    longer = np.append(array, array.dtype.type(1))
    for changed in (array.astype("float16"), longer, longer[:, None], *([array[:-1]] if len(array) else [])):
        assert read(VALUES, ARRAYS | {name: changed})[1]
    without = {key: one for key, one in ARRAYS.items() if key != name}
    assert f"arrays: there is no '{name}'" in read(VALUES, without)[1]
    assert "arrays: 'other' is not one of" in read(VALUES, ARRAYS | {"other": array})[1]


@pytest.mark.parametrize("name", [name for name in sorted(ARRAYS) if ARRAYS[name].size])
def test_whatever_is_changed_in_an_array_is_refused_or_another_program(name):
    for place in range(len(ARRAYS[name])):
        for wrong in (-1, 0, 1, 5, 2**40, *((np.nan, np.inf, 0.5) if ARRAYS[name].dtype.kind == "f" else ())):
            changed = ARRAYS[name].copy()
            changed[place] = wrong
            if changed.tobytes() == ARRAYS[name].tobytes():
                continue
            model, message = read(VALUES, ARRAYS | {name: changed})
            assert message or model.description != PROBLEM.model.description, (place, wrong)


def test_a_file_with_anything_changed_in_it_is_refused(tmp_path):
    """As a whole: by what is checked, or by the fingerprint."""
    header, arrays = case_file.read(PROBLEM.save(tmp_path / "case.npz"))
    for name, array in arrays.items():
        places = range(array.size) if array.size < 100 else RNG.integers(0, array.size, 100)
        for place in places:
            changed = array.copy()
            changed.view("uint8").reshape(-1)[place * array.itemsize] ^= 1
            try:
                loaded = Problem.from_bytes(case_file.packed(header, arrays | {name: changed}))
            except InvalidProblemError:
                continue
            assert name == "recording.values"  # a digit of a place, or of a name of one
            assert loaded.fingerprint == PROBLEM.fingerprint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "values is no JSON"),
        (b"\xff", "values is no JSON"),
        (b"[" * 100_000, "values is no JSON: RecursionError"),
        (b'{"a": 1, "a": 2}', "'a' stands in it twice"),
        (b"[]", "values: a list of 0, expected values by name"),
        (b"9" * 5000, "values is no JSON"),
    ],
)
def test_values_that_are_none_are_refused(text, message):
    with pytest.raises(InvalidProblemError, match=message):
        traced_reading.unpacked({"values": np.frombuffer(text, "uint8"), **ARRAYS})
    with pytest.raises(InvalidProblemError, match="values is float64"):
        traced_reading.unpacked({"values": np.zeros(3), **ARRAYS})


HUGE = [2**27, 2**27]


@pytest.mark.parametrize(
    ("place", "wrong", "message"),
    [
        (("operands", 0, 1), HUGE, "operands[0]: a shape of 18014398509481984 numbers, expected at most 268435456"),
        (("operands", 0, 1), [2**28, 3], "operands[0]: a shape of 805306368 numbers, expected at most 268435456"),
        (("operands", 2, 2), 10**6, "operands[2]: it holds the entries 1000000 to 1000002, expected those below "),
        (("operands", 0, 1), [1] * 33, "operands[0]: a shape of 33 axes, expected at most 32"),
        (("arguments", 0, 1), 2**28, "arguments[0]: more than 268435456 entries"),
        (("arguments", 0, 1), 2**27, "fixed.float64 has 12 numbers, expected 134217731 or more"),
        (("differentiated", 0, 2), [2**20], "differentiated[0]: it holds the entries"),
        (("decisions", 0, 3), HUGE, "decisions[0]: a shape of"),
        (("loss", 1), 10**6, "loss: 1000000, expected an integer in 0.."),
        (("operations", 0, 0), "system", 'operations[0]: unknown operation "system"'),
        (("operations", 0, 1), [1, 0], "operations[0]: matmul of shapes"),
        (("operands", 0, 2), 40, "operations[0]: matmul takes an entry that is not there yet"),
        (("operations", 0, 2), [-1], "operations[0]: matmul has the parameter a list of 1, expected none"),
        (("differentiated", 1, 0), "w", "differentiated[1]: a name stands in it twice"),
        (("differentiated", 0, 3), 20, "differentiated[0]: it holds the entries 20 to 28, expected those below 13"),
        (("decisions", 0, 1), [], "decisions[0]: argmax has 0 operands, expected 1"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_before_anything_large_is_made(place, wrong, message):
    values = with_changed(VALUES, place, wrong)
    tracemalloc.start()
    said = read(values, ARRAYS)[1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert message in said
    assert peak < 2**20


def test_sums_of_many_operations_are_limited_before_they_are_made():
    values = deepcopy(VALUES)
    values["operands"] += [[64, [9, 1], 1], [64, [1, 9], 1]]
    size, last = 81, 1 + VALUES["loss"][1]
    values["operations"].append(["add", [len(VALUES["operands"]), len(VALUES["operands"]) + 1], None, None])
    while size < 2**40:
        values["operands"] += [[64, [size, 1], last], [64, [1, size], last]]
        number, last, size = len(values["operands"]), last + size, size * size
        values["operations"].append(["add", [number - 2, number - 1], None, None])
    assert "more than 268435456 entries" in read(values, ARRAYS)[1]


def test_what_is_differentiated_by_is_an_argument():
    values = deepcopy(VALUES)
    values["differentiated"][1][3] = 0
    assert "differentiated[1]: it is no argument" in read(values, ARRAYS)[1]
    values["differentiated"][1][3] = -1
    for listed, message in (
        ([10, 11, 12], ""),
        ([10, 11, 0], "a number of it is no argument's"),
        ([10, 11, 13], "there"),
    ):
        said = read(values, ARRAYS | {"origins": np.append(ARRAYS["origins"], listed)})[1]
        assert message in said
        assert bool(said) is bool(message)


@pytest.mark.parametrize("number", [-1, 10**6])
def test_an_entry_that_nothing_makes_is_refused(number):
    origins = ARRAYS["origins"].copy()
    origins[0] = number
    assert "it holds an entry that there is not, expected those below" in read(VALUES, ARRAYS | {"origins": origins})[1]


def test_params_are_finite_and_of_one_mind():
    with pytest.raises(InvalidProblemError, match=r"params\['x'\]\[1\] = nan, expected a finite number"):
        Problem(PROBLEM.model, {**PROBLEM.params, "x": np.array([1, np.nan, 1])})
    with pytest.raises(InvalidProblemError, match=r"params\['w'\] is float32, expected float64"):
        Problem(PROBLEM.model, {**PROBLEM.params, "w": np.ones((3, 3), "float32")})
    with pytest.raises(InvalidProblemError, match="differentiated by nothing"):
        Problem(traced_from({**VALUES, "differentiated": []}, ARRAYS), {})
    shared = deepcopy(VALUES)
    shared["differentiated"][1][3] = 1  # x is the first row of w
    model = traced_from(shared, ARRAYS)
    w = PROBLEM.params["w"]
    assert Problem(model, {"w": w, "x": w[0]}).params["x"][0] == w[0, 0]
    with pytest.raises(InvalidProblemError, match=r"params\['w'\]\[0, 1\] = .*, expected the number in another place"):
        Problem(model, {"w": w, "x": w[0] + [0, 1, 0]})


def test_numbers_are_not_drawn_for_a_recorded_program():
    for draw in (Problem.from_seed, lambda model, seed: Problem.from_data(model, np.ones(3), None, seed=seed)):
        with pytest.raises(InvalidProblemError, match="loss, recorded: its arguments are not drawn from a seed"):
            draw(PROBLEM.model, seed=0)


def test_a_recording_is_not_made_from_a_description_alone():
    with pytest.raises(InvalidProblemError, match="not made from a description alone"):
        model_from({"family": "Traced", **PROBLEM.model.description})


def test_the_values_are_json():
    assert json.loads(json.dumps(VALUES)) == VALUES


@pytest.mark.campaign
def test_a_long_program_is_saved_and_read_quickly_and_in_little_room():
    def walk(w, x):
        for _ in range(2000):
            w = w * x + 0.5
        return w.sum()

    problem = problem_of(walk, {"w": np.ones(20), "x": np.full(20, 0.5)}, ["w"])
    started = time.process_time()
    content = problem.to_bytes()
    assert Problem.from_bytes(content).fingerprint == problem.fingerprint
    assert time.process_time() - started < 4  # 0.6 s where it was written
    assert len(content) < 80 * len(problem.model.operations)
