"""Every primitive's rule is compared with PyTorch, JAX and ball arithmetic; a fault planted in one is seen."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from gradparity.backends import Problem, get_backend, stopped
from gradparity.backends.registry import ENGINES
from gradparity.backends.tracing.primitives import PRIMITIVES, Primitive
from gradparity.backends.tracing.replay import Replay
from gradparity.backends.tracing.replay_balls import Balls
from gradparity.backends.tracing.trace import trace
from scipy.special import erf, expit

# By the primitive, a function of a and b, both (2, 3, 3) and normally distributed
OF_ANY = ("negative", "absolute", "square", "reciprocal", "cbrt", "exp", "exp2", "expm1", "sin", "cos", "tan", "arctan")
OF_ANY += ("sinh", "cosh", "tanh", "arcsinh")
OF_POSITIVE = ("sqrt", "log", "log2", "log10", "log1p")
OF_TWO = ("add", "subtract", "multiply", "divide", "maximum", "logaddexp", "arctan2", "hypot")


def of_ufunc(name, of_arguments):
    return lambda a, b: getattr(np, name)(*of_arguments(a, b))


PROGRAMS = {
    **{name: of_ufunc(name, lambda a, b: (a,)) for name in OF_ANY},
    **{name: of_ufunc(name, lambda a, b: (abs(a),)) for name in OF_POSITIVE},
    **{name: of_ufunc(name, lambda a, b: (a, b)) for name in OF_TWO},
    **{name: of_ufunc(name, lambda a, b: (np.tanh(a),)) for name in ("arcsin", "arccos", "arctanh")},
    "arccosh": lambda a, b: np.arccosh(2 + abs(a)),
    "power": lambda a, b: abs(a) ** b,
    "sigmoid": lambda a, b: expit(a),
    "erf": lambda a, b: erf(a),
    "stop": lambda a, b: stopped(a) * b * a,
    "cast": lambda a, b: (a.astype("float32") * 3).astype("float64"),
    "sum": lambda a, b: a.sum(axis=(0, 2)) * b,
    "cumsum": lambda a, b: np.cumsum(a, axis=1),
    "matmul": lambda a, b: a @ b,
    "inverse": lambda a, b: np.linalg.inv(a + 5 * np.eye(3)),
    "logdet": lambda a, b: np.linalg.slogdet(a)[1],
    "cholesky": lambda a, b: np.linalg.cholesky(a @ a.swapaxes(1, 2) + np.eye(3)),
}


@cache
def problem_of(name):
    """The primitive's results, each with a weight of its own, as a recorded loss."""
    arrays = np.random.default_rng(7).normal(size=(2, 2, 3, 3))

    def loss(a, b):
        result = PROGRAMS[name](a, b)
        return (result * np.cos(np.arange(result.size)).reshape(result.shape)).sum()

    recorded = trace(loss, dict(zip("ab", arrays, strict=True)))
    model = recorded.model(recorded.returned, {"a": "a", "b": "b"})
    assert name in {operation.primitive for operation in model.operations}
    return Problem(model, dict(zip("ab", arrays, strict=True))), recorded.rows()


@cache
def answer_of(name, engine):
    return get_backend(engine).evaluate(problem_of(name)[0])


def tolerance(name):
    return 1e-6 if name == "cast" else 1e-12


def are_close(one, other, name):
    return all(np.allclose(one[key], other[key], rtol=tolerance(name), atol=tolerance(name)) for key in "ab")


def test_every_primitive_has_a_program():
    assert set(PROGRAMS) == set(PRIMITIVES)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_the_engines_agree_on_a_primitive(name):
    answers = [answer_of(name, engine) for engine in ENGINES]
    for answer in answers[1:]:
        assert np.isclose(answer.loss, answers[0].loss, rtol=tolerance(name))
        assert are_close(answer.gradients, answers[0].gradients, name)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_the_balls_hold_what_the_tape_answers(name):
    problem, rows = problem_of(name)
    replay = Replay(problem.model, Balls())
    replay.forward(rows)
    balls = {key: np.vectorize(lambda ball: float(ball.mid()))(part) for key, part in replay.gradients().items()}
    answer = answer_of(name, "tape")
    assert np.isclose(float(replay.loss.mid()), answer.loss, rtol=tolerance(name))
    assert are_close(balls, answer.gradients, name)
    narrow = [ball.rad() <= 1e-12 * (1 + abs(ball)) for part in replay.gradients().values() for ball in part.ravel()]
    assert all(narrow)


def planted(name, position, rule):
    """The primitive with another rule for one operand."""
    right = PRIMITIVES[name]
    rules = (*right.rules[:position], rule, *right.rules[position + 1 :])
    return Primitive(right.compute, rules, right.entrywise)


@pytest.mark.parametrize(
    ("name", "position"), [(name, position) for name, one in PRIMITIVES.items() for position in range(len(one.rules))]
)
def test_a_fault_in_a_rule_is_seen_beside_both_frameworks(name, position, monkeypatch):
    right = PRIMITIVES[name].rules[position]

    def wrong(f, g, y, *operands, **parameters):
        return g if right is None else 1.01 * right(f, g, y, *operands, **parameters)

    frameworks = [answer_of(name, engine).gradients for engine in ENGINES if engine != "tape"]
    monkeypatch.setitem(PRIMITIVES, name, planted(name, position, wrong))
    tape = get_backend("tape").evaluate(problem_of(name)[0]).gradients
    assert len(frameworks) == 2
    assert not any(are_close(tape, gradients, name) for gradients in frameworks)


def test_a_fault_in_what_a_primitive_computes_is_seen_beside_both_frameworks(monkeypatch):
    right = PRIMITIVES["tanh"]
    monkeypatch.setitem(PRIMITIVES, "tanh", Primitive(lambda f, x: 1.01 * f.tanh(x), right.rules))
    tape = get_backend("tape").evaluate(problem_of("tanh")[0])
    assert not any(np.isclose(tape.loss, answer_of("tanh", engine).loss) for engine in ENGINES if engine != "tape")
