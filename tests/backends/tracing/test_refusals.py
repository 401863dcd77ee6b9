"""What cannot be followed is refused in one line with its place; no path is lost."""

from __future__ import annotations

import array as arrays
import ctypes
import io
import json
import linecache
import operator
import struct

import numpy as np
import pytest
import scipy.linalg
import scipy.special
from gradparity.backends.tracing.recorder import NotRecordableError
from gradparity.compare import check_gradients

# Of w (3, 4) and x (4,); each returns one number

FUNCTIONS = [
    lambda w, x: np.pad(x, 1, constant_values=x[0]).sum(),
    lambda w, x: np.pad(x, 1, mode="mean").sum(),
    lambda w, x: np.pad(x, 1, mode="linear_ramp", end_values=x[0]).sum(),
    lambda w, x: np.unique(x).sum(),
    lambda w, x: np.linspace(0, x[0], 3).sum(),
    lambda w, x: np.arange(x[0], x[0] + 3).sum(),
    lambda w, x: np.vander(x[:3], 3).sum(),
    lambda w, x: np.gradient(x).sum(),
    lambda w, x: np.cov(w).sum(),
    lambda w, x: np.histogram(x, weights=x)[0].sum(),
    lambda w, x: np.add.reduceat(x, [0, 2]).sum(),
    lambda w, x: np.linalg.norm(w, 2),
    lambda w, x: np.linalg.norm(w, "nuc"),
    lambda w, x: np.linalg.pinv(np.outer(x, x)).sum(),
    lambda w, x: np.linalg.lstsq(w.T, x)[0].sum(),
    lambda w, x: np.linalg.qr(w)[1].sum(),
    lambda w, x: np.linalg.eigh(w @ w.T)[0].sum(),
    lambda w, x: np.linalg.svd(w, compute_uv=False).sum(),
    lambda w, x: np.linalg.cond(w),
    lambda w, x: scipy.special.gammaln(abs(w)).sum(),
    lambda w, x: scipy.linalg.solve(w @ w.T, w).sum(),
    lambda w, x: np.fft.fft(x).real.sum(),
    lambda w, x: np.fft.irfft(np.fft.rfft(x)).sum(),
    lambda w, x: (w * 1j).imag.sum(),
    lambda w, x: w.astype(complex).real.sum(),
    lambda w, x: np.array(w, dtype=complex).real.sum(),
    lambda w, x: complex(x[0], 1).real,
    lambda w, x: complex(x[0]).real,
    lambda w, x: (float(x[0]) ** 0.5 + float(-x[0]) ** 0.5).real,
    lambda w, x: np.emath.sqrt(x).real.sum(),
    lambda w, x: w.astype(np.float16).sum(),
    lambda w, x: w.astype(np.longdouble).sum(),
    lambda w, x: w.sum(dtype=np.longdouble),
    lambda w, x: np.longdouble(x[0]) * x[0],
    lambda w, x: np.float16(x[0]) * x[0],
    lambda w, x: (np.ones(4, np.float16) + x.astype(np.float16)).sum(),
    lambda w, x: w.astype(object).sum(),
    lambda w, x: np.array(w, dtype=object).sum(),
    lambda w, x: np.frompyfunc(lambda number: number * 2, 1, 1)(x).sum(),
    lambda w, x: np.vectorize(lambda row: row.sum(), signature="(n)->()")(w).sum(),
    lambda w, x: np.ma.array(w, mask=w < 0).sum(),
    lambda w, x: np.ma.masked_less(w, 0).sum(),
    lambda w, x: np.rec.array(x).sum(),
    lambda w, x: np.ndarray.sum(w),
    lambda w, x: np.ndarray((2,), buffer=x).sum(),
    lambda w, x: np.frombuffer(x).sum(),
    lambda w, x: np.frombuffer(x.tobytes()).sum(),
    lambda w, x: np.asarray(memoryview(x)).sum(),
    lambda w, x: np.asarray(x.data).sum(),
    lambda w, x: sum(arrays.array("d", x)),
    lambda w, x: sum(struct.unpack("4d", struct.pack("4d", *x))),
    lambda w, x: ctypes.c_double(x[0]).value * x[0],
    lambda w, x: np.asarray(x.ctypes.data_as(ctypes.POINTER(ctypes.c_double))[0]).sum(),
    lambda w, x: json.loads(json.dumps(x.tolist()))[0],
    lambda w, x: float.fromhex(float(x[0]).hex()),
    lambda w, x: x.view(np.int64).view(np.float64).sum(),
    lambda w, x: x.view(np.float32).astype(float).sum(),
    lambda w, x: np.asarray(list(map(operator.methodcaller("__float__"), x))).sum(),
    lambda w, x: np.from_dlpack(x).sum(),
    lambda w, x: sum(number.item() for number in np.nditer(w)),
    lambda w, x: np.dot(np.ctypeslib.as_array(x), x),
    lambda w, x: np.einsum_path("ij,j->i", w, x) and np.broadcast(w, x).iters[0].__next__(),
    lambda w, x: np.testing.assert_allclose(x, x) or np.poly1d(x)(x[0]),
]
THROUGH_TEXT = [
    lambda w, x: float(str(x[0])),
    lambda w, x: float(repr(float(x[0]))),
    lambda w, x: float(f"{x[0]}") * x[1],
    lambda w, x: float("%r" % float(x[0])),  # noqa: UP031 # as people write it
    lambda w, x: np.fromstring(str(x)[1:-1], sep=" ").sum(),
]


def saved(w, x):
    file = io.BytesIO()
    np.save(file, w)
    file.seek(0)
    return np.load(file).sum()


def saved_as_text(w, x):
    file = io.StringIO()
    np.savetxt(file, w)
    file.seek(0)
    return np.loadtxt(file).sum()


def array_of_another_maker(w, x):
    made = scipy.linalg.toeplitz([0.0, 1.0, 2.0, 3.0])
    made[0] = x
    return made.sum()


def integers_written(w, x):
    counts = np.zeros(4, dtype=int)
    counts[...] = x * 10
    return counts.sum() * x[0]


def integers_at(w, x):
    counts = np.zeros(4, dtype=int)
    np.add.at(counts, [0, 1], x[:2] * 10)
    return counts.sum() * x[0]


def out_of_integers(w, x):
    counts = np.zeros(4, dtype=int)
    np.copyto(counts, x, casting="unsafe")
    return counts.sum() * x[0]


def records_written(w, x):
    table = np.zeros(4, dtype=[("a", "f8"), ("b", "f8")])
    table["a"] = x
    return table["a"].sum()


def half_written(w, x):
    half = np.zeros(4, dtype=np.float16)
    half[:] = x
    return half.sum() * x[0]


def a_subclass(w, x):
    class Special(np.ndarray):
        pass

    return x.view(Special).sum()


DEFS = [saved, saved_as_text, integers_written, integers_at, array_of_another_maker]
DEFS += [out_of_integers, records_written, half_written, a_subclass]


def judged(function):
    """What comes of judging a function that says that its gradients are 0."""
    rng = np.random.default_rng(3)
    w, x = rng.normal(size=(3, 4)), rng.normal(size=4)

    def with_gradients(w, x):
        return function(w, x), {"w": np.zeros((3, 4)), "x": np.zeros(4)}

    return check_gradients(with_gradients, w, x, certify=False, ordinary_only=True)


def text_of(function):
    """A function's own name, or the text of an expression."""
    code = function.__code__
    if code.co_name != "<lambda>":
        return code.co_name
    return linecache.getline(code.co_filename, code.co_firstlineno).strip().removeprefix("lambda w, x: ")[:-1]


@pytest.mark.filterwarnings("ignore")  # np.fromstring
@pytest.mark.parametrize("function", [*FUNCTIONS, *DEFS], ids=text_of)
def test_what_cannot_be_followed_is_refused_with_its_place(function):
    with pytest.raises(NotRecordableError, match=r"test_refusals\.py:"):
        judged(function)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("function", THROUGH_TEXT, ids=text_of)
def test_numbers_that_go_through_text_are_missed_close_by_and_where_is_said(function):
    lost = "the recording has lost something: close to its arguments"
    with pytest.raises(NotRecordableError, match=rf"{lost}.*\(test_refusals\.py:\d+, in <lambda>: .*text here\)"):
        judged(function)


def test_numbers_that_are_printed_are_not_named_where_another_text_is_read():
    def printing(w, x):
        print(x, f"{x[1]:.2f}")
        return float(str(x[0])) * x[1]

    with pytest.raises(NotRecordableError, match=r"float\(str\(x\[0\]\)\): a recorded number is read from text"):
        judged(printing)


def test_an_option_that_is_given_by_position_is_named():
    with pytest.raises(NotRecordableError, match=r"np\.linalg\.pinv with rcond= cannot be followed"):
        judged(lambda w, x: np.linalg.pinv(np.outer(x, x), 1e-10).sum())
