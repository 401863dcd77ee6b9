"""A program in NumPy is recorded as it runs, unmodified; the recording gives its value, and three engines agree."""

from __future__ import annotations

import importlib.util
import inspect
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from gradparity.backends import Problem, get_backend
from gradparity.backends.registry import ENGINES
from gradparity.backends.tracing import array, primitives, trace
from gradparity.backends.tracing.pruning import pruned
from gradparity.backends.tracing.recorder import NotRecordableError
from gradparity.backends.tracing.verification import verify
from gradparity.compare.certificate import certify
from sampling import case as in_campaign

FOLDER = Path(__file__).parent.parent / "examples" / "as_written"


def loaded(path):
    spec = importlib.util.spec_from_file_location(f"as_written_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


PROGRAMS, IDIOMS = loaded(FOLDER / "programs.py"), loaded(FOLDER / "idioms.py")
OWN = {name: f for name, f in vars(IDIOMS).items() if getattr(f, "__module__", "") == IDIOMS.__name__}


def case(name):
    """A program of the two files, and what it is called with."""
    if name in PROGRAMS.NAMES:
        return getattr(PROGRAMS, name), PROGRAMS.draw(name)
    rng = np.random.default_rng(0)
    return OWN[name], ({"w": rng.normal(size=(3, 4))}, rng.normal(size=4))


def recorded(function, *arguments):
    """The loss of a function as a problem, differentiated by all arrays, after the safeguards."""
    given = dict(zip(inspect.signature(function).parameters, arguments, strict=False))
    traced = trace.trace(function, given)
    paths = {path: path for path in traced.arguments}
    model = traced.model(traced.returned, paths)
    verified = verify(traced, model, list(paths), function, given, lambda loss: loss)
    params = {f"a{number}": traced.arguments[path].values for number, path in enumerate(paths)}
    model = traced.model(traced.returned, {f"a{number}": path for number, path in enumerate(paths)})
    return Problem(pruned(model, verified.fragile), params)


def slope(function, arguments, moved, direction, step=1e-6):
    """The central difference along a direction."""
    ends = []
    for sign in (1, -1):
        before = moved.copy()
        moved += sign * step * direction
        ends.append(float(function(*arguments)))
        moved[...] = before
    return (ends[0] - ends[1]) / (2 * step)


FIRST = ("layernorm_rnn", "leaky_out", "view_write", "list_of_lists", "item_call", "bool_mask", "float32_buffer")


@pytest.mark.parametrize("name", [in_campaign(name, campaign=name not in FIRST) for name in (*PROGRAMS.NAMES, *OWN)])
def test_a_program_is_differentiated_as_it_stands(name):
    function, arguments = case(name)
    problem = recorded(function, *arguments)
    answers = {engine: get_backend(engine).evaluate(problem) for engine in ENGINES}
    plain = float(function(*arguments))
    for answer in answers.values():
        assert np.isclose(answer.loss, plain, rtol=1e-6 if name == "float32_buffer" else 1e-13)
        for key, gradient in answer.gradients.items():
            assert np.allclose(gradient, answers["tape"].gradients[key], rtol=1e-11, atol=1e-13)
    if name == "float32_buffer":  # whose differences are roundings
        return
    first = next(iter(arguments[0].values()))
    direction = np.random.default_rng(1).normal(size=first.shape)
    expected = slope(function, arguments, first, direction)
    assert np.isclose((answers["tape"].gradients["a0"] * direction).sum(), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["leaky_out", "pinv_solve", "sort", "bool_mask"])
def test_the_enclosure_holds_what_the_tape_answers(name):
    function, arguments = case(name)
    problem = recorded(function, *arguments)
    certificate = certify(problem)
    answer = get_backend("tape").evaluate(problem)
    for key, gradient in answer.gradients.items():
        exact = certificate.exact[f"d{key}"].values
        near = [abs(float(ball.mid()) - number) for ball, number in zip(exact.ravel(), gradient.ravel(), strict=True)]
        assert max(near) <= 1e-12 * max(1.0, np.abs(gradient).max())


# A planted fault is found


@pytest.mark.parametrize("name", ["tanh", "multiply", "matmul", "sum", "divide"])
def test_a_fault_in_a_rule_of_the_tape_is_seen_beside_the_frameworks(name, monkeypatch):
    def loss(w, x):
        return (np.tanh(w @ x) / (1 + (w * w).sum())).sum()

    arguments = np.random.default_rng(0).normal(size=(2, 3, 3))
    problem = recorded(loss, *arguments)
    right = primitives.PRIMITIVES[name]
    wrong = [lambda *given, rule=rule, **options: 1.01 * rule(*given, **options) for rule in right.rules]
    changed = primitives.Primitive(right.compute, tuple(wrong), right.entrywise)
    monkeypatch.setitem(primitives.PRIMITIVES, name, changed)
    tape, torch, jax = (get_backend(engine).evaluate(problem).gradients["a0"] for engine in ENGINES)
    assert np.allclose(torch, jax)
    assert not np.allclose(tape, torch, rtol=1e-3)


def test_a_recorder_that_loses_a_write_through_a_view_is_found(monkeypatch):
    def loses(self, index, value):
        self.numbers[index] = array.plain(value)  # and the origin stays what it was

    monkeypatch.setattr(array.RecordedArray, "__setitem__", loses)
    function, arguments = case("view_write")
    with pytest.raises(NotRecordableError, match="the recording has lost something"):
        recorded(function, *arguments)


class Twice:
    """Holds one array in two places."""

    def __init__(self):
        self.W = np.array([[1.0, 2.0], [3.0, 4.0]])
        self.params = {"W": self.W}

    def loss(self, x):
        return (self.W @ x + self.params["W"].T @ x).sum()


def test_an_array_that_is_held_twice_is_one():
    net = Twice()
    problem = recorded(net.loss, np.array([1.0, 2.0]))
    gradients = get_backend("tape").evaluate(problem).gradients
    assert any(np.allclose(one, [[2.0, 3.0], [3.0, 4.0]]) for one in gradients.values())


# What cannot be followed is refused


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda w: np.fft.rfft(w).real.sum(), r"np\.fft"),
        (lambda w: w.astype(complex).real.sum(), "complex128 is not recorded"),
        (lambda w: w.astype("float16").sum(), "float16 is not recorded"),
        (lambda w: np.linalg.norm(np.outer(w, w), 2), "norm of order 2 cannot be followed"),
        (lambda w: np.frombuffer(w.tobytes()).sum(), r"\.tobytes of a recorded array cannot be followed"),
        (lambda w: np.linalg.svd(np.outer(w, w))[1].sum(), r"np\.linalg\.svd cannot be followed"),
        (lambda w: np.std(w, mean=0.0), "np.std with mean= cannot be followed"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_its_place(function, words):
    with pytest.raises(NotRecordableError, match=words) as error:
        recorded(function, np.array([1.0, 2.0, 3.0]))
    assert "test_tracing.py:" in str(error.value)
    assert "\n" not in str(error.value)


# A call leaves no trace


class Worker:
    """Changes whatever it can reach."""

    step = np.zeros(2)

    def __init__(self):
        self.W = np.ones(2)
        self.grads = {"W": np.zeros(2)}
        self.history = []
        self.rng = np.random.default_rng(0)

    def loss(self, x):
        loss = ((self.W * x) ** 2).sum() + self.rng.normal() + np.random.rand() + random.random()  # noqa: NPY002 # the state of all is put back
        self.grads["W"] += 2 * self.W * x * x
        self.W -= 0.1 * self.grads["W"]
        self.history.append(loss)
        self.extra = loss
        Worker.step += 1
        x[0] = 7.0
        return loss


@pytest.mark.parametrize("how", [trace.trace, trace.call])
def test_a_call_leaves_everything_as_it_was(how):
    worker, x = Worker(), np.array([1.0, 2.0])
    legacy = np.random.mtrand._rand.get_state
    states = legacy()[1].copy(), random.getstate(), worker.rng.bit_generator.state
    how(worker.loss, {"x": x})
    assert worker.W.tolist() == [1.0, 1.0]
    assert (worker.grads["W"].tolist(), worker.history, x.tolist()) == ([0.0, 0.0], [], [1.0, 2.0])
    assert not hasattr(worker, "extra")
    assert Worker.step.tolist() == [0.0, 0.0]
    assert np.array_equal(legacy()[1], states[0])
    assert (random.getstate(), worker.rng.bit_generator.state) == states[1:]


def test_a_call_that_raises_leaves_everything_as_it_was():
    state = {"W": np.ones(2)}

    def fails(x):
        state["W"] *= 2
        state["new"] = x
        raise ValueError("enough")

    for how in (trace.trace, trace.call):
        with pytest.raises(ValueError, match="enough"):
            how(fails, {"x": np.ones(2)})
        assert list(state) == ["W"]
        assert state["W"].tolist() == [1.0, 1.0]


def test_what_a_function_returns_is_kept_as_it_was_returned():
    worker = Worker()

    def both(x):
        loss = worker.loss(x)
        return loss, worker.grads

    _, gradients = trace.call(both, {"x": np.array([1.0, 2.0])})
    assert gradients["W"].tolist() == [2.0, 8.0]
    assert worker.grads["W"].tolist() == [0.0, 0.0]
