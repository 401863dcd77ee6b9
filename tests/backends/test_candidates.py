"""The backends on request: right where they answer, refused with a reason elsewhere, and unused until named."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import (
    FeedForward,
    OrderedSystem,
    Problem,
    Recurrent,
    RequestError,
    UnknownNameError,
    Window,
    backend_names,
    default_backend_names,
    get_backend,
)
from gradparity.backends.checks import DTYPES
from gradparity.backends.models import ACTIVATIONS, LOSSES
from gradparity.compare import compare
from gradparity.compare.referee.explanation import explain
from gradparity.compare.testing.strategies import problems
from hypothesis import given, settings
from sampling import case, examples

CANDIDATES = ("autograd", "manual-compiled", "torch-compile")
ADAPTERS = ("flax-linen", "flax-nnx", "equinox", "haiku", "onnxruntime", "keras-jax", "keras-torch")
MODEL = Recurrent("rnn", 3, 5, 4)
LSTM = Recurrent("lstm", 3, 5, 4, num_layers=2, bidirectional=True, loss_at="last_step")
COMPILED = {
    "rnn": MODEL,
    "lstm in a stack of both directions": LSTM,
    "gru": Recurrent("gru", 3, 5, 4, reduction="mean"),
    "gru, reset before": Recurrent("gru", 3, 5, 4, reset="before", bias=False),
}
of_both_dtypes = pytest.mark.parametrize("dtype", DTYPES)


@pytest.fixture
def compiler(request):
    """PyTorch's, or none: the first step that a process compiles takes 20 s, which a campaign has."""
    steps = sys.modules[type(get_backend("torch-compile")).__module__]._compiled_step
    with pytest.MonkeyPatch.context() as patched:
        if not request.param:
            patched.setattr("torch.compile", lambda function, **_: function)
            steps.cache_clear()
        yield steps
    if not request.param:
        steps.cache_clear()


COMPILERS = [case(False, campaign=False, id="as it is written"), case(True, campaign=True, id="compiled")]
of_every_step = pytest.mark.parametrize("compiler", COMPILERS, indirect=True)
of_both = pytest.mark.parametrize(
    ("name", "compiler"),
    [
        case("autograd", False, campaign=False),
        *(case("torch-compile", *c.values, campaign=bool(c.marks)) for c in COMPILERS),
    ],
    indirect=["compiler"],
)


def make(model=MODEL, dtype="float64", **options):
    sizes = {name: {"seq_len": 6, "batch_size": 2}[name] for name in model.LEADING}
    return Problem.from_seed(model, seed=0, dtype=dtype, **sizes, **options)


def assert_agrees(name, problem):
    comparison = compare(problem, ["manual", name])
    assert set(comparison.answers) == {"manual", name}, explain(comparison)
    assert comparison.verdict == "agree", explain(comparison)


@pytest.mark.hypothesis
@of_both_dtypes
def test_autograd_agrees_on_random_problems(dtype):
    answered, asked = [], examples(16)

    @settings(max_examples=asked)
    @given(problem=problems(dtype=dtype, most_steps=6, family="Recurrent", truncated=False))
    def ask(problem):
        if not get_backend("autograd").supports(problem.model, dtype):
            comparison = compare(problem, ["manual", "autograd"])
            assert comparison.verdict != "disagree", explain(comparison)
            answered.append(comparison.verdict)

    ask()
    assert answered.count("agree") >= 10 * asked // 16
    assert answered.count("undecidable") <= asked // 8


@of_both_dtypes
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_autograd_agrees_on_every_activation_and_loss(activation, loss, dtype):
    assert_agrees("autograd", make(replace(MODEL, activation=activation, loss=loss), dtype, lengths=[6, 2]))


@pytest.mark.parametrize("loss", LOSSES)
def test_autograd_stays_finite_at_outputs_of_ten_thousand(loss):
    problem = make(replace(MODEL, loss=loss))
    assert_agrees("autograd", replace(problem, params=problem.params | {"V": problem.params["V"] * 1e4}))


@of_both_dtypes
def test_autograd_agrees_where_the_input_gate_is_shut(dtype):
    problem = make(replace(LSTM, num_layers=1, bidirectional=False), dtype)
    b = problem.params["b"].copy()
    b[: problem.model.hidden_size] -= 12
    assert_agrees("autograd", replace(problem, params=problem.params | {"b": b}))


@pytest.mark.parametrize(("activation", "loss"), [("relu", "squared_error"), ("sigmoid", "sigmoid_cross_entropy")])
def test_autograd_has_the_right_slopes_at_zero(activation, loss):
    problem = make(replace(MODEL, activation=activation, loss=loss))
    assert_agrees("autograd", replace(problem, params={name: a * 0 for name, a in problem.params.items()}))


@of_both_dtypes
def test_what_lies_past_a_length_does_not_matter_even_where_it_overflows(dtype):
    problem = make(replace(MODEL, activation="relu", loss="squared_error"), dtype, lengths=[6, 2])
    inputs, targets = problem.inputs.copy(), problem.targets.copy()
    inputs[2:, 1], targets[2:, 1] = (sign * 0.9 * np.finfo(dtype).max for sign in (1, -1))
    assert_agrees("autograd", replace(problem, inputs=inputs, targets=targets))


@of_every_step
@pytest.mark.parametrize("model_name", COMPILED)
def test_torch_compile_agrees(model_name, compiler):
    assert_agrees("torch-compile", make(COMPILED[model_name]))


@of_every_step
def test_torch_compile_agrees_in_single_precision(compiler):
    assert_agrees("torch-compile", make(dtype="float32"))


@of_every_step
def test_torch_compile_compiles_once_for_all_lengths_losses_and_input_sizes(compiler):
    assert_agrees("torch-compile", make())
    before = compiler.cache_info().misses
    for model, T in ((MODEL, 9), (replace(MODEL, input_size=1, loss="squared_error"), 1)):
        problem = Problem.from_seed(model, seed=1, seq_len=T, batch_size=2, lengths=[T, 1])
        assert_agrees("torch-compile", problem)
    assert compiler.cache_info().misses == before


@of_both
def test_a_prepared_run_names_the_parameters_gradients_and_stays_in_single_precision(name, compiler):
    problem = make(dtype="float32")
    evaluation, run = get_backend(name).evaluate(problem), get_backend(name).prepare(problem)
    for _ in range(2):
        loss, gradients = run()
        assert float(loss) == evaluation.loss
        assert gradients.keys() == problem.params.keys()
        for parameter, array in gradients.items():
            assert np.asarray(array).dtype == "float32"
            np.testing.assert_array_equal(np.asarray(array), evaluation.gradients[parameter])


@pytest.mark.parametrize(
    ("name", "model", "reason"),
    [
        ("autograd", FeedForward((3, 4)), "autograd computes recurrent networks only"),
        ("autograd", OrderedSystem(((0,),), (3,)), "autograd computes recurrent networks only"),
        (
            "autograd",
            replace(MODEL, truncation=Window(2)),
            "autograd has no truncation: it cannot stop a gradient within a",
        ),
        ("autograd", replace(MODEL, differentiation="forward"), "autograd differentiates in reverse mode only"),
        ("torch-compile", FeedForward((3, 4)), "torch-compile compiles the time step of a recurrent network only"),
        ("torch-compile", replace(MODEL, truncation=Window(2)), "torch-compile has no truncation: its step"),
        ("torch-compile", replace(MODEL, concatenated=True), "torch-compile has U and W as two matrices"),
        (
            "torch-compile",
            replace(MODEL, differentiation="forward"),
            "torch-compile differentiates in reverse mode only",
        ),
    ],
)
def test_what_a_candidate_cannot_compute_it_refuses_with_a_reason(name, model, reason):
    assert get_backend(name).supports(model, "float64").startswith(reason)
    assert compare(make(model), ["manual", "torch", name]).skipped[name].startswith(reason)


@of_both
def test_a_fault_in_a_candidate_is_found(name, compiler, monkeypatch):
    backend = get_backend(name)
    right = backend.evaluate(make())
    right.gradients["W"][0, 0] *= 1 + 1e-9
    monkeypatch.setattr(type(backend), "evaluate", lambda self, problem, trace=False: right)
    comparison = compare(make(), ["manual", name])
    assert comparison.verdict == "disagree"
    assert {block.name for block in comparison.blocks if block.verdict == "disagree"} == {"dW"}


def test_candidates_are_used_only_where_they_are_named():
    assert {*CANDIDATES, *ADAPTERS, "tape"} == set(backend_names()) - set(default_backend_names())
    assert set(compare(make()).answers) == set(default_backend_names())
    code = "import sys; from gradparity.backends import load_backends; load_backends(); print(*sys.modules)"
    loaded = in_a_fresh_process(code).split()
    assert "torch" in loaded
    libraries = {
        "autograd",
        "numba",
        "gradparity.backends.optional.torch_compile_backend",
        "flax",
        "equinox",
        "haiku",
        "keras",
        "onnxruntime",
    }
    assert not libraries & set(loaded)


def test_a_missing_autograd_is_explained_with_the_command_that_installs_it():
    code = "import importlib.util as u; find = u.find_spec; "
    code += "u.find_spec = lambda name: None if name == 'autograd' else find(name)\n"
    assert in_a_fresh_process(code + ask_for("autograd", "get_backend(name)")) == (
        "MissingFrameworkError: backend 'autograd' needs autograd, which is not installed: "
        'pip install "gradparity[autograd]"\n'
    )


@pytest.mark.campaign
def test_without_a_compiler_torch_compile_says_so_in_one_line(tmp_path):
    environment = {"CXX": str(tmp_path / "none"), "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    question = "Problem.from_seed(Recurrent('rnn', 1, 1, 1), seed=0, seq_len=1, batch_size=1)"
    printed = in_a_fresh_process(ask_for("torch-compile", f"get_backend(name).prepare({question})"), environment)
    assert printed.startswith("UnsupportedProblemError: torch.compile cannot compile here: ")
    assert "No working C++ compiler found" in printed
    assert printed.count("\n") == 1


def ask_for(name, question):
    """A program that prints what a question raises."""
    return f"""
from gradparity.backends import Problem, Recurrent, get_backend
name = {name!r}
try:
    {question}
except Exception as error:
    print(type(error).__name__, error, sep=": ")
"""


def in_a_fresh_process(code, environment=None):
    options = {"capture_output": True, "text": True, "check": True}
    return subprocess.run([sys.executable, "-c", code], env={**os.environ, **(environment or {})}, **options).stdout


@pytest.mark.parametrize("name", ["torch", "torch-nn", "torch-compile", "jax"])
def test_a_device_that_is_not_there_is_told_in_one_line(name, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("gradparity.backends.references.jax_backend._has_cuda", lambda: False)
    assert get_backend(name).devices == ("cpu", "cuda")
    with pytest.raises(RequestError, match=f"^backend '{name}': there is no CUDA device$"):
        get_backend(name).prepare(make(), device="cuda")
    with pytest.raises(UnknownNameError, match="unknown device 'gpu'"):
        get_backend(name).prepare(make(), device="gpu")


@pytest.mark.parametrize(
    "host",
    [
        case("matmul.allow_tf32 = True", campaign=True),
        case("matmul.fp32_precision = rnn.fp32_precision = 'tf32'", campaign=False),
    ],
)
def test_tf32_is_off_on_a_gpu_and_afterwards_as_the_host_had_it(host):
    code = f"""
import torch
from gradparity.backends.frameworks.torch_isolation import without_tf32
matmul, rnn = torch.backends.cuda.matmul, torch.backends.cudnn.rnn
def check():
    before = matmul.fp32_precision, rnn.fp32_precision
    with without_tf32():
        assert "tf32" not in (matmul.fp32_precision, rnn.fp32_precision)
        assert not matmul.allow_tf32
    assert (matmul.fp32_precision, rnn.fp32_precision) == before
check()
{host}
check()
"""
    assert in_a_fresh_process(code) == ""
