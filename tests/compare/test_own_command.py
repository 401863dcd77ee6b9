"""`gradparity check` on functions of one's own: the arguments, the definition, the two parts, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gradparity.backends import Problem
from gradparity.compare.functions.checking import check_own
from gradparity.compare.functions.recorded_function import Setting
from gradparity.compare.functions.separate_function import SeparateFunction
from sampling import case

FILE = """
import numpy as np


def arguments(rng, T=5, D=2, H=3):
    params = {"U": rng.normal(size=(H, D)), "W": rng.normal(size=(H, H))}
    return params, rng.normal(size=(T, D)), np.zeros(H)


def loss(params, x, h0):
    h, loss = h0, 0.0
    for row in x:
        h = np.tanh(params["U"] @ row + params["W"] @ h)
        loss = loss + 0.5 * (h * h).sum()
    return loss


def right(params, x, h0):
    h = [h0]
    for row in x:
        h.append(np.tanh(params["U"] @ row + params["W"] @ h[-1]))
    g = {name: np.zeros_like(array) for name, array in params.items()}
    later = np.zeros_like(h0)
    for t in reversed(range(len(x))):
        da = (later + h[t + 1]) * (1 - h[t + 1] ** 2)
        g["U"] += np.outer(da, x[t])
        g["W"] += np.outer(da, h[t])
        later = params["W"].T @ da
    return 0.5 * sum((state**2).sum() for state in h[1:]), g


def wrong(params, x, h0):
    print("here")
    value, g = right(params, x, h0)
    return value, g | {"W": g["W"].T}


def forward_wrong(params, x, h0):
    value, g = right({"U": params["U"], "W": 0 * params["W"]}, x, h0)
    return value, g | {"W": 0 * g["W"]}


def ends(params, x, h0):
    import os
    os._exit(0)


def in_a_row(W, x):
    y = W @ x
    return np.outer(2 * y, x), "log", (y * y).sum()


def named(weights, x):
    y = weights @ x
    return (y * y).sum(), {"first": np.outer(2 * y, x)}


def elman(params, inputs, targets, h0, power=2, forward=1.0):
    U, W, b, V, c = params.values()
    h = [h0]
    for x in inputs:
        h.append(np.tanh(x @ U.T + forward * (h[-1] @ W.T) + b))
    do = [state @ V.T + c - y for state, y in zip(h[1:], targets)]
    g = {name: np.zeros_like(array) for name, array in params.items()}
    later = np.zeros_like(h0)
    for t in reversed(range(len(inputs))):
        da = (do[t] @ V + later) * (1 - h[t + 1] ** power)
        g["U"] += da.T @ inputs[t]
        g["W"] += forward * da.T @ h[t]
        g["b"] += da.sum(axis=0)
        g["V"] += do[t].T @ h[t + 1]
        g["c"] += do[t].sum(axis=0)
        later = forward * (da @ W)
    return sum(0.5 * (error**2).sum() for error in do), g


def backward_wrong(params, inputs, targets, h0):
    return elman(params, inputs, targets, h0, power=1)


def forward_other(params, inputs, targets, h0):
    return elman(params, inputs, targets, h0, forward=0.5)
"""


@pytest.fixture
def run(gradparity, tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    return lambda name, *options: gradparity("check", f"mine.py:{name}", *options)


def test_the_arguments_are_drawn_by_the_function_beside_it(run):
    code, out, err = run("right", "--json", "checked.json")
    assert (code, err) == (0, "")
    assert "seed 0, seed 1, seed 2, every second number 0" in out
    assert "right is right on the loss that it returns, " in out


def test_a_wrong_gradient_is_code_1_with_the_smallest_arguments_and_a_case(run, tmp_path):
    code, out, _ = run("wrong", "--save-case", "cases", "--json", "checked.json")
    assert code == 1
    assert "dW: wrong is wrong at" in out
    assert "The smallest problem on which it is still wrong:" in out
    assert "  here  (" in out
    (path,) = (tmp_path / "cases").iterdir()
    problem = Problem.load(path)
    assert {name: array.shape for name, array in problem.params.items()} == {"U": (2, 1), "W": (2, 2)}
    written = json.loads((tmp_path / "checked.json").read_text())
    assert (written["verdict"], written["smallest"]["fingerprint"]) == ("disagree", problem.fingerprint)
    assert {row["quantity"]: row["verdict"] for row in written["quantities"]}["dW"] == "wrong"


@pytest.mark.campaign
def test_a_saved_case_is_compared_by_the_engines(run, gradparity, tmp_path):
    run("wrong", "--save-case", "cases", "--ordinary-only", "--seed", 0)
    (path,) = (tmp_path / "cases").iterdir()
    code, out, err = gradparity("compare", "--case", path, "--certify")
    assert (code, err) == (0, "")
    assert all(engine in out for engine in ("tape", "torch", "jax", "1 problem, "))


@pytest.mark.campaign
def test_another_program_defines_the_loss(run):
    assert run("forward_wrong", "--ordinary-only", "--seed", 0)[0] == 0
    code, out, _ = run("forward_wrong", "--of", "mine.py:loss", "--ordinary-only", "--seed", 0)
    assert code == 1
    assert "loss      wrong" in out
    assert "on the loss that loss returns" in out


@pytest.mark.campaign
def test_arguments_come_from_a_file_of_arrays(run, tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"params.U": rng.normal(size=(3, 2)), "params.W": rng.normal(size=(3, 3))}
    np.savez(tmp_path / "given.npz", **arrays, x=rng.normal(size=(4, 2)), h0=np.zeros(3))
    code, out, _ = run("right", "--arguments", "given.npz", "--dtype", "float32")
    assert code == 0
    assert "float32, 15 numbers" in out
    assert "as given" in out
    np.savez(tmp_path / "other.npz", y=np.zeros(3))
    code, _, err = run("right", "--arguments", "other.npz")
    assert (code, err) == (2, "gradparity: other.npz: it has y, expected params, x, h0 of right(params, x, h0)\n")


@pytest.mark.campaign
def test_values_in_a_row_and_names_are_given(run, tmp_path):
    np.savez(tmp_path / "given.npz", W=np.eye(2), x=np.array([1.0, 2.0]))
    assert run("in_a_row", "--arguments", "given.npz", "--returns", "dW,_,loss")[0] == 0
    np.savez(tmp_path / "weights.npz", weights=np.eye(2), x=np.array([1.0, 2.0]))
    code, out, _ = run("named", "--arguments", "weights.npz", "--wrt", "first=weights")
    assert code == 0
    assert "Note: first is the gradient with respect to weights" in out


@pytest.mark.parametrize(
    ("name", "where", "loss"),
    [
        ("backward_wrong", "that loss is the one of elman-squared-error: the error is on the way back", "right"),
        case(
            "forward_other",
            "that loss is not the one of elman-squared-error: the error is in the forward pass",
            "wrong",
            campaign=True,
        ),
    ],
)
def test_an_error_of_the_forward_pass_and_one_of_the_way_back_are_told_apart(run, name, where, loss):
    code, out, _ = run(name, "--system", "elman-squared-error", "--seed", 0, "--ordinary-only")
    assert code == 1
    assert f"loss      {loss}" in out
    assert where in out
    line = FILE[: FILE.index("        da = (do[t]")].count("\n") + 1
    assert (f"mine.py:{line}, in elman\n    da = (do[t] @ V + later)" in out) == (name == "backward_wrong")


@pytest.mark.campaign
def test_without_a_diagnosis_it_is_judged_only(run):
    options = ("--seed", 0, "--ordinary-only", "--no-diagnosis")
    code, out, _ = run("backward_wrong", "--system", "elman-squared-error", *options)
    assert code == 1
    assert "backward_wrong is wrong on elman-squared-error" in out
    assert "The smallest problem on which it is still wrong:" in out
    assert not any(word in out for word in ("Where the way back", "mistake", "catalogue", "With one size cut down"))
    code, out, _ = run("wrong", *options)
    assert (code, "wrong is wrong on the loss that it returns" in out, "Where the way back" in out) == (1, True, False)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("missing", (), "mine.py: unknown function 'missing': expected one of "),
        ("right", ("--sizes", "1,2"), "--sizes is about a network: expected --system NAME with it"),
        ("right", ("--wrt", "W"), "--wrt W: expected GRADIENT=NAME, such as dW=model.W"),
        ("right", ("--of", "mine.py:loss", "--system", "lstm"), "--of says what a function is called with, or what is"),
        ("in_a_row", (), "mine.py:in_a_row: in_a_row(W, x) is called with 3 arguments: too many positional arguments"),
        ("ends", (), "mine.py:ends: its process ended with exit code 0, expected an answer"),
        ("right", ("--arguments", "none.npz"), "none.npz: cannot be read: No such file or directory"),
        ("right", ("--arguments", "none.py:draw"), "none.py: no such file"),
    ],
)
def test_what_means_nothing_is_refused_in_a_line(run, name, options, message):
    code, out, err = run(name, *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_function_without_arguments_is_told_what_to_give(gradparity, tmp_path):
    (tmp_path / "alone.py").write_text("def mine(W, x):\n    return 0.0, {}\n")
    code, _, err = gradparity("check", "alone.py:mine")
    assert (code, err.count("\n")) == (2, 1)
    assert "nothing says what mine(W, x) is called with: give --arguments FILE.py:FUNCTION" in err


def test_a_script_that_trains_is_judged_without_its_loop_and_that_is_said(gradparity, tmp_path):
    (tmp_path / "script.py").write_text(FILE + "\nW = np.eye(2)\nwhile True:\n    W += 1\n")
    code, out, _ = gradparity("check", "script.py:right", "--seed", 0, "--ordinary-only")
    assert code == 0
    assert "it was loaded without the loop here" in out


def test_what_is_being_done_is_said_by_the_process_and_a_line_that_takes_too_long_costs_no_verdict(tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    stages = []
    with SeparateFunction(f"{tmp_path / 'mine.py'}:wrong") as own:
        setting = Setting("seed 0", 0)
        own.record(setting)
        assert own.locate(setting, stages.append).located
        assert stages
        first, *_ = stages
        assert (first, stages.count("looking for the line at other numbers")) == ("looking for the line: 1", 1)
        own.timeout = 1e-6
        check = check_own_at(own, setting)
    assert check.verdict == "disagree"
    assert [note for note in check.notes if "the line" in note] == [
        "the line was not found: it took longer than 1e-06 s, the time limit (--timeout)"
    ]


def check_own_at(own, setting):
    """The check of a function that has enough time for everything but its line."""
    locate, timeout = own.locate, own.timeout
    own.timeout = 60

    def hurried(*arguments):
        own.timeout = timeout
        return locate(*arguments)

    own.locate = hurried
    return check_own(own, [setting], loss="its own loss", ordinary_only=True)


def test_what_was_not_loaded_is_said_where_a_name_of_it_is_missing(gradparity, tmp_path):
    program = "for name in 'ab':\n    pass\nD = 3\ndef arguments(rng): return (rng.normal(size=D),)\n"
    (tmp_path / "looped.py").write_text(f"{program}def gradients(w): return (w * w).sum(), (2 * w,)\n")
    code, _, err = gradparity("check", f"{tmp_path / 'looped.py'}:gradients")
    assert code == 2
    assert "NameError: name 'D' is not defined" in err
    assert "looped.py:1: it was loaded without the loop here" in err
