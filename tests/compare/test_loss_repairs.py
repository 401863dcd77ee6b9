"""The one change of a forward pass that gives the right loss."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.loading import module_from_file
from gradparity.compare.functions.checking import check_own
from gradparity.compare.functions.own_function import OwnFunction
from gradparity.compare.functions.recorded_function import Setting

PROGRAM = """
import numpy as np

def loss(w, x, y):
    h = np.tanh(x @ w)
    e = h - y
    p = np.exp(e).sum(axis=1)
    return np.log(p).sum()

def gradients(w, x, y):
    h = np.tanh(x @ w)
    e = h - y
    p = np.exp(e).sum(axis=1)
    dz = np.exp(e) / p[:, None] * (1 - h * h)
    return np.log(p).sum(), {"w": x.T @ dz}
"""
SIZES = {"w": (4, 3), "x": (5, 4), "y": (5, 3)}


def module_with(tmp_path, was, now):
    head, tail = PROGRAM.split("def gradients")
    assert tail.count(was) == 1
    (tmp_path / "forward.py").write_text(f"{head}def gradients{tail.replace(was, now)}")
    return module_from_file(tmp_path / "forward.py")


def drawn(setting):
    rng = np.random.default_rng(setting.seed)
    return {name: rng.normal(size=size) for name, size in SIZES.items()}


def judged(module, seeds=(0, 1)):
    own = OwnFunction(module.gradients, drawn, definition=module.loss)
    return check_own(own, [Setting(f"seed {seed}", seed) for seed in seeds], loss="the right one", ordinary_only=True)


@pytest.mark.parametrize(
    ("was", "now", "line", "says"),
    [
        pytest.param("np.tanh(x @ w)", "np.tanh(x @ w + 1e-10)", 11, "`x @ w` in its place.", id="a tiny shift"),
        pytest.param(
            "sum(axis=1)", "sum(axis=1) + 2", 13, "`np.exp(e).sum(axis=1)` in its place.", id="something added"
        ),
        pytest.param("h - y", "h - 2 * y", 12, "`y` in its place.", id="a factor"),
        pytest.param("np.tanh(x @ w)", "np.maximum(x @ w, 0)", 11, "tanh in the place of relu.", id="an activation"),
        pytest.param("e = h - y", "e = np.tanh(h - y)", 12, "`h - y` in its place, without tanh.", id="one too many"),
    ],
)
def test_the_expression_is_shown_with_what_belongs_there(tmp_path, was, now, line, says):
    repairs = judged(module_with(tmp_path, was, now)).localization.loss_repairs
    assert [(one.line, one.says) for one in repairs.changes] == [(line, says)]


def test_what_gives_the_right_loss_at_some_numbers_only_is_not_said(tmp_path):
    module = module_with(tmp_path, "np.tanh(x @ w)", "np.tanh(x @ w + (0.5 if w[0, 0] > 0.13 else 0.0) + 1e-9)")
    assert drawn(Setting("", 0))["w"][0, 0] < 0.13 < drawn(Setting("", 1))["w"][0, 0]
    assert not judged(module).localization.loss_repairs  # another change is needed at each seed
    assert judged(module, seeds=[0]).localization.loss_repairs  # of one alone it would be


def test_a_loss_that_is_right_in_float64_is_said_to_be(tmp_path):
    check = judged(module_with(tmp_path, "np.tanh(x @ w)", "np.tanh(x @ w).astype('f4').astype('f8')"))
    assert check.localization.loss_repairs.is_right
    assert [one.line for one in check.localization.precision.located] == [11]
    assert "In float64 its loss is the right one, here and at other numbers." in str(check.localization)


def test_nothing_is_said_of_a_right_loss(tmp_path):
    check = judged(module_with(tmp_path, "(1 - h * h)", "(1 - h)"))
    assert (check.verdict, bool(check.localization.loss_repairs)) == ("disagree", False)


def test_a_function_by_itself_has_the_right_loss(tmp_path):
    module = module_with(tmp_path, "h - y", "h - 2 * y")
    arrays = drawn(Setting("", 0)).values()
    assert check_gradients(module.gradients, *arrays, ordinary_only=True).verdict == "agree"
