"""A recording that has lost something is found out; one that has not is never refused."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.backends.tracing import exchange as exchange_module
from gradparity.backends.tracing import found_arrays, holders, stand_ins
from gradparity.backends.tracing.array import RecordedArray, as_recorded, plain_index
from gradparity.backends.tracing.closeness import differs, moved
from gradparity.backends.tracing.recorder import IMPLEMENTED, NotRecordableError
from gradparity.backends.tracing.replay import Replay
from gradparity.backends.tracing.trace import trace
from gradparity.backends.tracing.verification import verify

W, X = np.array([[0.5, -0.25], [1.0, 0.75]]), np.array([0.3, -0.6])


def verified(function, arguments, paths, floats=()):
    traced = trace(function, arguments, floats)
    model = traced.model(traced.returned, {path: path for path in paths})
    return verify(traced, model, paths, function, arguments, lambda loss: loss)


def assert_lost(function, arguments, paths, where="close to its arguments"):
    with pytest.raises(NotRecordableError, match=f"has lost something: {where}"):
        verified(function, arguments, paths)


# Faults that are planted


def through_a_view(w):
    h = np.zeros(4)
    part = h.reshape(2, 2).T
    part[0] = w[:2] ** 2
    part[1] += w[2:] * 3
    return (h * np.arange(1.0, 5.0)).sum()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_write_through_a_view_whose_entries_are_lost_is_found(dtype, monkeypatch):
    def losing(self, index, value):
        index, source = plain_index(index), as_recorded(value)
        self.numbers[index] = source.numbers
        if self.numbers.base is None:
            self.origin[index] = source.origin

    arguments = {"w": np.linspace(0.5, 1, 4).astype(dtype)}
    verified(through_a_view, arguments, ["w"])
    monkeypatch.setattr(RecordedArray, "__setitem__", losing)
    assert_lost(through_a_view, arguments, ["w"], "(close to|beside) its arguments")


def test_a_write_through_a_view_whose_numbers_are_lost_is_found(monkeypatch):
    def copying(self, *shape):
        return RecordedArray(self.numbers.reshape(*shape).copy(), self.origin.reshape(*shape).copy())

    arguments = {"w": np.linspace(0.5, 1, 4)}
    monkeypatch.setattr(RecordedArray, "reshape", copying)
    with pytest.raises(NotRecordableError, match="has lost something: at its arguments"):
        verified(through_a_view, arguments, ["w"])


class Net:
    def __init__(self):
        self.W = W.copy()
        self.params = {"W": self.W}

    def loss(self, x):
        return np.tanh(self.W @ x).sum() + np.sin(self.params["W"] @ x).sum()


@pytest.mark.parametrize("missed", ["W", "params"])
def test_a_holder_that_was_missed_is_found(missed, monkeypatch):
    def missing(value):
        return {name: one for name, one in holders.attributes_of(value).items() if name != missed}

    verified(Net().loss, {"x": X}, ["self.W"])
    monkeypatch.setattr(exchange_module, "attributes_of", missing)
    path = "self.params['W']" if missed == "W" else "self.W"
    assert_lost(Net().loss, {"x": X}, [path])


def test_memory_that_is_not_shared_is_found(monkeypatch):
    def loss(w, part):
        part *= 2.0
        return (w**2).sum()

    w = np.linspace(0.5, 1, 4)
    verified(loss, {"w": w, "part": w[:2]}, ["w"])
    monkeypatch.setattr(found_arrays.Memory, "_copy_of", alone)
    assert_lost(loss, {"w": w, "part": w[:2]}, ["w"], "at its arguments")


def alone(self, array):
    return array, (array.reshape(-1).copy(), self._recording.argument(array.reshape(-1)))


@pytest.mark.parametrize("name", ["zeros", "empty"])
def test_a_stand_in_that_is_missing_is_found(name, monkeypatch, program):
    module = program(
        f"import numpy as np\ndef loss(x):\n    h = np.{name}(2)\n    h[0], h[1] = x[0], x[1]\n    return (h * h).sum()"
    )
    verified(module.loss, {"x": X}, ["x"])
    original = stand_ins.stand_in
    monkeypatch.setattr(stand_ins, "stand_in", lambda value: None if value is getattr(np, name) else original(value))
    assert_lost(module.loss, {"x": X}, ["x"])


def test_an_operation_that_records_something_else_is_found(monkeypatch):
    def loss(w):
        return (np.tanh(w) * w).sum()

    verified(loss, {"w": W}, ["w"])
    monkeypatch.setitem(IMPLEMENTED, np.tanh, lambda x: RecordedArray(np.tanh(x.numbers), np.zeros_like(x.origin)))
    assert_lost(loss, {"w": W}, ["w"])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("beside", [1.0, 1e3])
def test_a_path_that_is_lost_beside_a_large_constant_is_found(beside, dtype, monkeypatch):
    def loss(w):
        return (np.tanh(w) * w).sum() + w.dtype.type(beside)

    monkeypatch.setitem(IMPLEMENTED, np.tanh, lambda x: RecordedArray(np.tanh(x.numbers), np.zeros_like(x.origin)))
    assert_lost(loss, {"w": W.astype(dtype)}, ["w"], "(close to|beside) its arguments")


def test_a_number_that_becomes_pythons_is_found_and_where_is_said(program):
    module = program(
        "import array\ndef loss(x):\n    kept = array.array('d', [0.0])\n    kept[0] = x[0]\n    return kept[0] * x[1]"
    )
    with pytest.raises(NotRecordableError, match=r"program\.py:4, in loss: kept\[0\].*becomes a plain one"):
        verified(module.loss, {"x": X}, ["x"])


def test_a_function_that_gives_another_value_at_every_call_is_named():
    with pytest.raises(NotRecordableError, match="two calls with the same arguments give"):
        verified(lambda w: (w * np.random.default_rng().random()).sum(), {"w": W}, ["w"])


# Functions that are recorded as they are


def softmax_loss(w):
    return np.log(np.exp(w - w.max()).sum()) - w[0, 0]


FINE = {
    "zeros": (lambda w: (np.sin(w) + 1).sum(), np.zeros(3)),
    "huge numbers": (lambda w: (w * 1e-300).sum(), np.array([1e300, -1e300, 1e10])),
    "tiny numbers": (lambda w: (w * 1e300).sum(), np.array([1e-300, -1e-305])),
    "numbers below the normal range": (lambda w: (w * 1e300).sum(), np.array([5e-324, 1e-310])),
    "a loss that is a small difference": (lambda w: (w + 1e12).sum() - (w[::-1] + 1e12).sum(), np.array([0.1, 0.3])),
    "a product whose terms cancel": (lambda w: (w @ np.array([[1e8, -1e8], [-1e8, 1e8]])).sum(), np.array([0.1, 0.7])),
    "a sum of what was centred": (lambda w: (w - w.mean()).sum(), np.linspace(1e6, 1e7, 1001)),
    "a loss that hardly depends on it": (lambda w: 1e6 + 1e-9 * np.sin(w).sum(), np.array([0.3, 0.4])),
    "a constant": (lambda w: 3.0 + 0 * w.sum(), np.ones(2)),
    "a loss that does not depend on it": (lambda w: np.float64(3.0), np.ones(2)),
    "an ill-conditioned inverse": (
        lambda w: np.linalg.inv(w).sum(),
        1 / (np.arange(7)[:, None] + np.arange(7) + 1.0),
    ),
    "long sums": (lambda w: (w * np.sin(np.arange(100000))).sum() ** 2, np.linspace(0, 1, 100000)),
    "a softmax": (softmax_loss, W),
    "relus": (lambda w: (np.maximum(w, 0) * (w > 0) * np.where(w > 0.5, w, -w)).sum(), np.linspace(-1, 1, 301)),
    "rounded numbers": (lambda w: (np.round(w * 255) / 255).sum() + w.sum(), np.linspace(-1, 1, 300)),
    "a branch that is not seen": (lambda w: w.sum() + float(f"{w[0]:.1f}"), np.array([0.5, 10.0])),
    "a saturated sigmoid": (lambda w: (1 / (1 + np.exp(-w))).sum(), np.array([40.0, -40.0, 800.0])),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", FINE)
def test_is_not_refused(name, dtype):
    function, w = FINE[name]
    if dtype == "float32" and name in ("huge numbers", "tiny numbers", "numbers below the normal range"):
        factor = 2.0**127
        w = np.array([1e38, -1e38] if name == "huge numbers" else [1e-38, 1e-44], dtype)
        function = (lambda w: (w / factor).sum()) if name == "huge numbers" else (lambda w: (w * factor).sum())
    with np.errstate(all="ignore"):
        verified(function, {"w": w.astype(dtype)}, ["w"])


LEFT = {
    "a square root at 0": (lambda w: np.sqrt(w).sum(), np.array([0.0, 4.0])),
    "a logarithm that would be of a negative number": (lambda w: np.log(w).sum(), np.array([1e-12, 1e6])),
    "a matrix that would not be symmetric": (
        lambda w: np.linalg.slogdet(require_symmetric(w))[1],
        np.array([[2.0, 1.0], [1.0, 2.0]]),
    ),
    "a matrix that would not be positive definite": (
        lambda w: np.log(np.diag(np.linalg.cholesky(w))).sum(),
        np.diag([1e8, 1e-4]),
    ),
}


def require_symmetric(w):
    if not (w == w.T).all():
        raise ValueError("not symmetric")
    return w


@pytest.mark.parametrize("name", LEFT)
def test_a_function_is_checked_inside_its_domain(name, monkeypatch):
    function, w = LEFT[name]
    with np.errstate(all="ignore"):
        assert not [note for note in verified(function, {"w": w}, ["w"]).notes if "these alone" in note]


def test_a_path_that_is_lost_inside_a_narrow_domain_is_found(monkeypatch):
    def loss(w):
        return np.tanh(require_symmetric(w)).sum() + w.sum()

    w = np.array([[2.0, 1.0], [1.0, 2.0]])
    verified(loss, {"w": w}, ["w"])
    monkeypatch.setitem(IMPLEMENTED, np.tanh, lambda x: RecordedArray(np.tanh(x.numbers), np.zeros_like(x.origin)))
    assert_lost(loss, {"w": w}, ["w"])


def test_a_function_that_is_defined_at_its_arguments_alone_is_said_to_be_checked_there_alone():
    def loss(w):
        if w[0] != 1:
            raise ValueError("1 is expected")
        return (w * w).sum()

    assert verified(loss, {"w": np.ones(2)}, ["w"]).notes == (
        "close to its arguments it raises ValueError: 1 is expected: the recording is checked at these alone",
    )


def test_another_branch_close_by_is_said_and_what_is_lost_in_it_is_found(monkeypatch):
    def loss(w):
        return (np.tanh(w) if w[0] == 1 else np.sinh(w)).sum() + w.sum()

    verified_ = verified(loss, {"w": np.ones(2)}, ["w"])
    assert verified_.fragile == {0}
    assert any("a branch changes close to the arguments" in note for note in verified_.notes)
    monkeypatch.setitem(IMPLEMENTED, np.sinh, lambda x: RecordedArray(np.sinh(x.numbers), np.zeros_like(x.origin)))
    assert_lost(loss, {"w": np.ones(2)}, ["w"])


def test_a_branch_that_is_taken_when_an_operation_fails_is_followed():
    def loss(w):
        try:
            factor = np.linalg.cholesky(w)
        except np.linalg.LinAlgError:
            factor = np.linalg.cholesky(w + 1e-3 * np.eye(2))
        return (factor * factor).sum() + w.sum()

    w = np.array([[1.0, 1 - 1e-8], [1 - 1e-8, 1.0]])
    assert any("a branch changes" in note for note in verified(loss, {"w": w}, ["w"]).notes)


def test_a_matrix_that_happens_to_be_symmetric_is_moved_in_all_directions(monkeypatch):
    def loss(w):
        return (w.T @ X)[0] * 3 + w.sum()

    w = np.eye(2)
    verified(loss, {"w": w}, ["w"])
    monkeypatch.setattr(RecordedArray, "T", property(lambda self: self))
    assert_lost(loss, {"w": w}, ["w"])


@pytest.mark.parametrize("keeps_form", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("values", [[1e-310, 2e-310], [5e-324, 0.0], [1.0, 1e300], [3e38, 1.0]])
def test_whatever_its_size_an_array_is_moved_to_finite_numbers(values, dtype, keeps_form):
    with np.errstate(over="ignore"):
        array = np.minimum(np.array(values), np.finfo(dtype).max / 2).astype(dtype)
    beside = moved(array, 2.0**-20, np.random.default_rng(0), keeps_form=keeps_form)
    assert beside.dtype == dtype
    assert np.isfinite(beside).all()
    assert keeps_form or (beside != array).any()


@pytest.mark.parametrize(
    ("function", "rounding"),
    [
        (lambda w: (w + 1e8).sum() - 2e8, 1e8),
        (lambda w: (w @ np.array([[1e8, -1e8], [-1e8, 1e8]], w.dtype)).sum(), 1e8),
        (lambda w: np.stack([w * 1e8, -w * 1e8, w]).sum(axis=0).sum(), 1e8),
        (lambda w: np.cumsum(np.stack([w * 1e8, -w * 1e8, w]), axis=0)[2].sum(), 1e8),
        (lambda w: w[0] + 1e8 - 1e8, 1e8),
        (lambda w: (w * 2).sum(), 1.0),
    ],
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_values_are_the_same_up_to_the_rounding_of_what_they_were_computed_from(function, rounding, dtype):
    traced = trace(function, {"w": np.full(2, 0.5, dtype)})
    model = traced.model(traced.returned, {"w": "w"})
    replay = Replay(model)
    replay.forward(traced.rows())
    unit = rounding * float(np.finfo(dtype).eps)
    assert not differs(model, replay, replay.loss + unit / 2)
    assert differs(model, replay, replay.loss + 1000 * unit)
