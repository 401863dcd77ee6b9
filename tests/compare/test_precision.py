"""Float32 inside of a function in float64: where it is, and what is wrong beside that."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.loading import module_from_file
from gradparity.compare.check.wording import summary

PROGRAM = """
import numpy as np

def gradients(w, x, y):
    h = np.tanh(x @ w)
    e = h - y
    dz = 2 * e * (1 - h * h)
    return (e * e).sum(), {"w": x.T @ dz}
"""


def judged(tmp_path, *edits, dtype="float64"):
    program = PROGRAM
    for was, now in edits:
        assert program.count(was) == 1
        program = program.replace(was, now)
    (tmp_path / "rounding.py").write_text(program)
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=size).astype(dtype) for size in ((4, 3), (5, 4), (5, 3))]
    return check_gradients(module_from_file(tmp_path / "rounding.py").gradients, *arrays, ordinary_only=True)


@pytest.mark.parametrize(
    "now",
    [
        pytest.param("(2 * e * (1 - h * h)).astype('f4')", id="a cast"),
        pytest.param("np.asarray(2 * e * (1 - h * h), dtype=np.float32)", id="asarray"),
        pytest.param("np.zeros((5, 3), 'f4'); dz[:] = 2 * e * (1 - h * h)", id="a buffer"),
    ],
)
def test_a_way_back_in_float32_is_wrong_and_the_place_is_shown(tmp_path, now):
    check = judged(tmp_path, ("2 * e * (1 - h * h)", now))
    (place,) = check.localization.precision.located
    assert (check.verdict, place.line) == ("disagree", 7)
    assert check.localization.precision.shown == "In float64 dw is right."
    assert (check.localization.located, check.localization.is_whole) == ((), True)
    assert "rounds to float32 inside:\nrounding.py:7, in gradients" in summary(check)


def test_a_slip_beside_float32_is_told_on_its_own(tmp_path):
    check = judged(tmp_path, ("2 * e * (1 - h * h)", "(2 * e * (1 - h)).astype('f4')"))
    (place,) = check.localization.located
    assert place.line == 7
    assert "the factor is `(1 - h)`, line 5, and should be `(1 - h**2)`, line 5" in place.says
    assert check.localization.precision.shown == ""  # in float64 it is still wrong


def test_a_loss_in_float32_is_said_though_its_gradients_are_right(tmp_path):
    check = judged(tmp_path, ("np.tanh(x @ w)", "np.tanh(x @ w).astype('f4')"))
    assert check.verdict == "agree"
    assert check.notes[0].startswith("precision: the loss is rounded to float32 at rounding.py:5, in gradients")


def test_arguments_in_float32_are_no_rounding(tmp_path):
    check = judged(tmp_path, ("(1 - h * h)", "(1 - h)"), dtype="float32")
    assert (check.verdict, check.localization.precision.located) == ("disagree", ())
    assert check.localization.located[0].line == 7
