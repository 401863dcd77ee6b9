from dataclasses import replace

import numpy as np
import pytest
from drawing import problems
from gradparity.backends import InvalidProblemError, Problem, Recurrent
from hypothesis import given, settings

MODEL = Recurrent("rnn", 3, 5, 4)


def make(model=MODEL, **options):
    return Problem.from_seed(model, **{"seq_len": 7, "batch_size": 2, "seed": 0, **options})


def test_the_same_seed_gives_the_same_problem():
    assert make().fingerprint == make().fingerprint
    assert make().fingerprint != make(seed=1).fingerprint


def test_the_first_numbers_of_a_seed_are_these():
    """A change of the drawing order would silently change every recorded seed."""
    assert make().fingerprint == "888212b96b75929a11b273cf481924750779ddc1949a24a753690b137d103b74"


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error"])
def test_the_float32_problem_is_the_rounded_float64_one(loss):
    model = replace(MODEL, loss=loss)
    double, single = make(model), make(model, dtype="float32")
    assert single.dtype == np.float32
    for name, array in double.arrays().items():
        np.testing.assert_array_equal(single.arrays()[name], array.astype(single.arrays()[name].dtype))


def test_no_bias_and_no_initial_state_is_drawn_as_zero():
    problem = make()
    for array in (problem.params["b"], problem.params["c"], problem.h0):
        assert np.all(array != 0)


def test_the_gain_multiplies_the_recurrent_weights_and_nothing_else():
    plain, scaled = make().arrays(), make(recurrent_gain=3.0).arrays()
    np.testing.assert_array_equal(scaled.pop("params.W"), 3 * plain.pop("params.W"))
    for name, array in plain.items():
        np.testing.assert_array_equal(scaled[name], array)


def test_the_fingerprint_covers_the_model_and_every_array():
    problem = make(lengths=[7, 3])
    changed = [replace(problem, model=replace(MODEL, reduction="mean")), replace(problem, lengths=None)]
    for name in ("inputs", "targets", "h0", "lengths"):
        array = getattr(problem, name).copy()
        array.flat[0] = 1
        changed.append(replace(problem, **{name: array}))
    for name, parameter in problem.params.items():
        changed.append(replace(problem, params=problem.params | {name: parameter + 1}))
    fingerprints = {each.fingerprint for each in (problem, *changed)}
    assert len(fingerprints) == 1 + len(changed)


def test_a_problem_keeps_its_own_arrays_and_nobody_can_write_to_them():
    inputs = np.zeros((7, 2, 3))
    problem = replace(make(), inputs=inputs)
    inputs[:] = 1
    assert not problem.inputs.any()
    for array in problem.arrays().values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(TypeError):
        problem.params["W"] = np.zeros((5, 5))


def test_a_writable_copy_shares_nothing():
    problem = make(lengths=[7, 3])
    before = problem.fingerprint
    copy = problem.writable_copy()
    assert copy.fingerprint == before
    for array in copy.arrays().values():
        array[...] = 0
    copy.params["W"] = np.ones(1)
    assert problem.fingerprint == before


def test_real_data_gets_the_parameters_that_the_seed_would_give():
    drawn = make()
    given_data = Problem.from_data(MODEL, drawn.inputs, drawn.targets, seed=0)
    assert given_data.fingerprint == drawn.fingerprint


@settings(max_examples=25)
@given(problem=problems())
def test_a_saved_problem_comes_back_the_same(problem, tmp_path_factory):
    path = problem.save(tmp_path_factory.mktemp("cases") / "case.npz")
    back = Problem.load(path)
    assert back.model == problem.model
    assert back.fingerprint == problem.fingerprint
    assert back.dtype == problem.dtype


def wrong(name, value):
    """The problem with one array replaced."""
    problem = make(lengths=[7, 3])
    if name.startswith("params."):
        return replace(problem, params=problem.params | {name.removeprefix("params."): value})
    return replace(problem, **{name: value})


def with_entry(array, index, value):
    copy = array.copy()
    copy[index] = value
    return copy


GOOD = make(lengths=[7, 3])


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("params.W", np.zeros((5, 4)), "params['W'] has shape (5, 4), expected (H, H) = (5, 5)"),
        ("params.U", GOOD.params["U"].T, "params['U'] has shape (3, 5), expected (H, D) = (5, 3)"),
        ("params.B", np.zeros(5), "params: unknown parameter 'B': "),
        ("params.b", np.zeros(5, int), "params['b'] is int64, expected float64, the dtype of inputs"),
        ("params.V", np.zeros((4, 5), "float32"), "params['V'] is float32, expected float64, the dtype of inputs"),
        ("params.W", with_entry(GOOD.params["W"], (3, 1), np.nan), "params['W'][3, 1] = nan, expected a finite number"),
        ("inputs", with_entry(GOOD.inputs, (4, 1, 2), -np.inf), "inputs[4, 1, 2] = -inf, expected a finite number"),
        ("inputs", np.zeros((7, 2, 3), int), "inputs is int64, expected float64 or float32"),
        ("inputs", np.zeros((7, 2, 3), "float16"), "inputs is float16, expected float64 or float32"),
        ("inputs", [[1.0], [1.0, 2.0]], "inputs is no array: "),
        ("h0", "zeros", "h0 is <U5, expected an array of numbers"),
        ("inputs", np.zeros((7, 6)), "inputs has shape (7, 6), expected (T, B, D): time, batch, input_size"),
        ("inputs", np.zeros((0, 2, 3)), "inputs has shape (0, 2, 3): it has no time steps (T), expected at least 1"),
        ("inputs", np.zeros((7, 0, 3)), "inputs has shape (7, 0, 3): it has no sequences (B), expected at least 1"),
        ("inputs", np.zeros((7, 2, 4)), "inputs has shape (7, 2, 4), expected (T, B, D) = (7, 2, 3)"),
        ("h0", np.zeros((5, 2)), "h0 has shape (5, 2), expected (B, H) = (2, 5)"),
        ("targets", with_entry(GOOD.targets, (4, 0), 4), "targets[4, 0] = 4, expected a label in 0..3"),
        ("targets", with_entry(GOOD.targets, (6, 1), -100), "targets[6, 1] = -100, expected a label in 0..3"),
        ("targets", GOOD.targets.astype(float), "targets is float64, expected integers"),
        ("targets", GOOD.targets.T, "targets has shape (2, 7), expected (T, B) = (7, 2)"),
        ("lengths", np.array([7, 8]), "lengths[1] = 8, expected a length in 1..7"),
        ("lengths", np.array([0, 7]), "lengths[0] = 0, expected a length in 1..7"),
        ("lengths", np.array([7.0, 3.0]), "lengths is float64, expected integers"),
        ("lengths", np.array([7]), "lengths has shape (1,), expected (B,) = (2,)"),
    ],
)
def test_a_wrong_array_is_named_with_its_place_and_what_was_expected(name, value, message):
    with pytest.raises(InvalidProblemError) as error:
        wrong(name, value)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_missing_parameter_is_named():
    with pytest.raises(InvalidProblemError, match="params has no 'W', expected U, W, b, V, c"):
        replace(GOOD, params={name: array for name, array in GOOD.params.items() if name != "W"})


def test_a_sigmoid_target_outside_its_range_is_named():
    problem = make(replace(MODEL, loss="sigmoid_cross_entropy"))
    with pytest.raises(InvalidProblemError, match=r"targets\[2, 1, 3\] = 1.5, expected a number in \[0, 1\]"):
        replace(problem, targets=with_entry(problem.targets, (2, 1, 3), 1.5))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"recurrent_gain": "2"}, "recurrent_gain = '2', expected a finite number"),
        ({"lengths": [[1], [1, 2]]}, "lengths is no array: ValueError: setting an array element with a sequence. The"),
        ({"model": "elman"}, "model is a str, expected a Recurrent"),
        ({"seq_len": 0}, "seq_len = 0, expected an integer of at least 1"),
        ({"batch_size": 0}, "batch_size = 0, expected an integer of at least 1"),
        ({"seed": -1}, "seed = -1, expected an integer of at least 0"),
        ({"dtype": "float16"}, "dtype is float16, expected float64 or float32"),
    ],
)
def test_a_wrong_request_for_a_seed_is_refused(option, message):
    with pytest.raises(InvalidProblemError) as error:
        make(**option)
    assert str(error.value).startswith(message)


def test_an_unknown_dtype_is_answered_with_the_nearest():
    with pytest.raises(LookupError, match="did you mean 'float64'"):
        make(dtype="float46")
