from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import (
    Chunks,
    FeedForward,
    InvalidProblemError,
    LastSteps,
    OrderedSystem,
    Problem,
    Recurrent,
    Window,
)
from gradparity.backends.models import CELLS
from gradparity.compare.testing.strategies import problems
from hypothesis import given, settings
from sampling import examples

MODEL = Recurrent("rnn", 3, 5, 4)
MODELS = {
    **{cell: Recurrent(cell, 3, 5, 4) for cell in CELLS},
    "concatenated": replace(MODEL, concatenated=True),
    "window": replace(MODEL, truncation=Window(2)),
    "chunks": replace(MODEL, truncation=Chunks(2)),
    "last steps": replace(MODEL, truncation=LastSteps(2)),
    "stack": Recurrent("lstm", 3, 5, 4, num_layers=2, bidirectional=True),
    "feed-forward": FeedForward((3, 5, 4)),
    "ordered": OrderedSystem(((0, 0, 0), (2, 0, 0), (1, 3, 0)), (0, 2, 4)),
}
of_every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def make(model=MODEL, **options):
    sizes = {name: {"seq_len": 7, "batch_size": 2}[name] for name in model.LEADING}
    return Problem.from_seed(model, **{**sizes, "seed": 0, **options})


@of_every_model
def test_the_same_seed_gives_the_same_problem(model):
    assert make(model).fingerprint == make(model).fingerprint
    assert make(model).fingerprint != make(model, seed=1).fingerprint


def test_the_first_numbers_of_a_seed_are_these():
    """A change of the drawing order would silently change every recorded seed."""
    assert make().fingerprint == "2b05ab89c28a30eff354eaaad398fe7f987249ea6a6077c20dd1f5bd8bda58c2"
    problem = make(MODELS["stack"])
    drawn = np.random.Generator(np.random.PCG64(0)).standard_normal(
        sum(a.size for a in problem.differentiable.values())
    )
    for name, array in problem.differentiable.items():
        scale = (
            1 if name == "inputs" else array.shape[-1] ** -0.5 if name in problem.params and array.ndim == 2 else 0.5
        )
        values, drawn = np.split(drawn, [array.size])
        np.testing.assert_array_equal(array.ravel(), scale * values)


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error"])
@of_every_model
def test_the_float32_problem_is_the_rounded_float64_one(model, loss):
    model = model if isinstance(model, OrderedSystem) else replace(model, loss=loss)
    double, single = make(model), make(model, dtype="float32")
    assert single.dtype == np.float32
    for name, array in double.arrays().items():
        np.testing.assert_array_equal(single.arrays()[name], array.astype(single.arrays()[name].dtype))


@of_every_model
def test_no_bias_and_no_initial_state_is_drawn_as_zero(model):
    problem = make(model)
    for name, array in problem.differentiable.items():
        assert name == "A" or np.all(array != 0), name


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (MODEL, (2, 5)),
        (replace(MODEL, num_layers=2), (2, 2, 5)),
        (replace(MODEL, bidirectional=True), (2, 2, 5)),
        (replace(MODEL, num_layers=3, bidirectional=True), (6, 2, 5)),
    ],
)
def test_there_is_an_initial_state_for_every_layer_and_direction(model, shape):
    assert make(model).h0.shape == shape
    assert make(model).c0 is None
    lstm = make(replace(model, cell="lstm"))
    assert lstm.h0.shape == lstm.c0.shape == shape


@pytest.mark.parametrize("model", [model for model in MODELS.values() if isinstance(model, Recurrent)])
def test_the_gain_multiplies_the_recurrent_weights_and_nothing_else(model):
    plain, scaled = make(model).arrays(), make(model, recurrent_gain=3.0).arrays()
    for name, array in plain.items():
        factor = np.ones(array.shape[-1])
        if "W" in name:
            factor[3 if name == "params.Wcat" else 0 :] = 3  # the first columns of Wcat are those of U
        np.testing.assert_array_equal(scaled[name], factor * array if "W" in name else array)


def test_the_fingerprint_covers_the_model_and_every_array():
    problem = make(MODELS["lstm"], lengths=[7, 3])
    changed = [replace(problem, model=replace(problem.model, reduction="mean")), replace(problem, lengths=None)]
    changed += [replace(problem, model=replace(problem.model, truncation=Window(n))) for n in (2, 3)]
    for name in ("inputs", "targets", "h0", "c0", "lengths"):
        array = getattr(problem, name).copy()
        array.flat[0] = 2 if array.flat[0] == 1 else 1
        changed.append(replace(problem, **{name: array}))
    for name, parameter in problem.params.items():
        changed.append(replace(problem, params=problem.params | {name: parameter + 1}))
    fingerprints = {variant.fingerprint for variant in (problem, *changed)}
    assert len(fingerprints) == 1 + len(changed)


def test_a_problem_keeps_its_own_arrays_and_nobody_can_write_to_them():
    inputs = np.zeros((7, 2, 3))
    problem = replace(make(MODELS["lstm"]), inputs=inputs)
    inputs[:] = 1
    assert not problem.inputs.any()
    for array in problem.arrays().values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(TypeError):
        problem.params["W"] = np.zeros((5, 5))


def test_a_writable_copy_shares_nothing():
    problem = make(MODELS["lstm"], lengths=[7, 3])
    before = problem.fingerprint
    copy = problem.writable_copy()
    assert copy.fingerprint == before
    for array in copy.arrays().values():
        array[...] = 0
    copy.params["W"] = np.ones(1)
    assert problem.fingerprint == before


@of_every_model
def test_real_data_gets_the_parameters_that_the_seed_would_give(model):
    drawn = make(model)
    given_data = Problem.from_data(model, drawn.inputs, drawn.targets, seed=0)
    assert given_data.fingerprint == drawn.fingerprint


@of_every_model
def test_what_has_a_gradient_is_every_number_but_the_targets(model):
    problem = make(model)
    assert problem.differentiable.keys() == {*problem.params, *model.differentiable}
    floating = {name.removeprefix("params.") for name, array in problem.arrays().items() if array.dtype.kind == "f"}
    assert problem.differentiable.keys() == floating - {"targets"}


def test_the_sizes_of_a_problem_without_time_or_batch_are_one():
    sizes = {name: (make(model).leading, make(model).seq_len, make(model).batch_size) for name, model in MODELS.items()}
    assert sizes["rnn"] == ((7, 2), 7, 2)
    assert sizes["feed-forward"] == ((2,), 1, 2)
    assert sizes["ordered"] == ((), 1, 1)


def test_a_problem_in_a_few_words_has_all_its_sizes():
    assert make().summary == "rnn (tanh, softmax_cross_entropy), float64, T=7 B=2 D=3 H=5 K=4"
    summary = "feed-forward (sigmoid, squared_error), float32, B=2 3-5-4"
    assert make(MODELS["feed-forward"], dtype="float32").summary == summary
    assert make(MODELS["ordered"]).summary == "ordered system, float64, N=3"


@settings(max_examples=examples(60))
@given(problem=problems())
def test_a_saved_problem_comes_back_the_same(problem, tmp_path_factory):
    path = problem.save(tmp_path_factory.mktemp("cases") / "case.npz")
    back = Problem.load(path)
    assert back.model == problem.model
    assert back.fingerprint == problem.fingerprint
    assert back.dtype == problem.dtype


@of_every_model
def test_a_saved_problem_of_every_kind_comes_back_the_same(model, tmp_path):
    back = Problem.load(make(model).save(tmp_path / "case.npz"))
    assert back.model == model
    for name, array in make(model).arrays().items():
        np.testing.assert_array_equal(back.arrays()[name], array)


def wrong(name, value, problem=None):
    """The problem with one array replaced."""
    problem = problem or make(lengths=[7, 3])
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
        ("inputs", np.zeros((7, 6)), "inputs has shape (7, 6), expected (T, B, D)"),
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


@pytest.mark.parametrize(
    ("model", "name", "value", "message"),
    [
        ("rnn", "c0", np.zeros((2, 5)), "c0 was given, but the model has none"),
        ("rnn", "h0", None, "there is no h0, expected (B, H) = (2, 5)"),
        ("rnn", "targets", None, "there is no targets, expected (T, B) = (7, 2)"),
        ("rnn", "inputs", None, "inputs is None, expected an array"),
        ("lstm", "c0", None, "there is no c0, expected (B, H) = (2, 5)"),
        ("lstm", "c0", np.zeros((5, 2)), "c0 has shape (5, 2), expected (B, H) = (2, 5)"),
        ("lstm", "c0", np.full((2, 5), np.nan), "c0[0, 0] = nan, expected a finite number"),
        ("lstm", "params.W", np.zeros((5, 5)), "params['W'] has shape (5, 5), expected (4H, H) = (20, 5)"),
        ("lstm", "params.b_hn", np.zeros(5), "params: unknown parameter 'b_hn': "),
        ("gru", "params.U", np.zeros((15, 5)), "params['U'] has shape (15, 5), expected (3H, D) = (15, 3)"),
        ("gru", "params.b_hn", np.zeros(15), "params['b_hn'] has shape (15,), expected (H,) = (5,)"),
        (
            "concatenated",
            "params.Wcat",
            np.zeros((5, 3)),
            "params['Wcat'] has shape (5, 3), expected (H, D+H) = (5, 8)",
        ),
        ("stack", "h0", np.zeros((2, 5)), "h0 has shape (2, 5), expected (P, B, H) = (4, 2, 5)"),
        ("stack", "c0", np.zeros((2, 2, 5)), "c0 has shape (2, 2, 5), expected (P, B, H) = (4, 2, 5)"),
        (
            "stack",
            "params.layer1.U.reverse",
            np.zeros((20, 5)),
            "params['layer1.U.reverse'] has shape (20, 5), expected (4H, 2H) = (20, 10)",
        ),
        ("stack", "params.V", np.zeros((4, 5)), "params['V'] has shape (4, 5), expected (K, 2H) = (4, 10)"),
        ("feed-forward", "inputs", np.zeros((7, 2, 3)), "inputs has shape (7, 2, 3), expected (B, N0)"),
        (
            "feed-forward",
            "inputs",
            np.zeros((0, 3)),
            "inputs has shape (0, 3): it has no samples (B), expected at least 1",
        ),
        ("feed-forward", "targets", np.zeros((3, 4)), "targets has shape (3, 4), expected (B, K) = (2, 4)"),
        ("feed-forward", "params.W2", np.zeros((5, 4)), "params['W2'] has shape (5, 4), expected (N2, N1) = (4, 5)"),
        ("feed-forward", "params.b2", np.zeros(5), "params['b2'] has shape (5,), expected (N2,) = (4,)"),
        ("feed-forward", "h0", np.zeros((2, 5)), "h0 was given, but the model has none"),
        (
            "feed-forward",
            "lengths",
            np.array([1, 1]),
            "lengths was given, but the model has none",
        ),
        ("ordered", "inputs", np.zeros(3), "inputs has shape (3,), expected (1,) = (1,)"),
        ("ordered", "inputs", np.zeros((1, 1)), "inputs has shape (1, 1), expected (1,)"),
        ("ordered", "targets", np.zeros(3), "targets was given, but the model has none"),
        (
            "ordered",
            "params.A",
            np.zeros((3, 3)),
            "params['A'] differs from the model's weights, expected the same numbers",
        ),
        ("ordered", "params.A", np.zeros((2, 2)), "params['A'] has shape (2, 2), expected (N, N) = (3, 3)"),
    ],
)
def test_a_wrong_array_of_any_family_is_named_too(model, name, value, message):
    with pytest.raises(InvalidProblemError) as error:
        wrong(name, value, make(MODELS[model]))
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
        ({"seq_len": None}, "seq_len = None, expected an integer of at least 1"),
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


@pytest.mark.parametrize(
    ("model", "option", "message"),
    [
        ("feed-forward", {"seq_len": 7}, "seq_len = 7 was given, but the model has none"),
        ("feed-forward", {"batch_size": None}, "batch_size = None, expected an integer of at least 1"),
        ("feed-forward", {"lengths": [1, 1]}, "lengths was given, but the model has none"),
        ("feed-forward", {"recurrent_gain": 2}, "recurrent_gain = 2.0 was given, but the model has none"),
        ("ordered", {"batch_size": 2}, "batch_size = 2 was given, but the model has none"),
        ("ordered", {"recurrent_gain": 2}, "recurrent_gain = 2.0 was given, but the model has none"),
    ],
)
def test_a_request_that_does_not_fit_the_family_is_refused(model, option, message):
    with pytest.raises(InvalidProblemError) as error:
        make(MODELS[model], **option)
    assert str(error.value).startswith(message)


def test_a_model_is_not_a_name():
    with pytest.raises(InvalidProblemError, match="model is a str, expected a Recurrent or FeedForward or Ordered"):
        Problem.from_seed("elman", seq_len=7, batch_size=2, seed=0)


def test_an_unknown_dtype_is_answered_with_the_nearest():
    with pytest.raises(LookupError, match="did you mean 'float64'"):
        make(dtype="float46")
