"""What every reference backend promises, whatever its framework."""

import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from extended import extended_answer
from gradparity.backends import (
    Chunks,
    Evaluation,
    FeedForward,
    LastSteps,
    OrderedSystem,
    Problem,
    Recurrent,
    Window,
    default_backend_names,
    get_backend,
)
from gradparity.compare import compare
from gradparity.compare.answers.blocks import expected_shapes
from sampling import case

NAMES = default_backend_names()
MODEL = Recurrent("rnn", 3, 5, 4)
MODELS = {
    "rnn": MODEL,
    "concatenated": replace(MODEL, concatenated=True),
    "expanded": replace(MODEL, differentiation="expanded", activation="relu", loss_at="last_step"),
    "closed form": replace(MODEL, differentiation="closed_form", activation="identity", loss="squared_error"),
    "forward": replace(MODEL, differentiation="forward"),
    "lstm": Recurrent("lstm", 3, 5, 4, loss_at="last_step"),
    "gru": Recurrent("gru", 3, 5, 4, reduction="mean"),
    "gru, reset before": Recurrent("gru", 3, 5, 4, reset="before", loss="sigmoid_cross_entropy"),
    "stack": Recurrent("lstm", 3, 5, 4, num_layers=2),
    "both directions": Recurrent("gru", 3, 5, 4, bidirectional=True, bias=False),
    "stack of both": Recurrent("rnn", 3, 5, 4, num_layers=2, bidirectional=True),
    "window": Recurrent("lstm", 3, 5, 4, truncation=Window(2)),
    "chunks": Recurrent("lstm", 3, 5, 4, truncation=Chunks(2)),
    "last steps": Recurrent("gru", 3, 5, 4, truncation=LastSteps(2)),
    "mlp": FeedForward((3, 5, 4)),
    "classes": FeedForward((3, 5, 4), activation="tanh", loss="softmax_cross_entropy", reduction="mean"),
    "ordered": OrderedSystem(((0, 0, 0), (2, 0, 0), (1, 1 / 3, 0)), (0, 2, 1 / 7)),
    "one variable": OrderedSystem(((0,),), (3,)),
}
# JAX compiles every model anew, which takes a second: so some tests sweep over a choice of them.
SINGLE = ("rnn", "forward", "lstm", "gru", "stack of both", "window", "last steps", "mlp", "ordered")
PREPARED = ("rnn", "forward", "lstm", "both directions", "window", "classes", "ordered", "one variable")
SIMILAR = ("concatenated", "stack", "both directions", "chunks")  # each has its like among the others


def make(dtype="float64", model=MODEL, **options):
    sizes = {name: {"seq_len": 6, "batch_size": 2}[name] for name in model.LEADING}
    return Problem.from_seed(model, **{**sizes, "seed": 0, "dtype": dtype, **options})


def problem_called(model_name, dtype="float64"):
    model = MODELS[model_name]
    return make(dtype, model, lengths=[6, 2] if isinstance(model, Recurrent) else None)


@cache
def prepared_answer(name, model_name, dtype="float64"):
    return get_backend(name).evaluate(problem_called(model_name, dtype), trace=True)


def able(name):
    return [model_name for model_name, model in MODELS.items() if not get_backend(name).supports(model, "float64")]


def visible(name, model):
    """The variables whose adjoints a reference can see: all but these few."""
    variables = set(model.variables(*[6, 2][2 - len(model.LEADING) :]))
    if getattr(model, "differentiation", "") == "forward" and name != "torch-nn":
        return variables & {"o"} if name == "manual" else set()
    if name == "torch-nn":
        return variables & {"o"} if len(model.places) > 1 else variables - {"c"}
    return variables


of_every_reference = pytest.mark.parametrize("name", NAMES)
of_both_dtypes = pytest.mark.parametrize("dtype", ["float64", "float32"])


def test_only_torch_nn_refuses_anything():
    assert [able(name) == list(MODELS) for name in NAMES] == [name != "torch-nn" for name in NAMES]
    assert able("torch-nn") == [
        "rnn",
        "expanded",
        "forward",
        "lstm",
        "gru",
        "stack",
        "both directions",
        "stack of both",
    ]


@pytest.mark.parametrize(
    ("name", "model_name", "dtype"),
    [
        *(
            case(name, model_name, "float64", campaign=name == "jax" and model_name in SIMILAR)
            for name in NAMES
            for model_name in able(name)
        ),
        *(
            case(name, model_name, "float32", campaign=name == "jax" and model_name not in ("rnn", "last steps", "mlp"))
            for name in NAMES
            for model_name in able(name)
            if model_name in SINGLE
        ),
    ],
)
def test_an_answer_is_whole_and_right_and_zero_past_every_length(name, model_name, dtype):
    problem, evaluation = problem_called(model_name, dtype), prepared_answer(name, model_name, dtype)
    assert_whole(evaluation, problem, visible(name, problem.model))
    assert_right(evaluation, problem)
    if isinstance(problem.model, Recurrent):
        assert_zero_past_the_second_step(evaluation)


def assert_whole(evaluation, problem, seen):
    assert isinstance(evaluation, Evaluation)
    assert type(evaluation.loss) is float
    expected = expected_shapes(problem)
    assert {n: a.shape for n, a in evaluation.gradients.items()} == expected["gradients"]
    assert {n: a.shape for n, a in evaluation.adjoints.items()} == {n: expected["adjoints"][n] for n in seen}
    assert evaluation.outputs.shape == expected["outputs"]["outputs"]
    arrays = (evaluation.outputs, *evaluation.gradients.values(), *evaluation.adjoints.values())
    assert {(type(array), array.dtype) for array in arrays} == {(np.ndarray, problem.dtype)}


def assert_right(evaluation, problem):
    """The same as the hand derivation in extended precision, but for rounding."""
    if getattr(problem.model, "differentiation", "") == "forward":  # which sees no adjoints
        problem = replace(problem, model=replace(problem.model, differentiation="reverse"))
    truth = extended_answer(problem)
    few = 64 * float(np.finfo(problem.dtype).eps)  # of the largest entry: sums of tens of products over six steps
    assert evaluation.loss == pytest.approx(float(truth.loss), rel=few)
    results = {
        "outputs": evaluation.outputs,
        **evaluation.gradients,
        **{f"d{n}": a for n, a in evaluation.adjoints.items()},
    }
    exact = {"outputs": truth.outputs, **truth.gradients, **{f"d{n}": a for n, a in truth.adjoints.items()}}
    for field, array in results.items():
        limit = few * float(np.abs(exact[field]).max())
        np.testing.assert_allclose(array, exact[field].astype(problem.dtype), rtol=0, atol=limit, err_msg=field)


def assert_zero_past_the_second_step(evaluation):
    """Of sequence 1, whose length that is."""
    for array in (evaluation.outputs, evaluation.gradients["inputs"], *evaluation.adjoints.values()):
        assert np.all(array[2:, 1] == 0)
        assert np.any(array[:2, 1] != 0)


@of_every_reference
@pytest.mark.parametrize("model_name", ["rnn", "both directions"])
def test_the_trace_changes_nothing_but_the_adjoints(name, model_name):
    plain, traced = get_backend(name).evaluate(problem_called(model_name)), prepared_answer(name, model_name)
    assert plain.adjoints == {}
    assert plain.loss == pytest.approx(traced.loss, rel=1e-14)  # jax compiles the two apart
    for field, array in plain.gradients.items():
        np.testing.assert_allclose(array, traced.gradients[field], rtol=0, atol=1e-14 * np.abs(array).max())


@pytest.mark.parametrize(
    ("model", "dtype"),
    [
        (MODEL, "float64"),
        case(replace(MODEL, loss="squared_error"), "float32", campaign=True),
        case(replace(MODEL, activation="relu"), "float32", campaign=True),
        case(replace(MODEL, activation="relu", loss="squared_error"), "float64", campaign=True),
        (replace(MODEL, activation="relu", loss="squared_error"), "float32"),
        (replace(MODELS["gru"], loss="squared_error"), "float64"),
        (MODELS["stack of both"], "float32"),
        (MODELS["window"], "float64"),
    ],
    ids=lambda case: getattr(case, "summary", case),
)
def test_what_lies_past_a_length_matters_to_nobody_even_where_it_overflows(model, dtype):
    problem = make(dtype, model, lengths=[6, 2])
    inputs, targets = problem.inputs.copy(), problem.targets.copy()
    inputs[2:, 1] = 0.9 * np.finfo(dtype).max
    if model.loss == "squared_error":
        targets[2:, 1] = -0.9 * np.finfo(dtype).max
    padded = replace(problem, inputs=inputs, targets=targets)
    assert compare(padded).verdict == "agree"
    for name in NAMES:
        if get_backend(name).supports(model, dtype):
            continue
        clean, evaluation = (get_backend(name).evaluate(question, trace=True) for question in (problem, padded))
        assert clean.loss == evaluation.loss
        for field in ("gradients", "adjoints"):
            for variable, array in getattr(clean, field).items():
                np.testing.assert_array_equal(array, getattr(evaluation, field)[variable], err_msg=f"{name} {variable}")


@pytest.mark.parametrize("integer_dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "uint64", ">i4"])
def test_every_integer_type_of_labels_and_lengths_will_do(integer_dtype):
    problem = make(lengths=[6, 2])
    converted = replace(
        problem, targets=problem.targets.astype(integer_dtype), lengths=problem.lengths.astype(integer_dtype)
    )
    assert converted.fingerprint == problem.fingerprint
    assert compare(converted).verdict == "agree"


def test_a_foreign_byte_order_will_do_too():
    problem = make()
    foreign = {name: array.astype(">f8") for name, array in problem.params.items()}
    converted = Problem(problem.model, foreign, problem.inputs.astype(">f8"), problem.targets, problem.h0.astype(">f8"))
    assert converted.fingerprint == problem.fingerprint == make(">f8").fingerprint


@pytest.mark.parametrize(
    ("name", "model_name"),
    [
        case(name, model_name, campaign=name == "jax" and model_name not in ("rnn", "ordered"))
        for name in NAMES
        for model_name in PREPARED
        if model_name in able(name)
    ],
)
def test_a_prepared_run_gives_the_loss_and_the_gradients_of_an_evaluation(name, model_name):
    check_prepared_run(name, model_name, "float64")


@of_every_reference
def test_a_prepared_run_stays_in_single_precision(name):
    check_prepared_run(name, "rnn", "float32")


def check_prepared_run(name, model_name, dtype):
    problem, evaluation = problem_called(model_name, dtype), prepared_answer(name, model_name, dtype)
    run = get_backend(name).prepare(problem)
    few = 64 * float(np.finfo(dtype).eps)  # jax compiles the two apart, and each rounds in an order of its own
    for _ in range(2):
        loss, named = run()
        assert str(loss.dtype).removeprefix("torch.") == dtype
        assert named.keys() == problem.params.keys()
        loss = loss.detach() if name.startswith("torch") else loss
        assert float(loss) == pytest.approx(evaluation.loss, rel=few)
        for parameter in problem.params:
            gradient = np.asarray(named[parameter])
            assert gradient.dtype == dtype
            scale = np.abs(evaluation.gradients[parameter]).max(initial=0)
            np.testing.assert_allclose(gradient, evaluation.gradients[parameter], rtol=0, atol=few * scale)


@of_every_reference
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error"])
def test_outputs_of_ten_thousand_give_finite_answers(name, loss):
    problem = make(model=Recurrent("rnn", 3, 5, 4, loss=loss))
    problem = replace(problem, params=problem.params | {"V": problem.params["V"] * 1e4})
    evaluation = get_backend(name).evaluate(problem, trace=True)
    assert np.abs(evaluation.outputs).max() > 1e4
    for array in (evaluation.loss, evaluation.outputs, *evaluation.gradients.values(), *evaluation.adjoints.values()):
        assert np.isfinite(array).all()


@of_every_reference
def test_relu_has_the_derivative_zero_at_zero(name):
    model = Recurrent("rnn", 1, 1, 1, activation="relu", loss="squared_error")
    zeros = {parameter: np.zeros(shape) for parameter, shape in model.parameter_shapes.items()}
    problem = Problem(model, zeros | {"V": np.ones((1, 1))}, np.ones((1, 1, 1)), np.ones((1, 1, 1)), np.zeros((1, 1)))
    evaluation = get_backend(name).evaluate(problem, trace=True)
    assert evaluation.adjoints["h"].item() == -1
    assert evaluation.adjoints["a"].item() == 0


@of_every_reference
def test_sigmoid_cross_entropy_has_its_slope_at_an_output_of_zero(name):
    """max(o, 0) and |o| have kinks at 0, their sum in the loss has none: autograd must not stumble over it."""
    model = Recurrent("rnn", 1, 1, 1, loss="sigmoid_cross_entropy")
    zeros = {parameter: np.zeros(shape) for parameter, shape in model.parameter_shapes.items()}
    problem = Problem(model, zeros, np.ones((1, 1, 1)), np.full((1, 1, 1), 0.75), np.zeros((1, 1)))
    assert get_backend(name).evaluate(problem).gradients["c"].item() == 0.5 - 0.75


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (replace(MODEL, activation="sigmoid"), "torch.nn.RNN has tanh and relu, not sigmoid"),
        (replace(MODEL, activation="identity"), "torch.nn.RNN has tanh and relu, not identity"),
        (MODELS["gru, reset before"], "torch.nn.GRU has its reset gate after the product, not before"),
        (MODELS["concatenated"], "torch.nn.RNN has U and W as two matrices, not concatenated"),
        (MODELS["window"], "torch.nn has no truncation"),
        (MODELS["mlp"], "torch.nn has recurrent layers only"),
        (MODELS["ordered"], "torch.nn has recurrent layers only"),
    ],
)
def test_torch_nn_says_what_it_cannot_express(model, reason):
    assert get_backend("torch-nn").supports(model, "float64") == reason


def test_the_documents_four_variables_are_exact_in_every_reference():
    model = OrderedSystem(((0, 0, 0, 0), (2, 0, 0, 0), (1, 3, 0, 0), (1, 2, 4, 0)), (0, 2, 0, 4))
    for dtype in ("float64", "float32"):
        problem = replace(make(dtype, model), inputs=np.ones(1, dtype))
        for name in ("manual", "torch", "jax"):
            evaluation = get_backend(name).evaluate(problem, trace=True)
            assert evaluation.loss == 136
            assert evaluation.adjoints["z"].tolist() == [136, 58, 16, 4]
            assert evaluation.gradients["A"].tolist() == [[0, 0, 0, 0], [58, 0, 0, 0], [16, 32, 0, 0], [4, 8, 28, 0]]


@of_every_reference
@of_both_dtypes
def test_to_descend_is_one_step_against_the_gradients(name, dtype):
    rng = np.random.default_rng(0)
    params, gradients = ({"W": rng.standard_normal((3, 4)).astype(dtype), "b": np.ones(3, dtype)} for _ in range(2))
    updated = get_backend(name).descend(params, gradients, 0.3)
    assert updated.keys() == params.keys()
    for parameter, theta in params.items():
        expected = theta - 0.3 * gradients[parameter]
        assert (type(updated[parameter]), updated[parameter].dtype) == (np.ndarray, dtype)
        # a fused multiply-add rounds once where NumPy rounds twice
        np.testing.assert_allclose(updated[parameter], expected, rtol=0, atol=2 * np.finfo(dtype).eps)


@of_every_reference
def test_to_descend_needs_no_more_than_an_answer(name):
    """Whose gradients are also those of the inputs and the initial state, which stay where they are."""
    updated = get_backend(name).descend(make().params, prepared_answer(name, "rnn").gradients, 0.3)
    assert updated.keys() == make().params.keys()


@of_every_reference
def test_to_descend_changes_nothing_that_it_was_given(name):
    params, gradients = {"b": np.ones(3)}, {"b": np.ones(3)}
    updated = get_backend(name).descend(params, gradients, 0.5)
    updated["b"][:] = 7
    assert params["b"].tolist() == gradients["b"].tolist() == [1, 1, 1]


STATE = """
import jax, numpy, random, torch
def state():
    return {
        "x64": jax.config.jax_enable_x64, "matmul": jax.config.jax_default_matmul_precision,
        "jax device": jax.config.jax_default_device, "jax nans": jax.config.jax_debug_nans,
        "jax without jit": jax.config.jax_disable_jit,
        "dtype": torch.get_default_dtype(), "threads": torch.get_num_threads(),
        "interop": torch.get_num_interop_threads(), "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(), "tf32": torch.backends.cuda.matmul.allow_tf32,
        "deterministic": torch.are_deterministic_algorithms_enabled(), "torch device": torch.get_default_device(),
        "torch random": torch.random.get_rng_state().tolist(), "numpy random": str(numpy.random.get_state()),
        "random": random.getstate(), "numpy errors": numpy.geterr(), "numpy print": str(numpy.get_printoptions()),
    }
"""
COMPARE = """
from gradparity.backends import get_backend
from gradparity.compare import SYSTEMS, compare
cases = {"elman-lengths": "float32", "lstm": "float64", "elman-window": "float32"}
for name, dtype in cases.items():
    problem = SYSTEMS[name].problem(seed=0, dtype=dtype)
    assert compare(problem).verdict == "agree"
    for backend in map(get_backend, ("manual", "torch", "torch-nn", "jax")):
        backend.descend(problem.params, problem.params, 0.1)
        if name == "elman-lengths":
            backend.prepare(problem)()
"""
HOSTS = {
    "plain": "",
    "seeded, in double precision": "torch.manual_seed(3); torch.set_default_dtype(torch.float64); numpy.random.seed(4)",
    "with x64": "jax.config.update('jax_enable_x64', True)",
    "strict": "numpy.seterr(all='raise'); jax.config.update('jax_debug_nans', True); torch.set_num_threads(1); "
    "torch.set_grad_enabled(False); jax.config.update('jax_numpy_rank_promotion', 'raise'); "
    "jax.config.update('jax_numpy_dtype_promotion', 'strict'); jax.config.update('jax_transfer_guard', 'disallow'); "
    "jax.config.update('jax_disable_jit', True)",
    "on another device": "torch.set_default_device('meta')",
}
HOSTS["all at once"] = "\n".join(HOSTS.values())


def in_host(host, *programs):
    """What of the host's state each program has changed."""
    code = f"{STATE}\n{HOSTS[host]}\n"
    for program in programs:
        code += f"before = state()\n{program}\nafter = state()\n"
        code += "print([name for name in before if before[name] != after[name]])\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("host", [case(host, campaign=host != "all at once") for host in HOSTS])
def test_the_host_finds_its_global_state_as_it_left_it(host):
    a_change = "torch.manual_seed(7); numpy.seterr(over='ignore' if numpy.geterr()['over'] == 'raise' else 'raise')"
    assert in_host(host, COMPARE, a_change) == ["[]", "['torch random', 'numpy errors']"]
