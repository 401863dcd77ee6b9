"""The calls that the benchmark times do no more than code that one writes for oneself."""

import importlib

import jax
import numpy as np
import pytest
import torch
from gradparity.backends import LastSteps, Problem, Recurrent, Window, get_backend
from gradparity.backends.references import jax_backend, jax_compilation, torch_tensors
from gradparity.backends.references.jax_compilation import value_and_grad, ways_to_write
from gradparity.compare import assert_agree
from sampling import case

MODELS = {
    "rnn": Recurrent("rnn", 3, 5, 4),
    "lstm": Recurrent("lstm", 3, 5, 4),
    "gru": Recurrent("gru", 3, 5, 4),
    "gru, reset before": Recurrent("gru", 3, 5, 4, reset="before"),
    "stack of both": Recurrent("gru", 3, 5, 4, num_layers=2, bidirectional=True, loss_at="last_step", reduction="mean"),
}
of_every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
MASKS = {"select_n"}
CUTS = {"slice", "split", "pad", "concatenate", "dynamic_slice", "dynamic_update_slice", "gather"}


def make(model, **options):
    return Problem.from_seed(model, seq_len=6, batch_size=2, seed=0, dtype="float32", **options)


def within(jaxpr):
    """All operations of a program, and of the programs in it."""
    for operation in jaxpr.eqns:
        yield operation
        for value in operation.params.values():
            for part in value if isinstance(value, tuple) else (value,):
                inner = getattr(part, "jaxpr", part)
                if hasattr(inner, "eqns"):
                    yield from within(inner)


def program(problem):
    """What JAX is to compile for the timed call."""
    constants = {name: array for name, array in problem.differentiable.items() if name not in problem.params}
    batch = {"targets": problem.targets} | ({} if problem.lengths is None else {"lengths": problem.lengths})
    return jax.make_jaxpr(value_and_grad(problem.model))((dict(problem.params), {}), constants, batch).jaxpr


def steps(problem):
    """The operations of a time step, forward and backward."""
    scans = [operation for operation in within(program(problem)) if operation.primitive.name == "scan"]
    return [operation for scan in scans for operation in within(scan.params["jaxpr"].jaxpr)]


def cuts_of_weights(problem):
    """The operations of a time step that cut something of W's size, or put it together."""
    H, G = problem.model.hidden_size, problem.model.linear_size
    weights = {(rows, H) for rows in range(H, G + 1)} | {(H, rows) for rows in range(H, G + 1)}
    return [
        operation
        for operation in steps(problem)
        if operation.primitive.name in CUTS and {variable.aval.shape for variable in operation.invars} & weights
    ]


@of_every_model
def test_a_step_of_jax_cuts_no_weights(model):
    assert steps(make(model))
    assert cuts_of_weights(make(model)) == []


@of_every_model
def test_jax_masks_nothing_where_there_are_no_lengths(model):
    assert not MASKS & {operation.primitive.name for operation in steps(make(model))}


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (MODELS["rnn"], {"lengths": [6, 2]}),
        (Recurrent("rnn", 3, 5, 4, truncation=Window(2)), {}),
        (Recurrent("rnn", 3, 5, 4, truncation=LastSteps(2)), {}),
    ],
    ids=["lengths", "window", "last steps"],
)
def test_jax_masks_where_a_mask_is_needed(model, options):
    assert MASKS & {operation.primitive.name for operation in steps(make(model, **options))}


def test_without_lengths_the_answer_is_that_of_full_lengths():
    model = Recurrent("rnn", 3, 5, 4, truncation=LastSteps(2), loss_at="last_step", reduction="mean")
    without, full = (
        get_backend("jax").evaluate(make(model, lengths=lengths), trace=True) for lengths in (None, [6, 6])
    )
    assert without.loss == pytest.approx(full.loss, rel=1e-6)
    for some, others in ((without.gradients, full.gradients), (without.adjoints, full.adjoints)):
        assert some.keys() == others.keys()
        for name in some:
            np.testing.assert_allclose(some[name], others[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("name", "module"), [("jax", jax_backend), ("torch", torch_tensors), ("torch-nn", torch_tensors)]
)
def test_a_timed_call_enters_no_context_in_a_plain_host(name, module, monkeypatch):
    run = get_backend(name).prepare(make(MODELS["rnn"]))

    def refuse(*_):
        raise AssertionError("a context was entered")

    monkeypatch.setattr(jax_backend if name == "jax" else torch_tensors, "isolated", refuse)
    loss, gradients = run()
    assert np.isfinite(float(loss))
    assert len(gradients) == 5


@pytest.mark.parametrize("host", [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu")])
@pytest.mark.parametrize("name", ["torch", "torch-nn"])
def test_a_timed_call_of_torch_is_the_same_in_any_host(name, host):
    run = get_backend(name).prepare(make(MODELS["lstm"]))
    loss, gradients = run()
    with host():
        loss_there, gradients_there = run()
    assert torch.equal(loss, loss_there)
    assert all(torch.equal(gradients[parameter], gradients_there[parameter]) for parameter in gradients)


def test_a_timed_call_of_jax_is_the_same_in_any_host():
    double = Problem.from_seed(MODELS["rnn"], seq_len=6, batch_size=2, seed=0, dtype="float64")
    run = get_backend("jax").prepare(double)
    loss, gradients = run()
    assert loss.dtype == np.float64
    for host in (
        jax.enable_x64(False),
        jax.enable_x64(True),
        jax.debug_nans(True),
        jax.disable_jit(),
        jax.transfer_guard("disallow"),
    ):
        with host:
            loss_there, gradients_there = run()
        assert loss_there.dtype == np.float64
        assert np.array_equal(loss, loss_there)
        assert all(np.array_equal(gradients[name], gradients_there[name]) for name in gradients)


@pytest.mark.parametrize(
    ("file", "backend", "model"),
    [
        *(case("plain_jax", "PlainJax", name, campaign=name != "gru") for name in MODELS if name != "stack of both"),
        *(
            case("plain_torch", backend, cell, campaign=(backend == "PlainLoop") != (cell == "gru"))
            for backend in ("PlainLayer", "PlainLoop")
            for cell in ("rnn", "lstm", "gru")
        ),
    ],
)
def test_plain_code_has_the_right_answer(file, backend, model, monkeypatch):
    monkeypatch.setattr(jax.config, "update", lambda *_: None)  # here the process is not its own
    plain = getattr(importlib.import_module(f"examples.{file}"), backend)()
    assert assert_agree(make(MODELS[model]), ["manual", plain]).verdict == "agree"


@pytest.mark.parametrize(
    ("library", "model"),
    [
        *(case(library, "lstm", campaign=library != "LINEN") for library in ("NNX", "LINEN", "EQUINOX", "HAIKU")),
        *(case(library, "gru", campaign=library != "EQUINOX") for library in ("LINEN", "EQUINOX")),
        *(case(library, "rnn", campaign=library != "NNX") for library in ("NNX", "LINEN")),
        case("LSTM_REF", "lstm", campaign=True),
    ],
)
def test_the_layers_of_jax_libraries_have_the_right_answer(library, model, monkeypatch):
    monkeypatch.setattr(jax.config, "update", lambda *_: None)
    contestant = getattr(importlib.import_module("examples.library_jax"), library)
    assert assert_agree(make(MODELS[model]), ["manual", contestant]).verdict == "agree"


@pytest.mark.parametrize(
    "model",
    [
        *(case(MODELS[name], campaign=name not in ("gru", "stack of both"), id=name) for name in MODELS),
        case(Recurrent("rnn", 3, 5, 4, truncation=Window(2)), campaign=False, id="window"),
    ],
)
def test_all_ways_to_write_a_program_of_jax_have_the_same_answer(model):
    problem = make(model)
    constants = {name: array for name, array in problem.differentiable.items() if name not in problem.params}
    arguments = (dict(problem.params), {}), constants, {"targets": problem.targets}
    answers = [value_and_grad(model, quickly=True, **written)(*arguments) for written in ways_to_write(model)]
    assert len(answers) == 2
    ((loss, _), (gradients, _)), ((other_loss, _), (others, _)) = answers
    assert float(loss) == pytest.approx(float(other_loss), rel=1e-6)
    for name in gradients:
        np.testing.assert_allclose(gradients[name], others[name], rtol=2e-5, atol=1e-5, err_msg=name)


def test_the_inputs_are_multiplied_once_or_at_every_step():
    def products_in_steps(**written):
        problem = make(MODELS["rnn"])
        constants = {name: array for name, array in problem.differentiable.items() if name not in problem.params}
        batch = {"targets": problem.targets}
        traced = jax.make_jaxpr(value_and_grad(problem.model, **written))((dict(problem.params), {}), constants, batch)
        scans = [operation for operation in within(traced.jaxpr) if operation.primitive.name == "scan"]
        inner = [operation for scan in scans for operation in within(scan.params["jaxpr"].jaxpr)]
        return sum(operation.primitive.name == "dot_general" for operation in inner)

    assert products_in_steps(at_once=True) < products_in_steps(at_once=False)


def test_the_first_way_is_taken_unless_another_is_clearly_faster(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(jax_compilation.time, "perf_counter", lambda: clock[0])

    def way(name, seconds):
        def run():
            clock[0] += seconds
            return name

        return run

    slow, fast, nearly = way("slow", 2.0), way("fast", 1.0), way("nearly as fast", 1.05)
    assert jax_compilation.fastest([nearly, fast]) is nearly
    assert jax_compilation.fastest([slow, fast]) is fast
    assert jax_compilation.fastest([fast, slow]) is fast


@pytest.mark.parametrize("name", ["torch", "torch-nn"])
def test_the_gradients_of_a_call_are_its_own(name):
    """`backward` adds to a gradient that is there."""
    run = get_backend(name).prepare(make(MODELS["gru"]))
    _, first = run()
    kept = {parameter: gradient.clone() for parameter, gradient in first.items()}
    _, second = run()
    assert all(torch.equal(first[parameter], kept[parameter]) for parameter in kept)
    assert all(torch.equal(first[parameter], second[parameter]) for parameter in kept)
