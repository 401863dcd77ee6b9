"""Lines that are right are not blamed: what cancels later, what is 0 but for rounding, what a method is called on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.loading import module_from_file

QUOTIENT = """
import numpy as np

def gradients(w, x, y):
    s = 1 / (1 + np.exp(-(x @ w)))
    p = s / s.sum(axis=1, keepdims=True)
    loss = -(y * np.log(p) + (1 - y) * np.log(1 - p)).sum()
    g = (p - y) / (p - p * p)
    g = g * (p * (1 - p))
    g = g * s * (1 - s)
    return loss, {"w": x.T @ g}
"""
CENTRED = """
import numpy as np

def gradients(w, b, x, y):
    z = x @ w + b
    centred = z - z.mean(axis=0)
    h = np.tanh(centred)
    g = 2 * (h - y) * (1 - h)
    g = g - g.mean(axis=0)
    return ((h - y) ** 2).sum(), {"w": x.T @ g, "b": g.sum(axis=0)}
"""
METHOD = """
import numpy as np

def gradients(w, x, y):
    e = x.dot(w) - y
    return (e ** 2).sum(), {"w": 2 * x.T.dot(e), "x": e.dot(w.T)}
"""


def judged(tmp_path, program, **shapes):
    (tmp_path / "program.py").write_text(program)
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in shapes.values()]
    return check_gradients(module_from_file(tmp_path / "program.py").gradients, *arrays, ordinary_only=True)


def test_a_value_that_mends_all_since_it_cancels_is_not_put_where_a_derivative_is_right(tmp_path):
    localization = judged(tmp_path, QUOTIENT, w=(3, 4), x=(5, 3), y=(5, 4)).localization
    assert [one.line for one in localization.located] == [9]  # and not the numerator of line 8, which is dL/dp
    assert localization.is_whole


def test_a_gradient_that_is_0_but_for_rounding_is_not_wrong(tmp_path):
    check = judged(tmp_path, CENTRED, w=(3, 4), b=(4,), x=(5, 3), y=(5, 4))
    assert {row["quantity"]: row["verdict"] for row in check.rows()} == {"loss": "right", "dw": "wrong", "db": "right"}
    assert [one.line for one in check.localization.located] == [8]
    assert check.localization.shown == "With this value put there, the way back as it stands gives the right dw."


def test_the_first_operand_of_a_method_is_what_it_is_called_on(tmp_path):
    (found,) = judged(tmp_path, METHOD, w=(3, 4), x=(5, 3), y=(5, 4)).localization.located
    assert found.says.startswith("`e.dot(w.T)` should be dL/d(x)"), found.says


@pytest.mark.parametrize(("is_whole", "heading"), [(True, "Where the way back is wrong"), (False, "Likely places")])
def test_places_that_do_not_put_all_right_are_called_likely(tmp_path, is_whole, heading):
    localization = judged(tmp_path, QUOTIENT, w=(3, 4), x=(5, 3), y=(5, 4)).localization
    assert localization.is_whole
    assert str(replace(localization, is_whole=is_whole)).startswith(heading)


TWICE = """
import numpy as np

def sigmoid(a):
    return 1 / (1 + np.exp(-a))

def gradients(wf, wg, x, v):
    c, f, g = [np.zeros(len(v[0]))], [], []
    loss = 0.0
    for t, row in enumerate(x):
        f.append(sigmoid(wf @ row + c[-1]))
        g.append(np.tanh(wg @ row))
        c.append(f[-1] * c[-1] + g[-1])
        loss = loss + (np.tanh(c[-1]) * v[t]).sum()
    dwf, dwg, later = np.zeros_like(wf), np.zeros_like(wg), np.zeros_like(v[0])
    for t in reversed(range(len(x))):
        dc = (1 - np.tanh(c[t + 1]) ** 2) * v[t] + later
        df = (dc + (1 - np.tanh(c[t + 1]) ** 2) * v[t]) * c[t] * f[t] * (1 - f[t])
        dg = (dc + (1 - np.tanh(c[t + 1]) ** 2) * v[t]) * (1 - g[t] ** 2)
        dwf += np.outer(df, x[t])
        dwg += np.outer(dg, x[t])
        later = (dc + (1 - np.tanh(c[t + 1]) ** 2) * v[t]) * f[t] + df
    return loss, {"wf": dwf, "wg": dwg}
"""


@pytest.mark.campaign
def test_a_factor_within_an_expression_is_no_derivative(tmp_path):
    (found,) = judged(tmp_path, TWICE, wf=(4, 3), wg=(4, 3), x=(3, 3), v=(3, 4)).localization.located
    assert found.line == 17
    assert found.says.startswith("dc should be dL/d("), found.says
