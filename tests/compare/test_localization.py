"""Which line of a way back is wrong, and what should stand there: of slips in the source text of programs."""

from __future__ import annotations

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.loading import module_from_file
from gradparity.compare.check.wording import summary
from gradparity.compare.localization import Localization
from sampling import case

GATED = """
import numpy as np

def sigmoid(a):
    return 1 / (1 + np.exp(-a))

def gradients(params, x, y, h0):
    U, W, V, Uf, Wf = (params[name] for name in ("U", "W", "V", "Uf", "Wf"))
    h, f, n, e, loss = [h0], [], [], [], 0.0
    for t in range(len(x)):
        f.append(sigmoid(x[t] @ Uf.T + h[t] @ Wf.T))
        n.append(np.tanh(x[t] @ U.T + h[t] @ W.T))
        h.append((1 - f[t]) * h[t] + f[t] * n[t])
        e.append(h[t + 1] @ V.T - y[t])
        loss = loss + 0.5 * (e[t] * e[t]).sum()
    d = {name: np.zeros_like(array) for name, array in params.items()}
    dh = np.zeros_like(h0)
    for t in reversed(range(len(x))):
        d["V"] += e[t].T @ h[t + 1]
        dh = e[t] @ V + dh
        da = dh * f[t] * (1 - n[t] ** 2)
        df = dh * (n[t] - h[t]) * f[t] * (1 - f[t])
        d["U"] += da.T @ x[t]
        d["W"] += da.T @ h[t]
        d["Uf"] += df.T @ x[t]
        d["Wf"] += df.T @ h[t]
        dh = dh * (1 - f[t]) + da @ W + df @ Wf
    return loss, d
"""
T, B, D, H, K = 4, 2, 3, 4, 3


def arguments():
    rng = np.random.default_rng(0)
    sizes = {"U": (H, D), "W": (H, H), "V": (K, H), "Uf": (H, D), "Wf": (H, H)}
    params = {name: rng.normal(size=size) for name, size in sizes.items()}
    return params, rng.normal(size=(T, B, D)), rng.normal(size=(T, B, K)), rng.normal(size=(B, H))


def located(tmp_path, *slips, program=GATED):
    """The judgement on a program with slips, and the numbers of the lines that were changed."""
    for was, now in slips:
        assert program.count(was) == 1
        program = program.replace(was, now)
    (tmp_path / "gated.py").write_text(program)
    lines = [1 + program[: program.index(now)].count("\n") for _, now in slips]
    function = module_from_file(tmp_path / "gated.py").gradients
    return check_gradients(function, *arguments(), ordinary_only=True), lines


SLIPS = {
    "a factor dropped": (
        ("dh * f[t] * (1 - n[t] ** 2)", "dh * (1 - n[t] ** 2)"),
        "da should be dL/d(x[t] @ U.T + h[t] @ W.T), line 12: it lacks the factor `f[t]`, line 13.",
    ),
    "the derivative of another activation": (
        ("dh * f[t] * (1 - n[t] ** 2)", "dh * f[t] * n[t] * (1 - n[t])"),
        "the factor is `n[t] * (1 - n[t])`, line 13, and should be `(1 - n[t]**2)`, line 13.",
    ),
    "a step too late": (
        ('d["W"] += da.T @ h[t]', 'd["W"] += da.T @ h[t + 1]'),
        "in the place of `h[t + 1]` belongs `h[t]`, line 11.",
    ),
    "a sign": (("dh * (n[t] - h[t])", "dh * (h[t] - n[t])"), "it has the wrong sign."),
    "a path dropped": (
        ("+ da @ W + df @ Wf", "+ da @ W"),
        "apart from what comes back through `h[t + 1] @ V.T`, line 14: it lacks what comes back through "
        "`h[t] @ Wf.T`, line 11.",
    ),
    "transposed": (("da @ W + df", "da @ W.T + df"), "in the place of `W.T` belongs the transpose of `W.T`, line 12."),
    "halved": (("dh = e[t] @ V + dh", "dh = 0.5 * e[t] @ V + dh"), "it is to be multiplied by 2."),
}


@pytest.mark.parametrize("name", [case(name, campaign=number > 2) for number, name in enumerate(SLIPS)])
def test_a_slip_is_found_on_its_line_with_what_should_stand_there(tmp_path, name):
    slip, words = SLIPS[name]
    check, (line,) = located(tmp_path, slip)
    (found,) = check.localization.located
    assert (found.file, found.function, found.line) == ("gated.py", "gradients", line)
    assert found.says.endswith(words)
    assert check.localization.shown.startswith("With this value put there, the way back as it stands gives the right ")
    text, marks = found.source
    assert marks.strip() == "^" * len(marks.strip())
    assert slip[1] in text
    assert set(text[marks.index("^") : len(marks)]) & set(slip[1])
    assert str(check.localization) in summary(check)


def test_several_slips_are_found_one_by_one(tmp_path):
    slips = [SLIPS[name][0] for name in ("a factor dropped", "a sign", "a step too late")]
    check, lines = located(tmp_path, *slips)
    assert sorted(found.line for found in check.localization.located) == sorted(lines)
    assert check.localization.shown.startswith("With these values put there, the way back as it stands gives the right")
    assert "still wrong" not in check.localization.shown


def test_steps_to_which_no_run_of_a_loop_adds_are_said(tmp_path):
    check, _ = located(
        tmp_path, ("in reversed(range(len(x))):\n        d", "in reversed(range(1, len(x))):\n        d")
    )
    assert check.verdict == "disagree"
    assert check.localization.located
    for found in check.localization.located:
        assert found.says.endswith(
            "times, and 4 steps of the loss have a part in the sum: the part of step 1 is missing."
        )
    assert {name for found in check.localization.located for name in found.repairs} == {"dU", "dW", "dV", "dUf", "dWf"}


def test_what_is_done_to_all_gradients_in_the_end_is_said_beside_a_slip(tmp_path):
    clip = ("    return loss, d\n", "    return loss, {name: np.clip(one, -0.5, 0.5) for name, one in d.items()}\n")
    check, (line, end) = located(tmp_path, SLIPS["a sign"][0], clip)
    slip, *clips = check.localization.located
    assert (slip.line, {one.line for one in clips}) == (line, {end})
    assert clips[-1].says.startswith("this changes all gradients in the end")
    assert "gives, before what is done in the end, the right " in check.localization.shown


def test_nothing_is_said_of_a_right_program_nor_of_a_wrong_forward_pass(tmp_path):
    check, _ = located(tmp_path)
    assert (check.verdict, check.localization) == ("agree", Localization())

    def other(w):
        return (w * w).sum(), {"w": 2 * w}

    check = check_gradients(other, np.ones(2), of=lambda w: (w * w * w).sum(), ordinary_only=True)
    assert (check.verdict, check.localization) == ("disagree", Localization())


def test_nothing_is_said_to_belong_where_it_would_divide_by_zero():
    def sigmoid_twice(w, x, y):
        z = x @ w
        p = 1 / (1 + np.exp(-z))
        dz = (p - y) * p * (1 - p) / len(x)
        return (np.logaddexp(0, z) - y * z).mean(), {"w": x.T @ dz}

    x, y = np.random.default_rng(0).normal(size=(4, 3)), np.array([0.0, 1.0, 1.0, 0.0])
    said = str(check_gradients(sigmoid_twice, np.ones(3), x, y).localization)
    assert "belongs" not in said
    assert "dz = (p - y) * p * (1 - p) / len(x)" in said


@pytest.mark.parametrize(("bound", "is_said"), [(1000, False), (5, True)])
def test_a_clip_that_no_gradient_reaches_is_not_said(bound, is_said):
    def clipped(w, b, x):
        e = x @ w + b
        de = 3.0 * e
        dw, db = x.T @ de, de.copy()
        for array in (dw, db):
            np.clip(array, -bound, bound, out=array)
        return (e * e).sum(), {"w": dw, "b": db}

    x = np.random.default_rng(0).normal(size=(4, 3))
    check = check_gradients(clipped, np.ones(3), np.ones(4), x, ordinary_only=True)
    said = str(check.localization)
    assert "de = 3.0 * e" in said
    assert ("in the end: it clips them at ±5." in said, "in the end" in said) == (is_said, is_said)
