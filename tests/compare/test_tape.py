"""Every rule of the tape against the slope, in ball arithmetic of 400 bits; and in both writings of numbers."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb, ctx
from gradparity.compare.definitions import tape
from gradparity.compare.definitions.balls import Balls
from gradparity.compare.definitions.numbers import Floats
from gradparity.compare.definitions.tape import Source, Variable, backward

BITS = 400
STEP = arb(2) ** -100  # a central difference is off by STEP² of the third derivative: below 2**-190 here
A = np.array([[0.5, -1.25, 2.0], [0.75, 0.375, -0.5]])
B = np.array([[1.5, 0.25, -0.75], [-2.0, 0.625, 1.0]])
BALLS = Balls()
balls = BALLS.constants
CONDITION = np.array([[True, False, True], [False, True, True]])

RULES = {
    "+": lambda a, b: a + b,
    "+ along rows": lambda a, b: a + b[0],
    "+ along columns": lambda a, b: a + b[:, :1],
    "-": lambda a, b: a - b,
    "- along rows": lambda a, b: a - b[0],
    "*": lambda a, b: a * b,
    "* with itself": lambda a, b: a * a * b,
    "@": lambda a, b: a @ b.T,
    "T": lambda a, b: (a.T @ b).T,
    "[]": lambda a, b: a[1] * b[0],
    "[] of what receives other contributions too": lambda a, b: a * b + a[1] * a[0] + b[:, :1],
    "tanh": lambda a, b: tape.tanh(a) * b,
    "sigmoid": lambda a, b: tape.sigmoid(a) * b,
    "relu": lambda a, b: tape.relu(a) * b,
    "exp": lambda a, b: tape.exp(a) * b,
    "log": lambda a, b: tape.log(a * a) * b,
    "softplus": lambda a, b: tape.softplus(a) * b,
    "logistic loss": lambda a, b: tape.logistic_loss(a, balls(A)) * b,
    "total": lambda a, b: tape.total(a * b, -1) * b[:, 0],
    "total over two axes": lambda a, b: b * tape.total(a * b, -1, -2),
    "reshaped": lambda a, b: tape.reshaped(a, 3, 2) @ b,
    "concatenated": lambda a, b: tape.concatenated([a, b, a]) * tape.concatenated([b, b, a]),
    "concatenated below": lambda a, b: tape.concatenated([a, b], axis=-2).T @ tape.concatenated([b, b], axis=-2),
    "where, or zero": lambda a, b: tape.where(CONDITION, a) * b,
    "where": lambda a, b: tape.where(CONDITION, a, b) * a,
}


def result(rule, a, b):
    """A number that depends on every entry of what the rule gives, on each in its own way."""
    result = rule(a, b)
    weights = np.arange(1, result.value.size + 1).reshape(result.value.shape)
    return tape.total(result * balls(weights.astype(float)), *range(-result.value.ndim, 0))


def ball_variable(array):
    return Variable(array, numbers=BALLS)


def widest_gap(rule):
    """How far the tape's gradients are from the slopes, at most."""
    with ctx.workprec(BITS):
        arrays = {"a": balls(A), "b": balls(B)}
        variables = {name: ball_variable(array) for name, array in arrays.items()}
        backward(result(rule, **variables))
        gaps = []
        for name, array in arrays.items():
            for index in np.ndindex(array.shape):
                ends = []
                for sign in (1, -1):
                    moved = array.copy()
                    moved[index] += sign * STEP
                    ends.append(result(rule, **{n: ball_variable(a) for n, a in (arrays | {name: moved}).items()}))
                slope = (ends[0].value.item() - ends[1].value.item()) / (2 * STEP)
                gaps.append(float((slope - variables[name].gradient[index]).abs_upper()))
        return max(gaps)


@pytest.mark.parametrize("name", RULES)
def test_a_gradient_is_the_slope(name):
    assert widest_gap(RULES[name]) < 2.0**-180


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("tanh", lambda a: Variable(tape.tanh(a).value, [Source(a, lambda g: g * (1 - tape.tanh(a).value))])),
        ("sigmoid", lambda a: Variable(tape.sigmoid(a).value, [Source(a, lambda g: g * tape.sigmoid(a).value)])),
        ("exp", lambda a: Variable(tape.exp(a).value, [Source(a, lambda g: g)])),
        ("relu", lambda a: Variable(tape.relu(a).value, [Source(a, lambda g: g)])),
        ("log", lambda a: Variable(tape.log(a).value, [Source(a, lambda g: g * a.value)])),
    ],
)
def test_a_wrong_rule_is_found(name, wrong):
    right = getattr(tape, name)
    rule = {"log": lambda a, b: wrong(a * a) * b}.get(name, lambda a, b: wrong(a) * b)
    assert widest_gap(lambda a, b: right(a * a) * b if name == "log" else right(a) * b) < 2.0**-180
    assert widest_gap(rule) > 1e-3


def test_nothing_goes_back_through_what_is_stopped():
    a = ball_variable(balls(A))
    backward(tape.total(tape.stopped(a) * a, -1, -2))
    assert (a.gradient == balls(A)).all()


def test_relu_has_the_derivative_zero_at_zero_and_any_where_the_sign_is_not_known():
    a = ball_variable(np.array([arb(0), arb(0, 1), arb(2), arb(-2)], dtype=object))
    backward(tape.total(tape.relu(a), -1))
    zero, unknown, one, none = a.gradient
    assert (zero, one, none) == (0, 1, 0)
    assert unknown.contains(arb(0))
    assert unknown.contains(arb(1))


def test_floating_point_numbers_are_taken_for_exactly_what_they_are():
    for number in (0.1, np.float32(0.1), 1e-320, 5e300):
        (ball,) = balls(np.array([number]))
        assert ball.is_exact()
        assert ball == arb(float(number))


def test_a_long_chain_does_not_exhaust_the_stack():
    a = ball_variable(balls(1.0))
    chain = a
    for _ in range(5000):
        chain = chain + a
    backward(chain)
    assert a.gradient.item() == 5001


def float_variable(array, **options):
    return Variable(array, numbers=Floats(np.dtype("float64"), **options))


@pytest.mark.parametrize("fused", [False, True], ids=["textbook", "kernel"])
@pytest.mark.parametrize("function", [tape.tanh, tape.sigmoid, tape.softplus, tape.exp, tape.relu])
def test_both_writings_of_a_function_have_the_slopes_of_the_balls(function, fused):
    a, exact = float_variable(A, fused=fused), ball_variable(balls(A))
    for variable in (a, exact):
        backward(tape.total(function(variable) * variable, -1, -2))
    np.testing.assert_allclose(a.gradient, exact.gradient.astype(float), rtol=1e-14)


def test_computations_beside_each_other_do_not_mix():
    stacked = np.stack([A, B])
    beside, alone = float_variable(stacked, leading=(2,)), [float_variable(array) for array in stacked]
    for a in (beside, *alone):
        h = tape.tanh(tape.concatenated([a, a * a], axis=-2) @ a.T)
        backward(tape.total(h[..., 1:, :] * tape.reshaped(h[..., :3, 0], 3, 1), -1, -2))
    np.testing.assert_allclose(beside.gradient, np.stack([a.gradient for a in alone]), rtol=1e-14)


def test_what_nobody_asks_for_is_forgotten_and_what_is_kept_is_there():
    a = float_variable(A)
    kept = a * a
    forgotten = tape.tanh(kept)
    backward(tape.total(forgotten, -1, -2), kept=[kept])
    assert not forgotten.gradient.any()
    assert not forgotten.sources
    np.testing.assert_allclose(a.gradient, 2 * A * kept.gradient)
