"""The adapters: other people's layers agree with the hand derivation, in every dtype that they really compute in."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from gradparity.backends import Problem, Recurrent, UnsupportedProblemError, get_backend
from gradparity.backends.checks import DTYPES
from gradparity.backends.interface import prepared_answer
from gradparity.compare import Training, compare
from gradparity.compare.referee.explanation import explain
from sampling import case

ON_JAX = ("flax-linen", "flax-nnx", "equinox", "haiku")
PLAIN = Recurrent("rnn", 3, 5, 2, activation="relu")
LSTM = Recurrent("lstm", 3, 5, 2)
GRU = Recurrent("gru", 3, 5, 2, reduction="mean")
STACK = Recurrent("lstm", 3, 5, 2, num_layers=2, bidirectional=True, loss_at="last_step")
MODELS = {
    "rnn": PLAIN,
    "rnn, tanh": replace(PLAIN, activation="tanh"),
    "lstm": LSTM,
    "lstm, no biases": replace(LSTM, bias=False, loss="squared_error"),
    "gru": GRU,
    "gru, no biases": replace(GRU, bias=False),
    "gru, reset before": replace(GRU, reset="before", loss="sigmoid_cross_entropy"),
    "lstm in a stack of both directions": STACK,
}
REFUSED = {
    "flax-linen": {"gru, reset before": "flax.linen.GRUCell has its reset gate after the product, not before"},
    "flax-nnx": {
        "gru": "flax.nnx.GRUCell has no b_hn (google/flax#5594): only a GRU without biases is compared",
        "gru, reset before": "flax.nnx.GRUCell has its reset gate after the product, not before",
    },
    "equinox": {
        "rnn": "Equinox has no plain recurrent cell",
        "rnn, tanh": "Equinox has no plain recurrent cell",
        "gru, reset before": "equinox.nn.GRUCell has its reset gate after the product, not before",
    },
    "haiku": {
        "rnn, tanh": "haiku.VanillaRNN has relu, not tanh",
        "gru": "haiku.GRU has its reset gate before the product, not after",
        "gru, no biases": "haiku.GRU has its reset gate before the product, not after",
    },
}
SIMILAR = ("rnn, tanh", "lstm", "lstm, no biases")  # each is much like others, and JAX compiles each anew


def make(model, dtype="float64"):
    return Problem.from_seed(model, seed=3, seq_len=5, batch_size=2, dtype=dtype, lengths=[5, 3])


@pytest.mark.parametrize(
    ("name", "model_name", "dtype"),
    [
        case(
            name,
            model_name,
            dtype,
            campaign=((i + j + 2 * k) % 4 > 0 or model_name in SIMILAR) and model_name not in REFUSED[name],
        )
        for i, name in enumerate(ON_JAX)
        for j, model_name in enumerate(MODELS)
        for k, dtype in enumerate(DTYPES)
    ],
)
def test_an_adapter_agrees_with_the_hand_derivation_or_refuses_with_its_reason(name, model_name, dtype):
    backend = get_backend(name)
    assert backend.supports(MODELS[model_name], dtype) == REFUSED[name].get(model_name, "")
    if model_name not in REFUSED[name]:
        comparison = compare(make(MODELS[model_name], dtype), ["manual", backend])
        assert comparison.verdict == "agree", explain(comparison)
        assert set(comparison.answers[name].adjoints) == {"o"}


@pytest.mark.parametrize(
    ("name", "model"),
    [
        *(case(name, LSTM, campaign=number % 2 > 0, id=f"{name}-one layer") for number, name in enumerate(ON_JAX)),
        *(case(name, STACK, campaign=True, id=name) for name in ON_JAX),
    ],
)
def test_a_prepared_run_gives_the_loss_and_the_gradients_of_the_parameters(name, model):
    backend, problem = get_backend(name), make(model)
    loss, gradients = prepared_answer(backend.prepare(problem)())
    evaluation = backend.evaluate(problem)
    assert loss == pytest.approx(evaluation.loss, rel=1e-14)  # compiled otherwise, which rounds otherwise
    assert set(gradients) == set(problem.params)
    for parameter, gradient in gradients.items():
        np.testing.assert_allclose(gradient, evaluation.gradients[parameter], rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ON_JAX)
def test_an_adapter_leaves_the_global_state_as_it_was(name):
    import jax

    def state():
        return jax.config.jax_enable_x64, random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 # the host's

    before = state()
    get_backend(name).evaluate(make(LSTM))
    assert state() == before


@pytest.mark.parametrize("model_name", MODELS)
def test_onnx_runtime_agrees_in_its_forward_values(model_name):
    backend = get_backend("onnxruntime")
    assert "float32 only" in backend.supports(MODELS[model_name], "float64")
    comparison = compare(make(MODELS[model_name], "float32"), ["manual", backend])
    assert comparison.verdict == "agree", explain(comparison)
    assert comparison.answers["onnxruntime"].gradients == {}
    assert {block.label for block in comparison.blocks} == {"loss", *(f"o_{t}" for t in range(1, 6))}


def test_onnx_runtime_cannot_learn_and_is_not_timed():
    problem = make(replace(LSTM, reduction="mean"), "float32")
    comparison = compare(problem, ["manual", "torch", "onnxruntime"], training=Training(0.1, 2))
    assert comparison.skipped == {"onnxruntime": "it does not give all gradients, and so it cannot learn"}
    with pytest.raises(UnsupportedProblemError, match="forward values only"):
        get_backend("onnxruntime").prepare(problem)


@pytest.mark.parametrize(("dtype", "verdict"), [("float32", "agree"), ("float64", "disagree")])
def test_keras_agrees_in_float32_and_its_float32_inside_float64_is_shown_as_such(dtype, verdict):
    """On the engine that it has in this process."""
    comparison = compare(make(GRU, dtype), ["manual", "keras-jax"])
    assert comparison.verdict == verdict, explain(comparison)
    inside = "No difference is larger than rounding to float32 explains" in explain(comparison)
    assert inside == (dtype == "float64")
    reason = get_backend("keras-torch").supports(GRU, dtype)
    assert reason.startswith("Keras computes on jax in this process, and has one engine only")


KERAS_PROGRAM = """
import random, sys
from gradparity.backends import Problem, Recurrent, get_backend
from gradparity.compare import compare
from gradparity.compare.referee.explanation import explain

engine, other_engine = sys.argv[1:]
keras = get_backend(f"keras-{engine}")
models = [
    Recurrent("rnn", 3, 5, 2, activation="identity", loss="squared_error"),
    Recurrent("lstm", 3, 5, 2, num_layers=2, bidirectional=True),
    Recurrent("gru", 3, 5, 2),
    Recurrent("gru", 3, 5, 2, reset="before", bias=False),
]
assert not any(keras.supports(model, "float32") for model in models)
state = random.getstate()
for model in models:
    for dtype in ("float32", "float64")[: 1 if model.num_layers > 1 else 2]:  # what is shown of one is shown of all
        problem = Problem.from_seed(model, seed=3, seq_len=5, batch_size=2, dtype=dtype, lengths=[5, 3])
        comparison = compare(problem, ["manual", keras])
        inside = f"No difference is larger than rounding to float32 explains" in explain(comparison)
        print(model.cell, dtype, comparison.verdict, "float32 inside" if inside else "")
loss, gradients = keras.prepare(Problem.from_seed(models[2], seed=3, seq_len=5, batch_size=2, dtype="float32"))()
print(sorted(gradients))
print("random state kept", random.getstate() == state)
print(get_backend(f"keras-{other_engine}").supports(models[0], "float32"))
"""


@pytest.mark.parametrize(
    ("engine", "other_engine"),
    [
        case("jax", "torch", campaign=True),
        case("torch", "jax", campaign=True),
    ],
)
def test_every_model_of_keras_agrees_on_either_engine(engine, other_engine):
    command = [sys.executable, "-c", KERAS_PROGRAM, engine, other_engine]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *verdicts, gradients, kept, reason = done.stdout.splitlines()
    assert len(verdicts) == 7
    assert {line.split(" ", 1)[1] for line in verdicts} == {"float32 agree ", "float64 disagree float32 inside"}
    assert gradients == "['U', 'V', 'W', 'b', 'b_hn', 'c']"
    assert kept == "random state kept True"
    assert reason.startswith(f"Keras computes on {engine} in this process, and has one engine only")
