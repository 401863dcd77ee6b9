"""NumPy as people write it by hand is recorded: the run's value, its replay and its gradient are those of NumPy."""

from __future__ import annotations

import linecache
import math

import numpy as np
import pytest
from gradparity.backends.tracing.own_values import with_values_of
from gradparity.backends.tracing.recorder import IMPLEMENTED, NotRecordableError
from gradparity.backends.tracing.replay import Replay
from gradparity.backends.tracing.trace import trace
from gradparity.backends.tracing.verification import verify
from numpy_expressions import COMPUTED, ENTRYWISE, MOVED
from renewed import alone
from sampling import case
from scipy.special import expit

SINGLE = [  # with single precision somewhere, whose dtype is NumPy's
    lambda w, x: np.array(w, dtype=np.float32),
    lambda w, x: w.astype(np.float32).astype(np.float64),
    lambda w, x: np.sum(w, dtype=np.float32),
    lambda w, x: np.float32(0.5) * w.astype(np.float32),
    lambda w, x: w.astype("f4") * np.float64(2),
    lambda w, x: w.astype("f4") * 2.0 + w.astype("f4") / 3,
    lambda w, x: w.astype("f4") + x,
    lambda w, x: np.concatenate([w.astype("f4"), w]),
    lambda w, x: np.where(w > 0, w.astype("f4"), 0.5),
    lambda w, x: np.where(w > 0, w.astype("f4"), np.float64(0.5)),
    lambda w, x: np.float32(x[0]) * w.astype("f4"),
    lambda w, x: float(x[0]) * w.astype("f4"),
    lambda w, x: x[0] * w.astype("f4"),
    lambda w, x: np.maximum(w.astype("f4"), 0.1),
    lambda w, x: np.stack([w.astype("f4"), np.zeros((3, 4))]),
    lambda w, x: np.sum(w.astype("f4")),
    lambda w, x: w.astype("f4").mean(axis=0),
    lambda w, x: np.array([x[0], np.float32(x[1])]),
    lambda w, x: np.linalg.norm(w.astype("f4"), axis=1),
    lambda w, x: w.astype("f4").sum() / 12,
    lambda w, x: expit(w.astype("f4")),
    lambda w, x: (float(x[0]) + 1.0) * w.astype("f4"),
    lambda w, x: math.exp(x[0]) * w.astype("f4"),
    lambda w, x: -float(x[0]) * w.astype("f4"),
    lambda w, x: w.astype("f4").var(axis=1),
    lambda w, x: np.zeros(4, dtype=np.float32) + x.astype("f4"),
    lambda w, x: np.einsum("ij,j->i", w.astype("f4"), x.astype("f4")),
    lambda w, x: max(float(x[0]), 0.1) * w.astype("f4"),
]


# What takes more than an expression


def buffer_filled_in_place(w, x):
    h = np.zeros((5, 3))
    for t in range(1, 5):
        h[t] = np.tanh(w @ x + h[t - 1])
    return h


def empty_filled(w, x):
    out = np.empty((3, 4), dtype=float)
    for i in range(3):
        for j in range(4):
            out[i, j] = w[i, j] * x[j]
    return out


def a_view_is_written(w, x):
    gates = np.zeros(12)
    rows = gates.reshape(3, 4)
    rows[1] = x
    first = rows[:, 0]
    first += w[:, 0]
    gates[2::5] *= 2
    return gates


def an_alias_is_written(w, x):
    v = u = w * 1
    u[0] += x
    return v * u


def the_argument_is_changed(w, x):
    w *= 2
    x -= w[0]
    return w @ x


def out_arguments(w, x):
    a = np.empty(3)
    np.dot(w, x, out=a)
    np.tanh(a, out=a)
    b = np.zeros((3, 4))
    np.multiply(w, x, out=b)
    np.add(b, 1, b)
    np.matmul(w, x, out=b[:, 0])
    np.sum(w, axis=1, out=b[:, 1])
    w.mean(axis=1, out=b[:, 2])
    np.maximum(b, 0, out=b)
    np.exp(x, out=b[0], where=x > 0)
    return a, b


def in_place_operators(w, x):
    a = x.copy()
    a += w[0]
    a -= 1
    a *= x
    a /= 2
    a **= 2
    b = x[0]
    b += 1
    w[:, 1] -= x[:3]
    w[w > 0] *= 3
    w[[0, 1]] += x
    return a, b, w, x


def added_at(w, x):
    table = np.zeros((3, 4))
    np.add.at(table, [0, 2, 0], w)
    np.add.at(table, ([1, 1], [2, 2]), x[:2])
    np.subtract.at(table, [1, 1], x)
    counts = np.zeros(3)
    np.add.at(counts, [0, 0, 1], 1)
    np.multiply.at(table, ([0, 0], [1, 1]), x[:2])
    return table, counts


def put_places(w, x):
    a = np.zeros_like(w)
    np.put_along_axis(a, w.argmax(axis=1)[:, None], w.sum(axis=1, keepdims=True), axis=1)
    np.put(a, [1, 6], x[:2])
    np.fill_diagonal(a, x[3])
    np.copyto(a, w, where=w > 0.5)
    a.flat[3] = x[0]
    a.fill(a[0, 0]) if x[0] > 9 else None
    np.putmask(a, w > 1, x[0])
    return a


def copied(w, x):
    a = np.empty_like(w)
    np.copyto(a, w)
    np.copyto(a[0], x)
    return a


def enumerated(w, x):
    total = 0
    for (i, j), value in np.ndenumerate(w):
        total += value * x[j] * (i + 1)
    for i in np.ndindex(2, 2):
        total = total + w[i] ** 2
    for value in w.flat:
        total = total + value * value
    return total


def lists_of_numbers(w, x):
    hidden = []
    for row in w:
        hidden.append(sum(a * b for a, b in zip(row, x, strict=True)))  # noqa: PERF401 # as people write it
    rows = w.tolist()
    rows[0][1] = x[0]
    return np.array(hidden), np.array(rows), np.mean(hidden), np.dot(hidden, hidden), np.max(hidden)


def sorted_in_place(w, x):
    a = x.copy()
    a.sort()
    a[::2].sort()
    b = w.copy()
    b.sort(axis=0)
    b.partition(1)
    return a, b.cumsum()


def softmax_cross_entropy(w, x):
    z = w - w.max(axis=1, keepdims=True)
    p = np.exp(z)
    p /= p.sum(axis=1, keepdims=True)
    return -np.log(p[np.arange(3), [0, 3, 1]]).mean()


def batch_norm(w, x):
    mu, var = w.mean(0), w.var(0)
    return x * (w - mu) / np.sqrt(var + 1e-5)


def convolution(w, x):
    out = np.zeros((2, 3))
    for i in range(2):
        for j in range(3):
            out[i, j] = np.sum(w[i : i + 2, j : j + 2] * x.reshape(2, 2))
    return out


def shape_set(w, x):
    a = w * 2
    a.shape = (2, 6)
    return a @ np.ones(6)


def one_hot(w, x):
    targets = np.zeros((3, 4))
    targets[np.arange(3), w.argmax(1)] = 1
    return (targets - w) ** 2 * (targets == 1)


def scalars_of_numpy(w, x):
    loss = np.float64(0)
    loss += x[0]
    other = loss
    loss *= 2
    best = float("-inf")
    for number in x:
        if number > best:
            best = number
    return loss, other, best


def masks(w, x):
    mask = np.zeros(4, dtype=bool)
    mask[1:] = x[1:] > 0
    w[:, mask] = 0
    w[~mask[:3]] += x
    return w * mask, mask.sum() * x


def arrays_of_objects(w, x):
    holder = np.empty(2, dtype=object)
    holder[0], holder[1] = w, x
    holder[1] += 1
    return holder[0] * holder[1]


def aliases_are_written(w, x):
    np.asarray(w)[0] += x
    np.asarray(w, dtype=float)[0] *= x
    np.array(w, copy=None)[1] -= 1
    np.ascontiguousarray(w)[1, :2] *= 3
    np.atleast_2d(w)[1] *= 2
    np.ravel(w)[3] = x[0]
    np.reshape(w, (4, 3))[0, 0] = x[1]
    w.view()[2] += 1
    w.astype(float, copy=False)[:, 1] -= x[:3]
    np.split(w, 2, axis=1)[1][...] *= 2
    for row in w:
        row -= row.max()
    np.squeeze(w[None])[0, 1] = x[3]
    w.T[2] = w[:, 0] * 2
    np.flip(w)[0, 0] *= x[2]
    np.expand_dims(x, 0)[0, 1] = w[0, 0]
    np.moveaxis(w, 0, 1)[1] += x[:3]
    np.array(w)[0] = 7
    w.copy()[1] = 7
    return w, x


def layouts(w, x):
    turned = np.tanh(w.T)
    filled = np.asfortranarray(w * 2)
    filled.ravel("K")[1] = x[0]
    filled.reshape(-1, order="F")[2] = x[1]
    chosen = np.where(np.asfortranarray(w.copy()) > 0, np.zeros((3, 4), order="F"), w)
    chosen.ravel()[5] = x[2]
    chosen.T.reshape(-1)[6] = x[2]
    other = np.empty_like(turned)
    other.ravel("K")[...] = np.arange(12) * x[3]
    return turned.ravel("K"), filled, chosen, other, turned.flatten("A"), (turned + w.T).reshape(2, 6)


DEFS = [
    *(buffer_filled_in_place, empty_filled, a_view_is_written, an_alias_is_written, the_argument_is_changed),
    *(out_arguments, in_place_operators, added_at, put_places, copied, enumerated, lists_of_numbers, sorted_in_place),
    *(softmax_cross_entropy, batch_norm, convolution, shape_set, one_hot, scalars_of_numpy, masks),
    *(arrays_of_objects, aliases_are_written, layouts),
]


def named(function):
    """A function's own name, or the text of an expression."""
    code = function.__code__
    if code.co_name != "<lambda>":
        return code.co_name
    return linecache.getline(code.co_filename, code.co_firstlineno).strip().removeprefix("lambda w, x: ")[:-1]


def parts(value):
    """All numbers that a function returned."""
    if isinstance(value, (list, tuple)):
        return [one for part in value for one in parts(part)]
    return [value]


def weighted(function):
    """What a function returns, and a loss of it."""

    def called(w, x):
        value = function(w, x)
        loss = 0.0
        for number, part in enumerate(parts(value)):
            weights = np.cos(np.arange(np.size(part)) + number).reshape(np.shape(part))
            loss = loss + (part * weights).sum()
        return value, loss

    return called


def drawn():
    rng = np.random.default_rng(3)
    return rng.normal(size=(3, 4)), rng.normal(size=4)


def slope(function, direction, step):
    ends = []
    for sign in (1, -1):
        w, x = (array + sign * step * along for array, along in zip(drawn(), direction, strict=True))
        ends.append(float(function(w, x)[1]))
    return (ends[0] - ends[1]) / (2 * step)


ALL = [*MOVED, *COMPUTED, *ENTRYWISE, *SINGLE, *DEFS]


@pytest.mark.parametrize(
    "function", [case(function, campaign=number % 3 > 0, id=named(function)) for number, function in enumerate(ALL)]
)
def test_a_function_is_recorded_bit_for_bit(function):
    call = alone(weighted(alone(function)))
    w, x = drawn()
    plain, _ = call(w, x)
    given = dict(zip("wx", drawn(), strict=True))
    recorded = trace(call, given)
    for one, other in zip(parts(recorded.returned[0]), parts(plain), strict=True):
        value = getattr(one, "value", one)
        assert type(value) is type(other) or isinstance(value, np.ndarray)
        assert np.shape(value) == np.shape(other)
        assert np.asarray(value).dtype == np.asarray(other).dtype
        assert np.asarray(value).tobytes() == np.asarray(other).tobytes()
    model = recorded.model(recorded.returned[1], {"w": "w", "x": "x"})
    verify(recorded, model, ("w", "x"), call, given, lambda returned: returned[1])
    replay = Replay(model)
    replay.forward(recorded.rows())
    gradients = replay.gradients()
    direction = np.random.default_rng(4).normal(size=(3, 4)), np.random.default_rng(5).normal(size=4)
    expected = slope(call, direction, step=1e-3 if function in SINGLE else 1e-6)
    found = sum((gradients[name] * along).sum() for name, along in zip("wx", direction, strict=True))
    assert np.isclose(found, expected, rtol=2e-3 if function in SINGLE else 1e-6, atol=1e-7)


ANSWERS = [  # plain ones, with the recorded array at any position
    "np.isclose(x[0], 1, atol=1e-9, rtol=0)",
    "np.isclose(2, x[0])",
    "np.allclose(0, x)",
    "np.allclose(a=0, b=x, atol=9)",
    "np.array_equiv(1, x)",
    "np.digitize(1, x)",
    "np.searchsorted(x, 2, sorter=[1, 0], side='right')",
    "np.searchsorted([1, 2, 3], x, 'right')",
    "np.argsort(x, -1, 'stable')",
]


@pytest.mark.parametrize("asked", ANSWERS)
def test_what_is_asked_about_recorded_numbers_is_answered_as_numpy_does(asked):
    function = eval(f"lambda x: {asked}")
    for x in (np.array([1.0, 2.5]), np.array([0.0, 0.5])):
        np.testing.assert_array_equal(trace(function, {"x": x}).returned, function(x))


# Faults in the recorder are found


@pytest.mark.parametrize(
    ("function", "wrong"),
    [
        (np.var, lambda a, axis=None: np.mean(a * a, axis)),
        (np.prod, lambda a, axis=None: np.sum(a, axis)),
        (np.median, lambda a, axis=None: np.max(a, axis)),
        (np.linalg.norm, lambda a, axis=None: np.sum(np.abs(a), axis)),
    ],
)
def test_a_wrong_formula_behind_the_right_values_is_found(function, wrong, monkeypatch):
    monkeypatch.setitem(IMPLEMENTED, function, with_values_of(function, wrong))

    def loss(w, x):
        return function(w, axis=1).sum()

    given = dict(zip("wx", drawn(), strict=True))
    recorded = trace(loss, given)
    assert recorded.returned.value == loss(*drawn())
    model = recorded.model(recorded.returned, {"w": "w"})
    with pytest.raises(NotRecordableError, match="lost something"):
        verify(recorded, model, ("w",), loss, given, lambda returned: returned)
