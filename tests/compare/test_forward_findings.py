"""What is said of gradients whose way back nobody sees: which change of the recorded forward pass gives them."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pytest
from gradparity.compare import check_gradients
from gradparity.compare.check.export import check_json
from gradparity.compare.check.loading import module_from_file
from gradparity.compare.check.wording import summary
from gradparity.compare.functions.calls import named_arguments
from gradparity.compare.functions.checking import AS_GIVEN
from gradparity.compare.functions.own_function import OwnFunction
from gradparity.compare.localization import ForwardFindings, localization_from

PLAIN = """
import numpy as np

def loss(params, x, y, h0):
    U, W, V = params.values()
    h, total = h0, 0.0
    for t in range(len(x)):
        h = np.tanh(x[t] @ U.T + h @ W.T)
        e = h @ V.T - y[t]
        total = total + 0.5 * (e * e).sum()
    return total

def gradients(params, x, y, h0):
    U, W, V = params.values()
    h, e = [h0], []
    for t in range(len(x)):
        h.append(np.tanh(x[t] @ U.T + h[t] @ W.T))
        e.append(h[t + 1] @ V.T - y[t])
    d = {name: np.zeros_like(array) for name, array in params.items()}
    dh = np.zeros_like(h0)
    for t in reversed(range(len(x))):
        d["V"] += e[t].T @ h[t + 1]
        dh = e[t] @ V + dh
        da = dh * (1 - h[t + 1] ** 2)
        d["U"] += da.T @ x[t]
        d["W"] += da.T @ h[t]
        dh = da @ W
    return loss(params, x, y, h0), d
"""
GATED = """
import numpy as np

def sigmoid(a):
    return 1 / (1 + np.exp(-a))

def loss(params, x, y, h0):
    U, W, V, Uf, Wf = params.values()
    h, total = h0, 0.0
    for t in range(len(x)):
        f = sigmoid(x[t] @ Uf.T + h @ Wf.T)
        n = np.tanh(x[t] @ U.T + h @ W.T)
        h = (1 - f) * h + f * n
        e = h @ V.T - y[t]
        total = total + 0.5 * (e * e).sum()
    return total

def gradients(params, x, y, h0):
    U, W, V, Uf, Wf = params.values()
    h, f, n, e = [h0], [], [], []
    for t in range(len(x)):
        f.append(sigmoid(x[t] @ Uf.T + h[t] @ Wf.T))
        n.append(np.tanh(x[t] @ U.T + h[t] @ W.T))
        h.append((1 - f[t]) * h[t] + f[t] * n[t])
        e.append(h[t + 1] @ V.T - y[t])
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
    return loss(params, x, y, h0), d
"""
SAMPLES = """
import numpy as np

def loss(params, x, y, h0):
    U, W, V = params.values()
    total = 0.0
    for i in range(len(h0)):
        h = h0[i]
        for t in range(len(x)):
            h = np.tanh(U @ x[t, i] + W @ h)
        e = V @ h - y[-1, i]
        total += 0.5 * e @ e
    return total

def gradients(params, x, y, h0):
    U, W, V = params.values()
    d = {name: np.zeros_like(array) for name, array in params.items()}
    for i in range(len(h0)):
        one = {name: np.zeros_like(array) for name, array in params.items()}
        h = [h0[i]]
        for t in range(len(x)):
            h.append(np.tanh(U @ x[t, i] + W @ h[t]))
        e = V @ h[-1] - y[-1, i]
        one["V"] += np.outer(e, h[-1])
        dh = V.T @ e
        for t in reversed(range(len(x))):
            da = dh * (1 - h[t + 1] ** 2)
            one["U"] += np.outer(da, x[t, i])
            one["W"] += np.outer(da, h[t])
            dh = W.T @ da
        for name in d:
            d[name] += one[name]
    return loss(params, x, y, h0), d
"""
PROGRAMS = {"plain": PLAIN, "gated": GATED, "samples": SAMPLES}
RETURNED = "h0), d\n"
SLIPS = {
    "an activation's derivative at the last step": (
        "plain",
        ("(1 - h[t + 1] ** 2)", "(1 if t == len(x) - 1 else 1 - h[t + 1] ** 2)"),
        "tanh′ is forgotten at `np.tanh(x[t] @ U.T + h @ W.T)`, line 8, at the last of 5 steps",
    ),
    "an activation's derivative at the activated value": (
        "plain",
        ("(1 - h[t + 1] ** 2)", "(1 - np.tanh(h[t + 1]) ** 2)"),
        "tanh′ is taken at the activated value, at `np.tanh(x[t] @ U.T + h @ W.T)`, line 8",
    ),
    "a transposed matrix": (
        "plain",
        ("dh = da @ W\n", "dh = da @ W.T\n"),
        "on the way back to `h` through `h @ W.T`, line 8, `W.T` is transposed",
    ),
    "another step": (
        "plain",
        ("da.T @ h[t]\n", "da.T @ h[t + 1]\n"),
        "`h` of the next step stands for its own, on the way back to `W.T` through `h @ W.T`, line 8",
    ),
    "a border": (
        "plain",
        ("dh = e[t] @ V + dh", "dh = e[t] @ V + (dh if t != 1 else 0)"),
        "nothing comes back from step 3 of 5 into the one before it",
    ),
    "the first step": (
        "plain",
        ("reversed(range(len(x)))", "reversed(range(1, len(x)))"),
        "the part of the first step is missing in every gradient",
    ),
    "one gradient": (
        "plain",
        ("da.T @ h[t]", "dh.T @ h[t]"),
        "tanh′ is forgotten at `np.tanh(x[t] @ U.T + h @ W.T)`, line 8, in dW alone",
    ),
    "a clip by norm": (
        "plain",
        (
            RETURNED,
            "h0), {k: g*min(1, 0.25 / (1e-6 + sum((o * o).sum() for o in d.values()) ** 0.5)) for k, g in d.items()}\n",
        ),
        "the gradients are clipped at norm 0.25 (with 1e-06 added to the norm)",
    ),
    "a clip by value": (
        "plain",
        (RETURNED, "h0), {k: np.clip(g, -0.7, 0.7) for k, g in d.items()}\n"),
        "the gradients are clipped at ±0.7",
    ),
    "weight decay": (
        "plain",
        (RETURNED, "h0), {k: g + 0.1 * params[k] for k, g in d.items()}\n"),
        "0.1 times the array itself is added to dU, dW, dV, as weight decay adds it",
    ),
    "a gradient of another array": (
        "gated",
        ("df.T @ x[t]", "da.T @ x[t]"),
        "dUf is what dU should be",
    ),
    "a sigmoid that is written out": (
        "gated",
        ("* f[t] * (1 - f[t])\n", "* f[t]\n"),
        "the value stands for σ′, at `sigmoid(x[t] @ Uf.T + h @ Wf.T)`, line 11",
    ),
    "a path": (
        "gated",
        ("+ da @ W + df @ Wf", "+ da @ W"),
        "nothing comes back to `h` through `h @ Wf.T`, line 11",
    ),
    "a factor": (
        "gated",
        ("dh * (1 - f[t]) + da", "dh + da"),
        "the factor `1 - f` is forgotten on the way back to `h` through `(1 - f) * h`, line 13",
    ),
    "a sign": (
        "gated",
        ("dh * (n[t] - h[t])", "dh * (h[t] - n[t])"),
        "what comes back through `sigmoid(x[t] @ Uf.T + h @ Wf.T)`, line 11, has the wrong sign",
    ),
    "the last step of each sample": (
        "samples",
        ("(1 - h[t + 1] ** 2)", "(1 if t == len(x) - 1 else 1 - h[t + 1] ** 2)"),
        "tanh′ is forgotten at `np.tanh(U @ x[t, i] + W @ h)`, line 10, at the last of 5 steps",
    ),
    "a clip of each sample": (
        "samples",
        ("d[name] += one[name]", "d[name] += np.clip(one[name], -0.1, 0.1)"),
        "the gradient of each part of the loss, a term of `total += 0.5 * e @ e`, line 12, is clipped at ±0.1, "
        "before they are added up",
    ),
}
T, B, D, H, K = 5, 3, 3, 4, 2


def arguments(name):
    rng = np.random.default_rng(0)
    sizes = {"U": (H, D), "W": (H, H), "V": (K, H)} | ({"Uf": (H, D), "Wf": (H, H)} if name == "gated" else {})
    params = {name: rng.normal(size=size) for name, size in sizes.items()}
    return params, rng.normal(size=(T, B, D)), rng.normal(size=(T, B, K)), rng.normal(size=(B, H))


def written(tmp_path, name, *slips):
    """A program with slips, whose gradients are numbers of Python's for a while; and its loss."""
    program = PROGRAMS[name]
    for was, now in slips:
        assert program.count(was) == 1
        program = program.replace(was, now)
    (tmp_path / "own.py").write_text(program)
    module = module_from_file(tmp_path / "own.py")

    def unseen(params, x, y, h0):
        value, gradients = module.gradients(params, x, y, h0)
        return value, {name: np.array(json.loads(json.dumps(array.tolist()))) for name, array in gradients.items()}

    return unseen, module.loss


def found_in(tmp_path, name, *slips):
    """What is said of it."""
    unseen, loss = written(tmp_path, name, *slips)
    given = named_arguments(unseen, arguments(name))
    own = OwnFunction(unseen, lambda setting: given, definition=loss)
    own.record(AS_GIVEN)
    localization = own.locate(AS_GIVEN)
    assert not localization.located
    return localization.forward


def checked(tmp_path, name, *slips):
    """The judgement on it."""
    unseen, loss = written(tmp_path, name, *slips)
    return check_gradients(unseen, *arguments(name), of=loss, ordinary_only=True, certify=False)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_by_the_forward_pass(tmp_path, slip):
    name, edit, words = SLIPS[slip]
    found = found_in(tmp_path, name, edit)
    assert words in [one.says for one in found.findings] + list(found.equal), str(found)
    assert len(found.findings) == 1


def test_what_holds_at_the_given_numbers_alone_is_not_told(tmp_path):
    found = found_in(tmp_path, "plain", SLIPS["a clip by norm"][1])
    assert len(found.findings) == 1
    assert "multiplied" not in str(found)  # by one number, at the given ones


def test_a_finding_has_its_place_which_goes_through_plain_values(tmp_path):
    check = checked(tmp_path, "plain", SLIPS["a transposed matrix"][1])
    assert str(check.localization.forward) in summary(check)
    (found,) = check.localization.forward.findings
    assert (found.file, found.function, found.line, found.text) == ("own.py", "loss", 8, "h @ W.T")
    assert PLAIN.splitlines()[7][slice(*found.columns)] == "h @ W.T"
    assert localization_from(json.loads(json.dumps(asdict(check.localization)))) == check.localization
    (written,) = json.loads(check_json(check))["localization"]["forward"]["findings"]
    assert (written["line"], written["says"]) == (8, found.says)


def test_two_slips_are_told_together(tmp_path):
    edits = [SLIPS[name][1] for name in ("a factor", "a gradient of another array")]
    found = found_in(tmp_path, "gated", *edits)
    assert [one.says for one in found.findings] == [
        SLIPS[name][2] for name in ("a factor", "a gradient of another array")
    ]


@pytest.mark.parametrize("name", PROGRAMS)
def test_of_right_gradients_nothing_is_said(tmp_path, name):
    assert found_in(tmp_path, name) == ForwardFindings()


def test_what_nothing_gives_is_not_explained_in_part(tmp_path):
    noise = (RETURNED, "h0), {k: g + np.cos(7 * np.arange(g.size)).reshape(g.shape) * 1e-3 for k, g in d.items()}\n")
    assert found_in(tmp_path, "plain", noise, SLIPS["a transposed matrix"][1]) == ForwardFindings()


def test_nothing_is_said_of_a_wrong_forward_pass():
    check = check_gradients(
        lambda w: (2 * (w * w).sum(), {"w": 4 * w}), np.ones(2), of=lambda w: (w * w).sum(), ordinary_only=True
    )
    assert (check.verdict, check.localization.forward) == ("disagree", ForwardFindings())


def test_what_is_wrong_at_special_numbers_alone_is_told_too():
    def loss(w, x):
        return np.log(np.maximum(np.exp(-((w @ x) ** 2)), 1e-8)).sum()

    def unseen(w, x):
        return loss(w, x), {"w": np.array(json.loads(json.dumps((-2 * np.outer(w @ x, x)).tolist())))}

    w, x = np.arange(6.0).reshape(2, 3) / 8, np.array([1.0, -0.5, 0.5])
    check = check_gradients(unseen, w, x, of=loss, certify=False)
    assert (check.asked[0].verdict, check.verdict) == ("agree", "disagree")
    (found,) = check.localization.forward.findings
    assert found.says.startswith("the gradient is that of the loss without `np.maximum(np.exp(-((w @ x) ** 2)), 1e-8)`")
