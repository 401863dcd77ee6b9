"""What every reference backend promises, whatever its framework."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import Evaluation, Problem, Recurrent, backend_names, get_backend
from gradparity.compare import compare
from gradparity.compare.blocks import expected_shapes

NAMES = backend_names()
MODEL = Recurrent("rnn", 3, 5, 4)


def make(dtype="float64", model=MODEL, **options):
    return Problem.from_seed(model, **{"seq_len": 6, "batch_size": 2, "seed": 0, "dtype": dtype, **options})


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("lengths", [None, [6, 2]])
def test_an_answer_is_whole_and_in_the_dtype_of_the_problem(name, dtype, lengths):
    problem = make(dtype, lengths=lengths)
    answer = get_backend(name).evaluate(problem, trace=True)
    assert isinstance(answer, Evaluation)
    assert type(answer.loss) is float
    expected = expected_shapes(problem)
    assert {n: a.shape for n, a in answer.gradients.items()} == expected["gradients"]
    assert {n: a.shape for n, a in answer.adjoints.items()} == expected["adjoints"]
    assert answer.outputs.shape == expected["outputs"]["outputs"]
    arrays = (answer.outputs, *answer.gradients.values(), *answer.adjoints.values())
    assert {(type(array), array.dtype.name) for array in arrays} == {(np.ndarray, dtype)}


@pytest.mark.parametrize("name", NAMES)
def test_the_trace_changes_nothing_but_the_adjoints(name):
    problem = make(lengths=[6, 2])
    plain, traced = (get_backend(name).evaluate(problem, trace=trace) for trace in (False, True))
    assert plain.adjoints == {}
    assert plain.loss == pytest.approx(traced.loss, rel=1e-14)  # jax compiles the two apart
    for field, array in plain.gradients.items():
        np.testing.assert_allclose(array, traced.gradients[field], rtol=0, atol=1e-14 * np.abs(array).max())


@pytest.mark.parametrize("name", NAMES)
def test_past_a_length_everything_is_zero(name):
    answer = get_backend(name).evaluate(make(lengths=[6, 2]), trace=True)
    for array in (answer.outputs, answer.gradients["inputs"], *answer.adjoints.values()):
        assert np.all(array[2:, 1] == 0)
        assert np.any(array[:2, 1] != 0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_what_lies_past_a_length_matters_to_nobody_even_where_it_overflows(activation, loss, dtype):
    model = Recurrent("rnn", 3, 5, 4, activation=activation, loss=loss)
    problem = make(dtype, model, lengths=[6, 2])
    inputs, targets = problem.inputs.copy(), problem.targets.copy()
    inputs[2:, 1] = 0.9 * np.finfo(dtype).max
    if loss == "squared_error":
        targets[2:, 1] = -0.9 * np.finfo(dtype).max
    padded = replace(problem, inputs=inputs, targets=targets)
    assert compare(padded).verdict == "agree"
    for name in NAMES:
        clean, answer = (get_backend(name).evaluate(each, trace=True) for each in (problem, padded))
        assert clean.loss == answer.loss
        for field in ("gradients", "adjoints"):
            for variable, array in getattr(clean, field).items():
                np.testing.assert_array_equal(array, getattr(answer, field)[variable], err_msg=f"{name} {variable}")


@pytest.mark.parametrize("kind", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "uint64", ">i4"])
def test_every_integer_type_of_labels_and_lengths_will_do(kind):
    problem = make(lengths=[6, 2])
    other = replace(problem, targets=problem.targets.astype(kind), lengths=problem.lengths.astype(kind))
    assert other.fingerprint == problem.fingerprint
    assert compare(other).verdict == "agree"


def test_a_foreign_byte_order_will_do_too():
    problem = make()
    foreign = {name: array.astype(">f8") for name, array in problem.params.items()}
    other = Problem(problem.model, foreign, problem.inputs.astype(">f8"), problem.targets, problem.h0.astype(">f8"))
    assert other.fingerprint == problem.fingerprint == make(">f8").fingerprint


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_prepared_run_gives_the_loss_and_the_gradients_of_an_evaluation(name, dtype):
    backend, problem = get_backend(name), make(dtype)
    run = backend.prepare(problem)
    answer = backend.evaluate(problem)
    few = 64 * float(np.finfo(dtype).eps)  # jax compiles the two apart, and each rounds in an order of its own
    for _ in range(2):
        loss, gradients, *_ = run()
        assert str(loss.dtype).removeprefix("torch.") == dtype
        named = gradients if isinstance(gradients, dict) else dict(zip(problem.params, gradients, strict=True))
        loss = loss.detach() if name.startswith("torch") else loss
        assert float(loss) == pytest.approx(answer.loss, rel=few)
        for parameter in problem.params:
            found = np.asarray(named[parameter])
            assert found.dtype == dtype
            scale = np.abs(answer.gradients[parameter]).max()
            np.testing.assert_allclose(found, answer.gradients[parameter], rtol=0, atol=few * scale)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "sigmoid_cross_entropy", "squared_error"])
def test_outputs_of_ten_thousand_give_finite_answers(name, loss):
    problem = make(model=Recurrent("rnn", 3, 5, 4, loss=loss))
    problem = replace(problem, params=problem.params | {"V": problem.params["V"] * 1e4})
    answer = get_backend(name).evaluate(problem, trace=True)
    assert np.abs(answer.outputs).max() > 1e4
    for array in (answer.loss, answer.outputs, *answer.gradients.values(), *answer.adjoints.values()):
        assert np.isfinite(array).all()


@pytest.mark.parametrize("name", NAMES)
def test_relu_has_the_derivative_zero_at_zero(name):
    model = Recurrent("rnn", 1, 1, 1, activation="relu", loss="squared_error")
    zeros = {parameter: np.zeros(shape) for parameter, shape in model.parameter_shapes.items()}
    problem = Problem(model, zeros | {"V": np.ones((1, 1))}, np.ones((1, 1, 1)), np.ones((1, 1, 1)), np.zeros((1, 1)))
    answer = get_backend(name).evaluate(problem, trace=True)
    assert answer.adjoints["h"].item() == -1
    assert answer.adjoints["a"].item() == 0


@pytest.mark.parametrize("name", NAMES)
def test_sigmoid_cross_entropy_has_its_slope_at_an_output_of_zero(name):
    """max(o, 0) and |o| have kinks at 0, their sum in the loss has none: autograd must not stumble over it."""
    model = Recurrent("rnn", 1, 1, 1, loss="sigmoid_cross_entropy")
    zeros = {parameter: np.zeros(shape) for parameter, shape in model.parameter_shapes.items()}
    problem = Problem(model, zeros, np.ones((1, 1, 1)), np.full((1, 1, 1), 0.75), np.zeros((1, 1)))
    assert get_backend(name).evaluate(problem).gradients["c"].item() == 0.5 - 0.75


def test_torch_nn_says_what_it_cannot_express():
    backend = get_backend("torch-nn")
    assert backend.supports(Recurrent("rnn", 3, 5, 4, activation="relu"), "float64") == ""
    for activation in ("sigmoid", "identity"):
        reason = backend.supports(Recurrent("rnn", 3, 5, 4, activation=activation), "float64")
        assert reason == f"torch.nn.RNN has tanh and relu, not {activation}"


STATE = """
import jax, numpy, random, torch
def state():
    return {
        "x64": jax.config.jax_enable_x64, "matmul": jax.config.jax_default_matmul_precision,
        "jax device": jax.config.jax_default_device, "jax nans": jax.config.jax_debug_nans,
        "dtype": torch.get_default_dtype(), "threads": torch.get_num_threads(),
        "interop": torch.get_num_interop_threads(), "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(), "tf32": torch.backends.cuda.matmul.allow_tf32,
        "deterministic": torch.are_deterministic_algorithms_enabled(), "torch device": torch.get_default_device(),
        "torch random": torch.random.get_rng_state().tolist(), "numpy random": str(numpy.random.get_state()),
        "random": random.getstate(), "numpy errors": numpy.geterr(), "numpy print": str(numpy.get_printoptions()),
    }
"""
COMPARE = """
from gradparity.backends import Problem, Recurrent, get_backend
from gradparity.compare import SYSTEMS, compare
for dtype in ("float64", "float32"):
    for name in ("elman-relu", "elman-sigmoid", "elman-lengths"):
        problem = SYSTEMS[name].problem(seed=0, dtype=dtype)
        assert compare(problem).verdict == "agree"
        for backend in ("manual", "torch", "torch-nn", "jax"):
            get_backend(backend).prepare(problem)()
"""
HOSTS = {
    "plain": "",
    "seeded, in double precision": "torch.manual_seed(3); torch.set_default_dtype(torch.float64); numpy.random.seed(4)",
    "with x64": "jax.config.update('jax_enable_x64', True)",
    "strict": "numpy.seterr(all='raise'); jax.config.update('jax_debug_nans', True); torch.set_num_threads(1); "
    "torch.set_grad_enabled(False); jax.config.update('jax_numpy_rank_promotion', 'raise'); "
    "jax.config.update('jax_numpy_dtype_promotion', 'strict'); jax.config.update('jax_transfer_guard', 'disallow')",
    "on another device": "torch.set_default_device('meta')",
}


def in_host(host, between):
    code = f"{STATE}\n{HOSTS[host]}\nbefore = state()\n{between}\nafter = state()\n"
    code += "print([name for name in before if before[name] != after[name]])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("host", HOSTS)
def test_the_host_finds_its_global_state_as_it_left_it(host):
    assert in_host(host, COMPARE) == "[]"


def test_a_change_of_global_state_is_seen():
    assert in_host("plain", "torch.manual_seed(7); numpy.seterr(over='ignore')") == "['torch random', 'numpy errors']"
