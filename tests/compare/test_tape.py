"""Every rule of the tape against the slope, in ball arithmetic of 400 bits."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb, ctx
from gradparity.compare.certificate import tape
from gradparity.compare.certificate.tape import Variable, backward, balls

BITS = 400
STEP = arb(2) ** -100  # a central difference is off by STEP² of the third derivative: below 2**-190 here
A = np.array([[0.5, -1.25, 2.0], [0.75, 0.375, -0.5]])
B = np.array([[1.5, 0.25, -0.75], [-2.0, 0.625, 1.0]])
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
    "tanh": lambda a, b: tape.tanh(a) * b,
    "sigmoid": lambda a, b: tape.sigmoid(a) * b,
    "relu": lambda a, b: tape.relu(a) * b,
    "exp": lambda a, b: tape.exp(a) * b,
    "log": lambda a, b: tape.log(a * a) * b,
    "total": lambda a, b: tape.total(a * b, axis=1) * b[:, 0],
    "concatenated": lambda a, b: tape.concatenated([a, b, a]) * tape.concatenated([b, b, a]),
    "where": lambda a, b: tape.where(CONDITION, a, b) * a,
}


def result(rule, a, b):
    """A number that depends on every entry of what the rule gives, on each in its own way."""
    result = rule(a, b)
    weights = np.arange(1, result.value.size + 1).reshape(result.value.shape)
    return tape.total(result * balls(weights.astype(float)))


def widest_gap(rule):
    """How far the tape's gradients are from the slopes, at most."""
    with ctx.workprec(BITS):
        arrays = {"a": balls(A), "b": balls(B)}
        variables = {name: Variable(array) for name, array in arrays.items()}
        backward(result(rule, **variables))
        gaps = []
        for name, array in arrays.items():
            for index in np.ndindex(array.shape):
                ends = []
                for sign in (1, -1):
                    moved = array.copy()
                    moved[index] += sign * STEP
                    ends.append(result(rule, **{n: Variable(a) for n, a in (arrays | {name: moved}).items()}))
                slope = (ends[0].value.item() - ends[1].value.item()) / (2 * STEP)
                gaps.append(float((slope - variables[name].gradient[index]).abs_upper()))
        return max(gaps)


@pytest.mark.parametrize("name", RULES)
def test_a_gradient_is_the_slope(name):
    assert widest_gap(RULES[name]) < 2.0**-180


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("tanh", lambda a: Variable(tape.tanh(a).value, [(a, lambda g: g * (1 - tape.tanh(a).value))])),
        ("sigmoid", lambda a: Variable(tape.sigmoid(a).value, [(a, lambda g: g * tape.sigmoid(a).value)])),
        ("exp", lambda a: Variable(tape.exp(a).value, [(a, lambda g: g)])),
        ("relu", lambda a: Variable(tape.relu(a).value, [(a, lambda g: g)])),
        ("log", lambda a: Variable(tape.log(a).value, [(a, lambda g: g * a.value)])),
    ],
)
def test_a_wrong_rule_is_found(name, wrong):
    right = getattr(tape, name)
    rule = {"log": lambda a, b: wrong(a * a) * b}.get(name, lambda a, b: wrong(a) * b)
    assert widest_gap(lambda a, b: right(a * a) * b if name == "log" else right(a) * b) < 2.0**-180
    assert widest_gap(rule) > 1e-3


def test_nothing_goes_back_through_what_is_stopped():
    a = Variable(balls(A))
    backward(tape.total(tape.stopped(a) * a))
    assert (a.gradient == balls(A)).all()


def test_relu_has_the_derivative_zero_at_zero_and_any_where_the_sign_is_not_known():
    a = Variable(np.array([arb(0), arb(0, 1), arb(2), arb(-2)], dtype=object))
    backward(tape.total(tape.relu(a)))
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
    a = Variable(balls(1.0))
    chain = a
    for _ in range(5000):
        chain = chain + a
    backward(chain)
    assert a.gradient.item() == 5001
